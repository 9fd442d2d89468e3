"""`custom_grad` inside of what `grad` derives, in eager mode and compiled."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import ogive

TEXT = """
block half(x: [n]) -> [n]:
    return sin(x)

block back(x: [n], g: [n]) -> [n]:
    return 3 * g * x

block Energy(x: [n]) -> []:
    return sum(custom_grad[half, back](x) ** 2)

block same(x: [n]) -> [n]:
    return x

block Turned(x: [n]) -> [n]:
    return custom_grad[same, back](x)

block Slope(x: [n]) -> []:
    return sum(grad[Energy](x))

block First(x: [n]) -> [n]:
    return grad[Energy](x)

block Second(x: [n]) -> [n]:
    return grad[Slope](x)

model M1 = First
model M2 = Second
model M3 = Turned
"""


class Half(torch.autograd.Function):
    """The same in torch, by `autograd.grad`."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return torch.as_tensor(3 * grads[0] * x)


def by_hand(x: Tensor, order: int) -> Any:
    x = x.detach().requires_grad_()
    y: Tensor = (Half.apply(x) ** 2).sum()  # type: ignore[no-untyped-call]
    slope = x
    for _ in range(order):
        (slope,) = torch.autograd.grad(y, x, create_graph=True)
        y = slope.sum()
    found: Tensor = slope.detach()
    return found


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_derivative_of_ones_own_is_derived_through(order: int, compiled: bool) -> None:
    net = ogive.source(TEXT).models[f"M{order}"].torch().double()
    run = torch.compile(net, backend="eager") if compiled else net
    x = torch.randn(5, dtype=torch.float64)
    torch.testing.assert_close(run(x), by_hand(x, order))
    x.requires_grad_()
    (more,) = torch.autograd.grad(run(x).sum(), x)
    torch.testing.assert_close(more, by_hand(x, order + 1))


def test_a_block_that_gives_its_operand_back() -> None:
    net = ogive.source(TEXT).models["M3"].torch().double()
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(net(x).sum(), x)
    torch.testing.assert_close(g, 3 * x.detach())
