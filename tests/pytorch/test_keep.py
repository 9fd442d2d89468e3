"""Constraints of weights: applied at the start and after every step, also from outside."""

from __future__ import annotations

import pytest
import torch

import ogive
from ogive.api import Model
from ogive.compiler.driver.workspace import check_text

TEXT = """
use std.nn (Linear)

block half(w: [*s]) -> [*s]:
    return 0.5 * tanh(w)

block Inner[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d] as lin

block A[d](x: [b, d]) -> [b, d]:
    keep lin.weight = relu
    keep inner.lin.weight = half
    keep gain = clamp[0.5, 2.0]
    param gain: [d] = normal
    return (x |> Linear[d, d] as lin |> Inner[d] as inner) * gain

model M = A[4]
"""


def test_weights_made_elsewhere_are_kept_too() -> None:
    model = ogive.source(TEXT)["M"]
    assert isinstance(model, Model)
    net = model.torch()

    def holds() -> bool:
        lin, inner, gain = (net.get_parameter(n) for n in ("lin.weight", "inner.lin.weight", "gain"))
        return bool((lin >= 0).all() and (inner.abs() <= 0.5).all() and (gain >= 0.5).all() and (gain <= 2).all())

    assert holds()
    optimizer = torch.optim.SGD(net.parameters(), lr=100.0)
    net(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    assert not holds()
    net.after_step()  # type: ignore[operator]
    assert holds()
    assert bool((net.get_parameter("lin.bias") < 0).any())


def test_a_constraint_that_finds_no_weight_is_an_error() -> None:
    text = TEXT.replace("keep lin.weight", "keep line.weight")
    assert [d.code for d in check_text(text).diagnostics] == ["E0201"]


LOOPS = """
use std.nn (Linear)

block half(w: [*s]) -> [*s]:
    return 0.5 * tanh(w)

## Rows of length 1: not element by element.
block rows(w: [n, d]) -> [n, d]:
    return w / expand["n -> n d", d=d](norm[-1](w) + 1e-6)

block MLP[d](x: [*b, d]) -> [*b, d]:
    repeat 2 as layers:
        x = x |> Linear[d, d] as lin |> tanh
    return x

block A[d](x: [e, d]) -> [e, d]:
    keep h.mlp.layers.lin.weight = relu
    keep h.last.weight = half
    keep stages.linear.bias = clamp[-0.1, 0.1]
    keep experts.weight = rows
    keep Linear.bias = clamp[-0.3, 0.3]
    repeat 3 as h:
        x = x |> MLP[d] as mlp |> Linear[d, d] as last
    for width in [d, d] as stages:
        x = x |> Linear[d, width]
    return x |> each[e, Linear[d, d, ...]] as experts

model M = A[4, e=3]
"""


def test_weights_in_loops_are_kept_in_every_iteration() -> None:
    model = ogive.source(LOOPS)["M"]
    assert isinstance(model, Model)
    net = model.torch()

    def holds() -> bool:
        found = True
        for name, weight in net.named_parameters():
            match name.split("."):
                case [*_, "bias"]:
                    found = found and bool((weight.abs() <= (0.1 if name.startswith("stages") else 0.3)).all())
                case ["h", _, "mlp", *_]:
                    found = found and bool((weight >= 0).all())
                case ["h", _, "last", _]:
                    found = found and bool((weight.abs() <= 0.5).all())
                case ["experts", "weight"]:
                    found = found and bool(((weight.norm(dim=-1) - 1).abs() < 1e-3).all())
        return found

    assert holds()
    optimizer = torch.optim.SGD(net.parameters(), lr=100.0)
    net(torch.randn(3, 4)).square().mean().backward()
    optimizer.step()
    assert not holds()
    net.after_step()  # type: ignore[operator]
    assert holds()


HALF = """
use std.nn (Linear)

block half(w: [*s]) -> [*s]:
    return 0.5 * w

block Inner[d](x: [b, d]) -> [b, d]:
    INNER
    return x |> Linear[d, d] as lin

block A[d](x: [b, d]) -> [b, d]:
    OUTER
    init h.inner.lin.weight = constant[8.0]
    repeat 2 as h:
        x = x |> Inner[d] as inner
    return x

model M = A[4]
"""


@pytest.mark.parametrize("inside", [False, True])
def test_what_may_not_be_done_twice_is_done_once_at_the_start(inside: bool) -> None:
    """Half of a weight is no projection; nor is it where it starts by a block around it."""
    inner, outer = ("keep lin.weight = half", "") if inside else ("", "keep h.inner.lin.weight = half")
    model = ogive.source(HALF.replace("INNER", inner).replace("OUTER", outer))["M"]
    assert isinstance(model, Model)
    net = model.torch()
    weights = [net.get_parameter(f"h.{at}.inner.lin.weight") for at in range(2)]
    for wanted in (4.0, 2.0, 4.0):
        assert all(bool((w == wanted).all()) for w in weights)
        getattr(net, "after_step" if wanted == 4.0 else "init_weights")()


def test_a_weight_that_is_tied_by_hand_is_put_back_once() -> None:
    model = ogive.source(HALF.replace("INNER", "keep lin.weight = half").replace("OUTER", ""))["M"]
    assert isinstance(model, Model)
    net = model.torch()
    first, second = (net.get_submodule(f"h.{at}.inner.lin") for at in range(2))
    second.weight = first.weight
    net.after_step()  # type: ignore[operator]
    assert second.weight is first.weight
    assert first.weight.eq(2.0).all()  # type: ignore[operator]
