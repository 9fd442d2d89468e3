"""The faults of the evaluator of the ONNX standard that are mended are still there: a mend goes when its fault goes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

import ogive
from generated.evaluator import evaluated
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole

STEPS = """(x: [2, n]) -> {type}:
    scan t in x along {axis} carry h = zeros[{size}]:
        h = sin(h + t)
        yield y = h
    return {result}"""
ROW, SQUARE = np.cos(np.arange(10.0)), np.sin(np.arange(16.0)).reshape(1, 4, 4)
X = ROW[:6].reshape(2, 3)
# what is mended: a block, and its input, at which the evaluator's own does otherwise
FAULTS = {
    "scan along another axis": (STEPS.format(type="[2]", axis="1", size="2", result="h"), X),
    "scan along another axis, stacked": (STEPS.format(type="[2, n]", axis="1", size="2", result="y"), X),
    "scan in reverse": (STEPS.format(type="[n]", axis="0 reverse", size="n", result="h"), X),
    "scan in reverse, stacked": (STEPS.format(type="[2, n]", axis="0 reverse", size="n", result="y"), X),
    "the largest of one axis": ("(x: [1, 2, n]) -> [1, 2, 1]:\n    return adaptive_max_pool[[1]](x)", X[None]),
    "the largest of padded": (
        "(x: [1, 2, 5]) -> [1, 2, 5]:\n    return max_pool[3, stride=1, pad=1](x - 9)",
        ROW.reshape(1, 2, 5),
    ),
    "groups": ("(x: [1, 4, 4]) -> [1, 2, 5]:\n    return conv_transpose[groups=2](x, sin(full[4, 1, 2, v=1]))", SQUARE),
    "groups of several": (
        "(x: [1, 4, 4]) -> [1, 6, 7]:\n    return conv_transpose[groups=2, pad=1, stride=2]"
        '(x, rearrange["(a b c) -> a b c", a=4, b=3, c=3](linspace[1, 2, 36]))',
        SQUARE,
    ),
    "erf": ("(x: [n]) -> [n]:\n    return erf(x)", np.array([0.1, 1.0])),
    "small logarithm": ("(x: [n]) -> [n]:\n    return log_softmax[0](x)", np.array([0.0, 900.0])),
    "cubic": (
        '(x: [1, 1, n, n]) -> [1, 1, 3 * n, 3 * n]:\n    return interpolate[mode="bicubic", scale=3](x)',
        np.arange(16.0).reshape(1, 1, 4, 4),
    ),
    "places between entries": (
        "(x: [1, 1, n, n]) -> [1, 1, 2, 2]:\n    return grid_sample(x, sin(full[1, 2, 2, 2, v=0.3]))",
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
# other forms of what is mended
FORMS = {
    "the largest, rounded up": (
        "(x: [1, 2, 5]) -> [1, 2, 6]:\n    return max_pool[2, stride=1, pad=1, ceil=true](x)",
        ROW.reshape(1, 2, 5),
    ),
    "the largest, spread and rounded up": (
        "(x: [1, 2, 5]) -> [1, 2, 2]:\n    return max_pool[2, stride=2, dilation=2, ceil=true](x - 9)",
        ROW.reshape(1, 2, 5),
    ),
    "means of a window longer than the axis": (
        "(x: [1, 5, 2]) -> [1, 5, 2]:\n    return avg_pool[3, stride=1, pad=1](x)",
        ROW.reshape(1, 5, 2),
    ),
    "means of entries alone": (
        "(x: [1, 5, 2]) -> [1, 5, 2]:\n    return avg_pool[3, stride=1, pad=1, count_include_pad=false](x)",
        ROW.reshape(1, 5, 2),
    ),
    "means of a volume": (
        "(x: [2, 2, 2, 2]) -> [2, 2, 2, 2]:\n    return avg_pool[3, stride=2, pad=1, ceil=true](x)",
        SQUARE.reshape(2, 2, 2, 2),
    ),
}


def by_evaluator(text: str, x: np.ndarray) -> tuple[ModelProto, np.ndarray]:
    """The graph of a block, and what torch computes, which the mended evaluator does too."""
    model = ogive.source(f"block F{text}\nmodel M = F\n").models["M"]
    proto = whole(exported(model.ir, {}, Settings(dtype="f64")))
    wanted = model.torch().double()(torch.from_numpy(x)).numpy()
    (found,) = evaluated(proto, {"x": x})
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, rtol=1e-12)
    return proto, wanted


@pytest.mark.parametrize("name", FORMS)
def test_what_is_mended_is_right(name: str) -> None:
    by_evaluator(*FORMS[name])


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_mended_is_a_fault(name: str) -> None:
    text, x = FAULTS[name]
    proto, wanted = by_evaluator(text, x)
    try:
        with np.errstate(divide="ignore"):
            (own,) = ReferenceEvaluator(proto).run(None, {"x": x})
    except Exception:
        return  # it fails
    assert own.shape != wanted.shape or not np.allclose(own, wanted, rtol=1e-9)
