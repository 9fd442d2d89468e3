"""Scalar weights and states have no axes: in files, as outputs and taps, in loops, under `each`, after folding."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from onnx_model.harness import array, checked, difference, session

X = (3, 4)  # the shape of the input of every program
PROGRAMS = {
    "an output": """
block F(x: [b, n]) -> (y: [b, n], g: [], h: []):
    param g: [] = constant[2.0]
    return x * g, g, g * 2 + 1
""",
    "states of every type": """
block F(x: [b, n]) -> (y: [b, n], a: [], i: int[], j: i32[], k: bool[]):
    state a: [] = constant[0.5]
    state i: int[] = ones
    state j: i32[] = ones
    state k: bool[] = zeros
    return select(k, x, x * a), a, i, j, k
""",
    "carried and yielded by a scan": """
block F(x: [b, n]) -> (h: [], g: [], ys: [b], zs: [b]):
    param g: [] = constant[0.5]
    scan u in x along b carry h = g:
        h = tanh(h * g + sum(u))
        yield ys = h
        yield zs = g
    return h, g, ys, zs
""",
    "carried by a scan from its end, untouched": """
block F(x: [b, n]) -> (h: [], g: [b]):
    param g: [] = constant[0.5]
    scan u in x along n reverse carry h = g, c = zeros[b]:
        c = c * h + u
    return h, c
""",
    "iterations that are unrolled": """
block G(x: [b, n]) -> [b, n]:
    param g: [] = normal
    return x * g
block F(x: [b, n]) -> (x: [b, n], h: [], ys: [3], zs: [3], gs: [3]):
    param a: [] = constant[0.5]
    h = a
    repeat 3 as layers:
        x = x |> G as g
        h = h * a + 1
        yield ys = h
        yield zs = a
    return x, h, ys, zs, ys * zs
""",
    "iterations over a size of the input": """
block F(x: [b, n]) -> (h: [], ys: [n]):
    param a: [] = constant[0.5]
    h = a
    repeat n with i in range(n):
        h = h * a + i
        yield ys = h
    return h, ys
""",
    "weights of each index and of all": """
block G(x: [n]) -> []:
    param g: [] = normal
    return sum(x) * g
block F(x: [3, n]) -> (one: [3], all: [3]):
    return each[0, G](x), over[0, G](x)
""",
    "a weight that is supplied, and all of them": """
block G[k=1](x: [b, n]) -> [b, n]:
    param g: [] = normal
    param h: [] = normal
    return x * g + h * k
block F(x: [b, n]) -> (y: [b, n], z: [b, n], g: []):
    f = G[k=1]
    param theta: [count[G[k=1]]] = normal
    return f(x, g = f.g * 2), f(x, weights = theta), f.g
""",
    "a derivative in it": """
block energy[n](x: [n]) -> []:
    param g: [] = constant[1.5]
    return sum(x * x) * g * g
block F(x: [b, 4]) -> (d: [b, 4], g: []):
    e = energy[4]
    return over[b, grad[e]](x), e.g
""",
    "a choice of the phase": """
block F(x: [b, n]) -> (y: [b, n], m: []):
    state m: [] = constant[3.0]
    k = m
    if training:
        k = mean(x)
        update m = k
    return x - k, k
""",
    "layers beside it that fold": """
use std.nn (Linear, LayerNorm)
block F(x: [b, 4]) -> (y: [b, 4], s: []):
    param s: [] = constant[0.5]
    return ((x * s) |> LayerNorm[4] |> Linear[4, 4]) * s, s
""",
    "moved, spread and joined": """
block F(x: [b, n]) -> (a: [b, n], c: [1, 1], d: [2], e: []):
    param g: [] = constant[0.5]
    param h: [] = constant[0.25]
    return expand["-> b n", b=b, n=n](g), rearrange["-> 1 1"](g), stack[0](g, h), einsum[", ->"](g, h)
""",
}  # fmt: skip
SETTINGS: tuple[dict[str, Any], ...] = ({}, {"functions": True}, {"opset": 20}, {"dtype": "f64"})


@pytest.mark.parametrize("name", PROGRAMS)
def test_their_rank_stays_0(name: str) -> None:
    model = ogive.source(PROGRAMS[name] + "model M = F").models["M"]
    torch.manual_seed(0)
    net, x = model.torch().eval(), torch.randn(X)
    assert () in model.weights.values()
    with torch.no_grad():
        wanted = [array(y) for y in net(x)]
    fixed = {size: dict(zip(("b", "n"), X, strict=True))[size] for size in model.sizes}
    for settings in (*SETTINGS, {"sizes": fixed}):
        proto = whole(exported(model.ir, arrays(net), Settings(**settings)))
        checked(proto)
        for tensor in proto.graph.initializer:
            if tensor.name in model.weights:
                assert tuple(tensor.dims) == model.weights[tensor.name]
        given = x.double() if "dtype" in settings else x
        got = session(proto).run(None, {"x": array(given)})
        assert [y.shape for y in got] == [y.shape for y in wanted]
        assert max(difference(y, z) for y, z in zip(got, wanted, strict=True)) <= 1e-5


@pytest.mark.parametrize("settings", [{}, {"opset": 20}], ids=str)
def test_a_tap_of_one_has_no_axes(settings: dict[str, Any]) -> None:
    model = ogive.source("""
block G(x: [b]) -> [b]:
    param g: [] = constant[2.0]
    tap seen = g
    return x * g
block F(x: [b]) -> [b]:
    repeat 2 as h:
        x = x |> G as g
    return x
model M = F
""").models["M"]
    net = model.torch().eval()
    proto = whole(exported(model.ir, arrays(net), Settings(taps=True, **settings)))
    checked(proto)
    _, *taps = session(proto).run(None, {"x": array(torch.ones(3))})
    assert [tap.shape for tap in taps] == [(), ()]


def test_it_stays_where_a_model_is_deployed_and_its_weights_are_converted() -> None:
    model = ogive.source(PROGRAMS["layers beside it that fold"] + "model M = F").models["M"]
    net, x = model.torch().eval(), torch.randn(X)
    deployed = model.deploy("fold")
    folded = deployed.convert(net)
    assert folded["s"].shape == ()
    proto = whole(exported(deployed.ir, arrays(folded), Settings()))
    checked(proto)
    with torch.no_grad():
        wanted = [array(y) for y in net(x)]
    got = session(proto).run(None, {"x": array(x)})
    assert [y.shape for y in got] == [y.shape for y in wanted]
    assert max(difference(y, z) for y, z in zip(got, wanted, strict=True)) <= 1e-5
