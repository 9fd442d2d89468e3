"""`return` on every path of a choice that is made when the model runs; the rest of the block is part of one path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ogive
from ogive.compiler.program import check_text

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

model A = Early[d=4]
model B = Both
model C = Nested
model Yes = Chosen[early=true]
model No = Chosen[early=false]
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
        model.onnx(tmp_path / "model.onnx", model.torch() if model.weights else None)


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("if given(m):\n        return x * m\n    y = x", "E0601", 4),
        ("if given(m):\n        return x * m\n    return concat[1](x, x)", "E0302", 4),
        ("if given(m):\n        return x\n    else:\n        return x * m", "E0502", 7),
        ("if given(m):\n        return x * m\n    else:\n        return x\n    return x", None, 4),
        ("for i in range(2):\n        if given(m):\n            return x * m\n    return x", "E0702", 5),
        ("if given(m):\n        if training:\n            return x\n    return x |> Linear[d, d] as out", "E0702", 4),
        ("if given(m):\n        return x, x\n    return x", "E0302", 4),
        ("repeat 2:\n        if training:\n            return x\n    return x", "E0601", 6),
    ],
)
def test_what_is_wrong_is_said_once(body: str, code: str | None, line: int) -> None:
    text = f"use std.nn (Linear)\n\nblock F[d](x: [b, d], m: [b, d]?) -> [b, d]:\n    {body}\n"
    found = [(d.code, d.span.begin()[0]) for d in check_text(text).diagnostics if d.severity == "error"]
    assert found == ([(code, line)] if code else [])
