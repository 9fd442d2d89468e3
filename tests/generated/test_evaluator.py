"""The faults of the evaluator of the ONNX standard that are listed are still there: a row goes when its fault goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import ogive
from generated.evaluator import LACKS, evaluated, nodes_of
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


# what is mended: a block, and its input, at which the evaluator's own does otherwise
MENDED = {
    "erf": ("(x: [n]) -> [n]:\n    return erf(x)", np.array([0.1, 1.0])),
    "small logarithm": ("(x: [n]) -> [n]:\n    return log_softmax[0](x)", np.array([0.0, 900.0])),
    "cubic": (
        '(x: [1, 1, n, n]) -> [1, 1, 3 * n, 3 * n]:\n    return interpolate[mode="bicubic", scale=3](x)',
        np.arange(16.0).reshape(1, 1, 4, 4),
    ),
    "empty by factors": (
        '(x: [b, 1, n]) -> [b, 1, 2 * n]\nwhere b >= 0:\n    return interpolate[mode="linear", scale=2](x)',
        np.zeros((0, 1, 4)),
    ),
    "empty by sizes": (
        '(x: [b, 1, n]) -> [b, 1, 7]\nwhere b >= 0:\n    return interpolate[mode="linear", size=7](x)',
        np.zeros((0, 1, 4)),
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_is_mended_is_a_fault(name: str) -> None:
    text, x = MENDED[name]
    model = ogive.source(f"block F{text}\nmodel M = F\n").models["M"]
    proto = whole(exported(model.ir, {}, Settings(dtype="f64")))
    wanted = model.torch().double()(torch.from_numpy(x)).numpy()
    (found,) = evaluated(proto, {"x": x})
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, rtol=1e-12)
    try:
        with np.errstate(divide="ignore"):
            (own,) = ReferenceEvaluator(proto).run(None, {"x": x})
    except Exception:
        return  # it fails
    assert not np.allclose(own, wanted, rtol=1e-9)
