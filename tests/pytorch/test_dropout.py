"""Dropout is a module that code finds and changes, wherever the source has it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.model import Model
from pytorch.catalog import inputs

PROGRAM = """
use std.nn (DropPath, Dropout, LayerNorm, Linear)
use std.attention (causal_mask)

block Plain[d, p=0.3](x: [b, n, d]) -> [b, n, d]:
    return x |> Linear[d, d] as fc |> Dropout[p]

## In one iteration of a loop, with a rate that follows from its number.
block Loop[d, depth: nat](x: [b, n, d]) -> [b, n, d]:
    repeat depth as layers with i in range(depth):
        x = x + (x |> Linear[d, d] as fc |> dropout[0.5 * (i + 1) / depth])
    return x

## In a loop without weights.
block Bare[d](x: [b, n, d]) -> [b, n, d]:
    fc = Linear[d, d]
    repeat 3:
        x = x + dropout[0.4](fc(x))
    return x

## The same where the loop has no weights: no module can have the rate.
block Bares[d](x: [b, n, d]) -> [b, n, d]:
    fc = Linear[d, d]
    repeat 3 with i in range(3):
        x = x + dropout[0.25 * i](fc(x)) + dropout[0.5](x)
    return x

## In a function that is too long to be written in place, and in one that this one calls.
block inner(x: [*b]) -> [*b]:
    y = tanh(x) * sigmoid(x) + silu(x) * relu(x)
    return dropout[0.25](y) + gelu(y) * exp(-y * y)
block outer(x: [*b]) -> [*b]:
    y = inner(x) + tanh(x) * sigmoid(x) + silu(x) * relu(x)
    return dropout[0.5](y) * exp(-y * y)
block Functions[d](x: [b, n, d]) -> [b, n, d]:
    return x |> Linear[d, d] as fc |> outer

block Attend[d](x: [b, n, d]) -> [b, n, d]:
    q = x |> Linear[d, d] as q
    s = (q, x) |> einsum["b i d, b j d -> b i j"]
    p = (s / sqrt(d)) |> causal_mask |> softmax[-1] |> Dropout[0.3]
    return (p, x) |> einsum["b i j, b j d -> b i d"] |> Linear[d, d] as out

block Paths[d](x: [b, n, d]) -> [b, n, d]:
    for i in range(3) as layers:
        x = x + (x |> Linear[d, d] as fc |> DropPath[0.2 * i])
    return x

## Something else draws too: the model takes a generator.
block Noisy[d](x: [b, n, d]) -> [b, n, d]:
    y = x |> Attend[d] as attend |> Functions[d] as functions |> Dropout[0.5]
    return y + 0 * randn[b, n, d]

## A member that is called as the module would be.
block Taken[d](x: [b, n, d]) -> [b, n, d]:
    return x |> Linear[d, d] as dropout |> Dropout[0.5]

block Vectorized[d, heads](x: [b, heads, n, d]) -> [b, heads, n, d]:
    return x |> each[heads, Plain[d, ...]]

model M1 = Plain[d=4]
model M2 = Loop[d=4, depth=2]
model M3 = Bare[d=4]
model M4 = Functions[d=4]
model M5 = Attend[d=4]
model M6 = Paths[d=4]
model M7 = Noisy[d=4]
model M8 = Taken[d=4]
model M9 = Vectorized[d=4, heads=3]
"""


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return ogive.source(PROGRAM).models


def droppers(net: nn.Module) -> list[nn.Dropout]:
    return [each for each in net.modules() if isinstance(each, nn.Dropout)]


def ran(net: nn.Module, args: tuple[Tensor, ...], **more: Any) -> Tensor:
    torch.manual_seed(0)
    made: Tensor = net(*args, **more)
    return made


@pytest.mark.parametrize("name", [f"M{number}" for number in range(1, 10)])
def test_dropout_is_found_and_changed(name: str, models: dict[str, Model]) -> None:
    of = models[name]
    net, args = of.torch().train(), inputs(of.ir)
    found = droppers(net)
    assert found
    assert all(each.p > 0 or name == "M6" for each in found)
    assert set(net.state_dict()) == set(of.weights)
    assert not torch.equal(ran(net, args), ran(net.eval(), args))
    net.train()
    for each in found:
        each.p = 0.0
    torch.testing.assert_close(ran(net, args), ran(net.eval(), args))
    net.train()
    for each in found:
        each.p = 0.9
        each.eval()  # also alone
    torch.testing.assert_close(ran(net, args), ran(net.eval(), args))


def test_the_rates_are_those_of_the_source(models: dict[str, Model]) -> None:
    rates = {name: sorted({each.p for each in droppers(of.torch())}) for name, of in models.items()}
    assert rates["M1"] == [0.3]
    assert rates["M2"] == [0.25, 0.5]
    assert rates["M3"] == [0.4]
    assert rates["M4"] == [0.25, 0.5]
    assert rates["M6"] == [0.2, 0.4]


def test_a_rate_that_no_module_can_have_is_that_of_a_function() -> None:
    model = ogive.source(f"{PROGRAM}model M10 = Bares[d=4]").models["M10"]
    net = model.torch()
    assert "F.dropout(" in model.torch_source()
    assert [each.p for each in droppers(net)] == [0.5]
    assert ran(net, inputs(model.ir)).isfinite().all()


def test_modules_of_dropout_draw_from_the_generator_of_the_model(models: dict[str, Model]) -> None:
    of = models["M7"]
    net, args = of.torch().train(), inputs(of.ir)

    def seeded(number: int) -> Tensor:
        return ran(net, args, generator=torch.Generator().manual_seed(number))

    torch.testing.assert_close(seeded(3), seeded(3))
    assert not torch.equal(seeded(3), seeded(4))
    assert type(droppers(net)[0]) is not nn.Dropout


def test_attention_stays_fused(models: dict[str, Model]) -> None:
    text = models["M5"].torch_source()
    assert "F.scaled_dot_product_attention" in text
    assert "self.dropout.p if self.dropout.training else 0.0" in text
