"""Initializers that are expressions: named ones inside take the shape of the weight, seeds make them repeatable."""

from __future__ import annotations

import torch
from torch import nn

import ogive
from ogive.api import Model
from ogive.compiler.driver.workspace import check_text

TEXT = """
use std.nn (Linear)

block A[d](x: [b, d]) -> [b, d]:
    init lin.bias = log(expm1(exp(uniform[-3.0, -1.0])))
    init Linear.weight = tril(orthogonal)
    param w: [d, d] = eye + 0.1 * uniform[-1 / d, 1.0, seed=3]
    state frozen: [d, 2 * d] = normal[std=2.0, seed=7]
    y = x |> Linear[d, d] as lin
    return y @ w + (x @ frozen)[:, :d]

model M = A[6]
"""


def net() -> nn.Module:
    model = ogive.source(TEXT)["M"]
    assert isinstance(model, Model)
    return model.torch()


def test_named_initializers_take_the_shape_of_the_weight() -> None:
    state = net().state_dict()
    bias = torch.nn.functional.softplus(state["lin.bias"]).log()
    assert bool(((bias >= -3) & (bias <= -1)).all())
    assert torch.equal(state["lin.weight"], state["lin.weight"].tril())
    off = state["w"] - torch.eye(6)
    assert bool(((off >= -0.1 / 6) & (off <= 0.1)).all())


def test_a_seed_makes_the_same_numbers_each_time_and_leaves_the_others_alone() -> None:
    first, second = net(), net()
    assert torch.equal(first.get_buffer("frozen"), second.get_buffer("frozen"))
    assert torch.equal(first.get_parameter("w"), second.get_parameter("w"))
    assert not torch.equal(first.get_parameter("lin.bias"), second.get_parameter("lin.bias"))
    torch.manual_seed(0)
    before = torch.rand(3)
    torch.manual_seed(0)
    nn.init.normal_(torch.empty(2), generator=torch.Generator().manual_seed(7))
    assert torch.equal(before, torch.rand(3))


def test_a_model_with_seeds_stands_on_meta() -> None:
    model = ogive.source(TEXT)["M"]
    assert isinstance(model, Model)
    assert all(weight.is_meta for weight in model.torch(device="meta").parameters())


def test_other_shapes_and_settings_are_refused() -> None:
    for text, code in (("arange[3]", "E0301"), ("normal[stdd=1.0]", "E0403"), ("normal[seed=0.5]", "E0404")):
        source = f"block A(x: [b, 2]) -> [b, 2]:\n    param w: [2] = {text}\n    return x * w\n"
        found = [d.code for d in check_text(source).diagnostics]
        assert found == [code], text
