"""Weights from one flat axis, for blocks with loops and nested blocks; instances shared with all that they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

import ogive
from ogive.api import Block, Model
from ogive.compiler.ir_tools.verify import verify

TEXT = """
use std.nn (Linear, LayerNorm)
use std.recurrent (GRU)

block Cell[d](x: [*b, d]) -> [*b, d]:
    param gain: [] = ones
    return gain * (x |> Linear[d, d] as lin |> LayerNorm as norm)

block Deep[d, depth, inner](x: [*b, d]) -> [*b, d]:
    param first: [d] = normal
    x = x * first
    repeat depth as h:
        x = x + (x |> Cell as cell)
        repeat inner as g:
            param w: [d, d] = normal
            x = tanh(linear(x, w))
    for i in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] as stages:
        param scale: [d] = normal
        x = x * scale
    return x |> Linear[d, d] as out

block Tied[d](x: [b, n, d]) -> [b, n, d]:
    f = Linear[d, d]
    repeat 2 as h:
        x = f(x) + einsum["b n d, d e -> b n e"](x, f.weight)
        x = x |> GRU[d, d] as gru
    return x

block Late[d](x: [*b, d]) -> [*b, d]:
    y = x |> Linear[d, d] as second |> Cell as cell |> Linear[d, d] as first
    param zeta: [d] = normal
    param alpha: [d] = normal
    return y * zeta + alpha

block Flat[F: block](x: [*b, d], theta: [n]) -> [*b, d]
where n == count[F]:
    f = F
    return f(x, weights=theta)

block EachSet[F: block](x: [e, b, n, d], theta: [e, m]) -> [e, b, n, d]
where m == count[F]:
    return over[e, F](x, weights=theta)

block FlatBatch[F: block](x: [b, n, d], theta: [m]) -> [b, n, d]
where m == count[F]:
    f = F
    return f(x, weights=theta)

block Turns[d, depth](x: [b, d], theta: [depth, m]) -> [b, d]
where m == count[Deep[d, 2, 1]]:
    repeat depth as layers with t in theta:
        f = Deep[d, 2, 1]
        x = f(x, weights=t)
    return x

model DeepM = Deep[4, 3, 2]
model LateM = Late[4]
model TiedM = Tied[4]
model GruM = GRU[4, 4]
model FlatDeep = Flat[Deep[4, 3, 2], d=4]
model FlatLate = Flat[Late[4], d=4]
model FlatTied = FlatBatch[Tied[4], d=4]
model FlatGru = FlatBatch[GRU[4, 4], d=4]
model SetDeep = EachSet[Deep[4, 3, 2], d=4]
model TurnsM = Turns[4, 3]
"""
PROGRAM = ogive.source(TEXT)


def model(name: str, program: Any = PROGRAM) -> Model:
    found = program[name]
    assert isinstance(found, Model)
    verify(found.ir)
    return found


def net(name: str, program: Any = PROGRAM) -> nn.Module:
    torch.manual_seed(0)
    return model(name, program).torch().double()


def made(block: str, **statics: Any) -> nn.Module:
    """A model of a block of the program."""
    found = PROGRAM[block]
    assert isinstance(found, Block)
    return found(**statics).torch()


def flat(module: nn.Module) -> Tensor:
    """The weights in the order of the state dict, as torch lays them out."""
    return parameters_to_vector(module.parameters()).detach()


CASES = (
    ("DeepM", "FlatDeep", (3, 4)),
    ("LateM", "FlatLate", (3, 4)),
    ("TiedM", "FlatTied", (2, 3, 4)),
    ("GruM", "FlatGru", (2, 3, 4)),
)


@pytest.mark.parametrize(("plain", "handed", "shape"), CASES)
def test_one_flat_axis_holds_every_weight_in_the_order_of_the_state_dict(
    plain: str, handed: str, shape: tuple[int, ...]
) -> None:
    theirs, ours = net(plain), net(handed)
    assert not dict(ours.named_parameters())
    theta = flat(theirs).requires_grad_()
    x = torch.randn(shape, dtype=torch.float64)
    y, wanted = ours(x, theta), theirs(x)
    torch.testing.assert_close(y, wanted)
    (got,) = torch.autograd.grad(y.square().sum(), theta)
    theirs.zero_grad()
    wanted.square().sum().backward()
    for weight in theirs.parameters():
        assert weight.grad is not None
        weight.data = weight.grad
    torch.testing.assert_close(got, flat(theirs))


def test_a_set_for_each_index_and_for_each_iteration() -> None:
    plain = [net("DeepM") for _ in range(2)]
    for index, each in enumerate(plain):
        for weight in each.parameters():
            weight.data += index
    theta = torch.stack([flat(each) for each in plain])
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(net("SetDeep")(x, theta), torch.stack([f(row) for f, row in zip(plain, x, strict=True)]))
    ours = net("TurnsM")
    rows = torch.randn(3, flat(made("Deep", d=4, depth=2, inner=1)).numel(), dtype=torch.float64)
    one = made("Flat", F="Deep[4, 2, 1]", d=4).double()
    y = x = torch.randn(3, 4, dtype=torch.float64)
    for row in rows:
        y = one(y, row)
    torch.testing.assert_close(ours(x, rows), y)


@pytest.mark.parametrize("name", ["FlatDeep", "FlatTied", "FlatGru", "TurnsM"])
@pytest.mark.parametrize("functions", [False, True])
def test_onnx_runs_them(name: str, functions: bool, tmp_path: Any) -> None:
    ours = model(name)
    module = ours.torch()
    plain = {"FlatDeep": "DeepM", "FlatTied": "TiedM", "FlatGru": "GruM"}
    if name in plain:
        theta, shape = flat(model(plain[name]).torch()), (2, 3, 4) if name != "FlatDeep" else (3, 4)
    else:
        theta, shape = torch.randn(3, flat(made("Deep", d=4, depth=2, inner=1)).numel()), (3, 4)
    x = torch.randn(shape)
    path = tmp_path / "m.onnx"
    ours.onnx(path, weights=module, functions=functions)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    (y,) = session.run(None, dict(zip(names, [x.numpy(), theta.numpy()], strict=True)))
    np.testing.assert_allclose(y, module(x, theta).detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "plain", "shape"), [("FlatDeep", "DeepM", (3, 4)), ("FlatTied", "TiedM", (2, 3, 4))])
def test_they_deploy(name: str, plain: str, shape: tuple[int, ...]) -> None:
    ours = net(name)
    deployed = model(name).deploy()
    verify(deployed.ir)
    x, theta = torch.randn(shape, dtype=torch.float64), flat(net(plain))
    there = deployed.torch().double()
    torch.testing.assert_close(there(x, theta), ours(x, theta))
