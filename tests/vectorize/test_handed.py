"""Weights that are supplied inside of `over` and `each`: one set for each example, and hypernetworks of experts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import ogive
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.external_data import arrays
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.pipelines.lowering import lowered
from onnx_model.harness import array, checked, difference, session

TEXT = """
use std.nn (Linear, LayerNorm, GroupNorm)
use std.vision (Conv)

block MLP[d](x: [n, d]) -> [n, d]:
    return x |> Linear[d, 2*d] as up |> gelu |> Linear[2*d, d] as down

block Normed[d](x: [n, d]) -> [n, d]:
    return x + (x |> LayerNorm as norm |> Linear[d, d] as lin)

block Filter[d](x: [n, d]) -> [n, d]:
    y = x |> rearrange["n d -> 1 d n"] |> Conv[d, 2*d, 3, pad=1] |> relu |> Conv[2*d, d, 1]
    return y |> rearrange["1 d n -> n d"]

block Scaled[d](x: [n, d]) -> [n, d]:
    param scale: [d] = ones
    return (x |> Linear[d, d] as lin) * scale + (x |> MLP[d] as mlp)

block Hyper[F: block](x: [b, n, d], theta: [b, p]) -> [b, n, d]
where p == count[F]:
    return over[b, F](x, weights=theta)

block Each[e, d](x: [e, n, d], w: [e, d, d]) -> [e, n, d]:
    return each[e, Linear[d, d, ...]](x, weight=w)

block EachScaled[e, d](x: [e, n, d], s: [e, d]) -> [e, n, d]:
    return each[e, Scaled[d, ...]](x, scale=s)

block OverScaled[d](x: [e, n, d], s: [e, d]) -> [e, n, d]:
    f = Scaled[d]
    return over[e, f](x, scale=s)

model Mlp = Hyper[MLP[d=4], d=4]
model Norm = Hyper[Normed[d=4], d=4]
model Fir = Hyper[Filter[d=4], d=4]
model One = Scaled[d=4]
model EachM = Each[e=3, d=4]
model EachScaledM = EachScaled[e=3, d=4]
model OverScaledM = OverScaled[d=4]
"""


def parts(one: torch.nn.Module, theta: Tensor) -> dict[str, Tensor]:
    """The weights of a block from a flat axis, in the order of its state dict."""
    found, start = {}, 0
    for name, weight in one.named_parameters():
        found[name] = theta[start : start + weight.numel()].view(weight.shape)
        start += weight.numel()
    assert start == theta.shape[0]
    return found


@pytest.mark.parametrize(("name", "block"), [("Mlp", "MLP"), ("Norm", "Normed"), ("Fir", "Filter")])
def test_one_set_of_weights_for_each_example(name: str, block: str) -> None:
    made = ogive.source(TEXT + f"model Alone = {block}[d=4]\n")
    one = made.models["Alone"].torch().double()
    model = made.models[name]
    verify(lowered(model.ir))
    net = model.torch().double()
    assert not net.state_dict()
    count = sum(weight.numel() for weight in one.parameters())
    x = torch.randn(3, 6, 4, dtype=torch.float64, requires_grad=True)
    theta = torch.randn(3, count, dtype=torch.float64, requires_grad=True)
    wanted = torch.stack([torch.func.functional_call(one, parts(one, theta[i]), (x[i],)) for i in range(3)])
    found = net(x, theta)
    torch.testing.assert_close(found, wanted)
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), (x, theta)) for y in (found, wanted)), strict=True):
        torch.testing.assert_close(a, b)
    proto = whole(exported(model.ir, arrays(net.float()), Settings(sizes={"b": 3} if name == "Fir" else {})))
    checked(proto)
    feeds = {"x": array(x.float()), "theta": array(theta.float())}
    assert difference(session(proto).run(None, feeds)[0], array(wanted.float())) <= 1e-4
    program = torch.export.export(net.float(), (x.detach().float(), theta.detach().float()))
    torch.testing.assert_close(program.module()(x.float(), theta.float()), wanted.float(), rtol=1e-4, atol=1e-4)


def vectorized(name: str, *inputs: Tensor) -> tuple[Any, Tensor]:
    """A model, and what it gives, which ONNX Runtime gives too."""
    model = ogive.source(TEXT).models[name]
    verify(lowered(model.ir))
    torch.manual_seed(0)
    net = model.torch()
    y = net(*inputs)
    proto = whole(exported(model.ir, arrays(net), Settings()))
    checked(proto)
    feeds = {value.name: array(x) for value, x in zip(proto.graph.input, inputs, strict=True)}
    assert difference(session(proto).run(None, feeds)[0], array(y)) <= 1e-5
    return net, y


def test_each_index_is_handed_a_weight() -> None:
    x, w = torch.randn(3, 5, 4), torch.randn(3, 4, 4)
    net, y = vectorized("EachM", x, w)
    assert {name: tuple(value.shape) for name, value in net.state_dict().items()} == {"linear.bias": (3, 4)}
    torch.testing.assert_close(y, x @ w.mT + net.linear.bias[:, None])


@pytest.mark.parametrize("name", ["EachScaledM", "OverScaledM"])
def test_parts_of_a_block_that_is_handed_a_weight(name: str) -> None:
    x, s = torch.randn(3, 5, 4), torch.randn(3, 4)
    net, y = vectorized(name, x, s)
    stacked = name == "EachScaledM"
    weights = {path.partition(".")[2]: value for path, value in net.state_dict().items()}
    one = ogive.source(TEXT).models["One"].torch()
    rows = []
    for index in range(3):
        mine = {path: value[index] if stacked else value for path, value in weights.items()}
        rows.append(torch.func.functional_call(one, {**mine, "scale": s[index]}, (x[index],)))
    torch.testing.assert_close(y, torch.stack(rows))


INSIDE = """
use std.nn (Linear)

block Deep[d](x: [n, d]) -> [n, d]:
    repeat 2 as h:
        x = x + tanh(x |> Linear[d, d] as lin)
    return x

block F[d](x: [n, d], theta: [p]) -> [n, d]
where p == count[Deep[d]]:
    g = Deep[d]
    y = x |> Linear[d, d] as own
    return g(y, weights=theta)

block Shared[d](x: [e, n, d], theta: [e, p]) -> [e, n, d]
where p == count[Deep[d]]:
    f = F[d]
    return over[e, f](x, theta)

block Every[e, d](x: [e, n, d], theta: [e, p]) -> [e, n, d]
where p == count[Deep[d]]:
    return each[e, F[d, ...]](x, theta)

model One = F[d=4]
model Over = Shared[d=4]
model Each = Every[e=3, d=4]
"""


@pytest.mark.parametrize("name", ["Over", "Each"])
def test_a_vectorized_block_hands_on_weights_to_a_block_with_loops(name: str) -> None:
    made = ogive.source(INSIDE)
    verify(lowered(made.models[name].ir))
    net, one = made.models[name].torch(), made.models["One"].torch()
    x, theta = torch.randn(3, 5, 4), torch.randn(3, 40)
    weights = {path.partition(".")[2]: value for path, value in net.state_dict().items()}
    rows = []
    for index in range(3):
        mine = {path: value[index] if name == "Each" else value for path, value in weights.items()}
        rows.append(torch.func.functional_call(one, mine, (x[index], theta[index])))
    torch.testing.assert_close(net(x, theta), torch.stack(rows))
