"""The faults of the evaluator of the ONNX standard that are listed are still there: a row goes when its fault goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import ogive
from generated.evaluator import LACKS, nodes_of
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole

STEPS = """(x: [2, n]) -> {type}:
    scan t in x along {axis} carry h = zeros[{size}]:
        h = sin(h + t)
        yield y = h
    return {result}"""
# a row of LACKS, by its place: a block that holds such a node, and the shape of its input
HOLDING = {
    0: (STEPS.format(type="[2]", axis="1", size="2", result="h"), (2, 3)),
    1: (STEPS.format(type="[2, n]", axis="1", size="2", result="y"), (2, 3)),
    2: (STEPS.format(type="[n]", axis="0 reverse", size="n", result="h"), (2, 3)),
    3: ("(x: [1, 1, 5]) -> [1, 1, 6]:\n    return max_pool[2, stride=1, pad=1, ceil=true](x)", (1, 1, 5)),
    4: ("(x: [1, 1, 4]) -> [1, 1, 4]:\n    return max_pool[3, stride=1, pad=1](x - 9)", (1, 1, 4)),
    5: ("(x: [1, 4, 4]) -> [1, 2, 5]:\n    return conv_transpose[groups=2](x, sin(full[4, 1, 2, v=1]))", (1, 4, 4)),
    6: ("(x: [1, 2, 5]) -> [1, 2, 1]:\n    return adaptive_max_pool[[1]](x)", (1, 2, 5)),
}


@pytest.mark.parametrize("row", range(len(LACKS)))
def test_what_is_listed_is_a_fault(row: int) -> None:
    text, shape = HOLDING[row]
    model = ogive.source(f"block F{text}\nmodel M = F\n").models["M"]
    proto = whole(exported(model.ir, {}, Settings(dtype="f64")))
    op, holds, _ = LACKS[row]
    assert any(node.op_type == op and holds(node) for node in nodes_of(proto))
    x = np.random.default_rng(0).standard_normal(shape)
    wanted = model.torch().double()(torch.from_numpy(x)).numpy()
    try:
        found = ReferenceEvaluator(proto).run(None, {"x": x})[0]
    except Exception:
        return  # it fails
    assert found.shape != wanted.shape or not np.allclose(found, wanted, rtol=1e-9)
