"""A weight that a block gives to what it calls, made of one that the block is given itself: the inner use counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ogive
from generated.runtimes import session
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole
from reference.arrays import Array
from reference.interpreter import Reference
from reference.store import Store
from reference.world import World

INNER = {
    "given": "    return lin(x, weight=0.5 * lin.weight)",
    "twice": "    return lin(lin(x), weight=0.5 * lin.weight)",
    "in a loop": "    repeat 2:\n        x = lin(x, weight=0.5 * lin.weight)\n    return x",
    "lifted": "    g = Row[lin]\n    return over[0, g](x)",
    "derived": "    g = Value[lin]\n    return grad[g](x)",
}
OUTER = {
    "flat": "    param theta: [count[Unit]] = normal\n    f = Unit[]\n    return f(x, weights=theta)",
    "own": "    return Unit(x)",
    "in a loop": "    param theta: [count[Unit]] = normal\n    f = Unit[]\n    repeat 2:\n"
    "        x = f(x, weights=0.5 * theta)\n    return x",
}


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("outer", OUTER)
def test_the_inner_use_counts(inner: str, outer: str) -> None:
    text = f"""
use std.nn (Linear)
block Row[F: block](x: [2]) -> [2]:
    return F(x, weight=0.5 * F.weight)
block Value[F: block](x: [g, 2]) -> []:
    return sum(sin(F(x, weight=0.5 * F.weight)))
block Unit(x: [g, 2]) -> [g, 2]:
    lin = Linear[2, 2, bias=false]
{INNER[inner]}
block Main(x: [g, 2]) -> [g, 2]:
{OUTER[outer]}
model M = Main
"""
    model = ogive.source(text).models["M"]
    x = np.random.default_rng(0).standard_normal((3, 2))
    net = model.torch().double().eval()
    weights = {path: tensor.numpy() for path, tensor in net.state_dict().items()}
    (wanted,) = Reference(model.ir, Store.of(weights)).run(
        [Array(x)], World(), dict.fromkeys(model.ir.definition.sizes, 3)
    )
    assert wanted is not None
    np.testing.assert_allclose(net(torch.from_numpy(x)).detach().numpy(), wanted.value, rtol=1e-12)
    for deployed in (model.deploy("fold"), model.deploy("simplify")):
        made = deployed.torch().double().eval()
        made.load_state_dict(deployed.convert(net.state_dict(), dtype=None))
        np.testing.assert_allclose(made(torch.from_numpy(x)).detach().numpy(), wanted.value, rtol=1e-10)
    for functions in (False, True):
        proto = whole(exported(model.ir, weights, Settings(dtype="f64", functions=functions)))
        np.testing.assert_allclose(session(proto).run(None, {"x": x})[0], wanted.value, rtol=1e-12)
