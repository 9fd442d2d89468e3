"""`return` on every path of a choice that is made when the model runs; the rest of the block is part of one path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ogive
from ogive.compiler.driver.workspace import check_text

TEXT = """
use std.nn (Linear)

block Early[d](x: [*b, d], mask: [*b, d]?) -> [*b, d]:
    y = x |> Linear[d, d] as one
    if given(mask):
        return y * mask
    z = y |> Linear[d, d] as two
    return relu(z)

block Both(x: [b, d]) -> (y: [b, d], z: [b, d]):
    if training:
        y = 2 * x
        return y, x
    else:
        return x, x + 1

block Nested(x: [b, d], m: [b, d]?, k: [b, d]?) -> [b, d]:
    if given(m):
        if given(k):
            return x * m * k
        x = x * m
    elif training:
        return 3 * x
    return x + 1

block Chosen[early: bool](x: [b, d]) -> [b, d]:
    if early:
        if training:
            return 5 * x
        x = x + 1
    return 2 * x

block Turns[d, n: int](x: [b, d], m: [b, d]?) -> [b, d]:
    for i in range(n):
        x = x |> Linear[d, d] as lin
        if i > 0:
            if given(m):
                return x * m
        x = relu(x)
        if i == 2:
            return x |> Linear[d, d] as last
    return x + 1

model A = Early[d=4]
model B = Both
model C = Nested
model Yes = Chosen[early=true]
model No = Chosen[early=false]
model Two = Turns[d=4, n=2]
model Four = Turns[d=4, n=4]
"""


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    return ogive.source(TEXT)


def test_what_follows_belongs_to_the_path_that_goes_on(program: ogive.Program) -> None:
    net: Any = program.models["A"].torch()
    x = torch.randn(3, 4)
    assert sorted(program.models["A"].weights) == ["one.bias", "one.weight", "two.bias", "two.weight"]
    once = torch.nn.functional.linear(x, net.one.weight, net.one.bias)
    torch.testing.assert_close(net(x, 2 * x), once * 2 * x)
    torch.testing.assert_close(net(x), torch.relu(net.two(once)))


def test_an_iteration_that_returns_ends_the_for(program: ogive.Program) -> None:
    x, m = torch.randn(2, 3, 4)
    two: Any = program.models["Two"].torch()
    four: Any = program.models["Four"].torch()
    for net in (two, four):
        once = net.layers[1].lin(torch.relu(net.layers[0].lin(x)))
        torch.testing.assert_close(net(x, m), once * m)
    torch.testing.assert_close(two(x), torch.relu(two.layers[1].lin(torch.relu(two.layers[0].lin(x)))) + 1)
    assert len(four.layers) == 3
    y = x
    for layer in four.layers:
        y = torch.relu(layer.lin(y))
    torch.testing.assert_close(four(x), four.layers[2].last(y))


@pytest.mark.parametrize("training", [True, False])
def test_several_values(program: ogive.Program, training: bool) -> None:
    net, x = program.models["B"].torch().train(training), torch.randn(2, 3)
    for found, wanted in zip(net(x), (2 * x, x) if training else (x, x + 1), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("training", [True, False])
def test_nested_choices(program: ogive.Program, training: bool) -> None:
    x, m, k = torch.randn(3, 2, 4)
    net = program.models["C"].torch().train(training)

    def wanted(m: Tensor | None, k: Tensor | None) -> Tensor:
        if m is None:
            return torch.add(2 * x, x) if training else torch.add(x, 1)
        return torch.mul(x * m, k) if k is not None else torch.add(x * m, 1)

    for given in ((None, None), (m, None), (m, k), (None, k)):
        torch.testing.assert_close(net(x, *given), wanted(*given))
    for name, value in (("Yes", 5 * x if training else 2 * (x + 1)), ("No", 2 * x)):
        torch.testing.assert_close(program.models[name].torch().train(training)(x), value)


def test_drawn_and_exported(program: ogive.Program, tmp_path: Path) -> None:
    for model in program.models.values():
        assert "<svg" in model.diagram().text("svg")
        model.onnx(tmp_path / "model.onnx", model.torch() if model.weights else None, force=True)


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("if given(m):\n        return x * m\n    y = x", "E0601", 4),
        ("if given(m):\n        return x * m\n    return concat[1](x, x)", "E0302", 4),
        ("if given(m):\n        return x\n    else:\n        return x * m", "E0502", 7),
        ("if given(m):\n        return x * m\n    else:\n        return x\n    return x", None, 4),
        ("for i in range(2):\n        if given(m):\n            return x * m\n    return x", None, 5),
        ("for i in range(2):\n        if given(m):\n            return x * m\n        x = y\n    return x", "E0201", 7),
        ("for i in range(2):\n        if given(m):\n            return x * m\n    y = x", "E0601", 5),
        ("if given(m):\n        if training:\n            return x\n    return x |> Linear[d, d] as out", None, 4),
        ("if given(m):\n        return x, x\n    return x", "E0302", 4),
        ("repeat 2:\n        if training:\n            return x\n    return x", "E0601", 6),
    ],
)
def test_what_is_wrong_is_said_once(body: str, code: str | None, line: int) -> None:
    text = f"use std.nn (Linear)\n\nblock F[d](x: [b, d], m: [b, d]?) -> [b, d]:\n    {body}\n"
    found = [(d.code, d.span.begin()[0]) for d in check_text(text).diagnostics if d.severity == "error"]
    assert found == ([(code, line)] if code else [])
