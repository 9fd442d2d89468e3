"""What the optimizers of ONNX Runtime are known to break is written so that they do not."""

from __future__ import annotations

import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, checked, difference, session

# what ONNX Runtime 1.31 computes wrongly where it is written otherwise: what was seen, the expression, its type
FAULTS = {
    "a pad between transpositions": (
        'rearrange["a b c d -> a d b c"](pad[1, before=1, after=2](rearrange["a b c d -> a c d b"](x)))',
        "[p, 3, q, r]",
    ),
    "a pad by other numbers between transpositions": (
        'rearrange["a b c d -> d c b a"](pad[0, before=2, after=0, value=3](rearrange["a b c d -> d c b a"](x)))',
        "[p, 3, q, r]",
    ),
    "a pad by zeros before a pool": ("max_pool[2](pad[3, before=1, after=1](-abs(x) - 1))", "[p, 3, q, r]"),
    "a pad before a pool of means": (
        "avg_pool[2, pad=1, count_include_pad=false](pad[3, before=1, after=1](x))", "[p, 3, q, r]",
    ),
    "a wide pad before a pool": ("max_pool[2, stride=1](pad[3, before=3, after=3](x))", "[p, 3, q, r]"),
    "a pad before a convolution": ("conv(pad[3, before=1, after=1](x), ones[2, 3, 2, 2])", "[p, 2, q, r]"),
    "a norm along the other axis beside a column": (
        'einsum["a b, b z -> z a"](layer_norm[axes=0](rearrange["a b -> b a"](x[0, :, :, 0])), w)', "[1, p]",
    ),
    "axes of 1 and a column": ('einsum["a b c d, b z -> c a d z"](x[0:1, :, :, 0:1], w)', "[p, 1, 1, 1]"),
    "a norm along the other axis before @": (
        'layer_norm[axes=0](rearrange["a b -> b a"](x[0, :, :, 0])) @ w[:, 0]', "[p]",
    ),
    "a transposition before @": ('rearrange["a b -> b a"](gelu(x[0, :, 0, :])) @ w[:, 0]', "[p]"),
    "a transposition behind @": (
        'w[:, 0] @ rearrange["a b -> b a"](gelu(rearrange["a b -> b a"](x[0, :, 0, :])))', "[p]",
    ),
    "a map of a vector": ('Linear[3, 4](gelu(x[0, :, 0, 0]))', "[4]"),
    "one divided by a whole number": ("x[:, :, 0, 0] * cast[float]((1 // (arange[3] + 1)) * arange[3])", "[p, 3]"),
}  # fmt: skip


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("name", FAULTS)
def test_known_faults_of_optimizers_are_worked_around(name: str, fixed: bool, functions: bool) -> None:
    text, type = FAULTS[name]
    source = f"block F(x: [b, 3, h, v]) -> {type}:\n    param w: [3, 1] = normal\n    return {text}\nmodel M = F\n"
    model = ogive.source(f"use std.nn (Linear)\n{source}" if "Linear" in text else source).models["M"]
    net, x = model.torch().eval(), torch.randn(2, 3, 5, 4)
    settings = Settings(functions=functions, sizes={"b": 2, "h": 5, "v": 4} if fixed else {})
    proto = whole(exported(model.ir, arrays(net), settings))
    checked(proto)
    with torch.no_grad():
        exact = array(net(x))
    assert difference(session(proto).run(None, {"x": array(x)})[0], exact) <= 1e-5
