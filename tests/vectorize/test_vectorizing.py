"""`over`, `each`, `grad`, `custom_grad` and supplied weights against the same written out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import ogive

TEXT = """
use std.nn (Linear)

block Experts[e, d](x: [b, e, c, d]) -> [b, e, c, d]:
    return each[e, Linear[d, 2*d] >> gelu >> Linear[2*d, d]](x)

block Shared[d](x: [b, e, c, d]) -> [b, e, c, d]:
    f = Linear[d, d]
    return over[e, f](x)

block Energy[d](x: [d]) -> []:
    return sum(tanh(Linear[d, d](x)))

block Forces[d](x: [b, d]) -> [b, d]:
    f = Energy[d]
    return over[b, grad[f]](x)

block Norm2[d](x: [d]) -> []:
    f = Energy[d]
    return sum(grad[f](x) ** 2)

block Second[d](x: [d]) -> [d]:
    f = Norm2[d]
    return grad[f](x)

block Ensemble[n, d](x: [b, d]) -> [n, b, d]:
    return each[n, Linear[d, d, ...]](x)

block square(x: [b, d]) -> [b, d]:
    return x * x

block straight(x: [b, d], g: [b, d]) -> [b, d]:
    return 3 * g

block Custom(x: [b, d]) -> [b, d]:
    return custom_grad[square, straight](x)

block LoRA[d, rank](x: [b, d]) -> [b, d]:
    f = Linear[d, d]
    param a: [d, rank] = normal
    param c: [rank, d] = normal
    return f(x, weight = f.weight + a @ c)

block Hyper[d](x: [b, d], z: [k]) -> [b, d]:
    f = Linear[d, d]
    w = Linear[k, d*d](z)
    return f(x, weight = rearrange["(o i) -> o i", o=d](w))

block Flat[d](x: [b, d], theta: [p]) -> [b, d]
where p == d*d + d:
    f = Linear[d, d]
    return f(x, weights=theta)

model ExpertsM = Experts[e=3, d=4]
model SharedM = Shared[d=4]
model ForcesM = Forces[d=4]
model SecondM = Second[d=4]
model EnsembleM = Ensemble[n=5, d=4]
model CustomM = Custom[]
model LoRAM = LoRA[d=4, rank=2]
model HyperM = Hyper[d=4, k=3]
model FlatM = Flat[d=4]
"""


@pytest.fixture(scope="module")
def program() -> ogive.Program:
    return ogive.source(TEXT)


def built(program: ogive.Program, name: str) -> Any:
    torch.manual_seed(0)
    return program.models[name].torch().double()


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def grads(y: Tensor, *wrt: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(y.square().sum(), wrt)


def test_each_is_a_loop_over_experts_with_weights_of_their_own(program: ogive.Program) -> None:
    net, x = built(program, "ExpertsM"), randn(2, 3, 5, 4)
    state = dict(net.named_parameters())
    assert {name: tuple(w.shape) for name, w in state.items()} == {
        "linear.weight": (3, 8, 4),
        "linear.bias": (3, 8),
        "linear_2.weight": (3, 4, 8),
        "linear_2.bias": (3, 4),
    }
    assert not torch.equal(state["linear.weight"][0], state["linear.weight"][1])
    rows = []
    for e in range(3):
        h = torch.nn.functional.gelu(
            torch.nn.functional.linear(x[:, e], state["linear.weight"][e], state["linear.bias"][e])
        )
        rows.append(torch.nn.functional.linear(h, state["linear_2.weight"][e], state["linear_2.bias"][e]))
    by_hand = torch.stack(rows, 1)
    torch.testing.assert_close(net(x), by_hand)
    for ours, theirs in zip(grads(net(x), x, *state.values()), grads(by_hand, x, *state.values()), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_over_shares_its_weights(program: ogive.Program) -> None:
    net, x = built(program, "SharedM"), randn(2, 3, 5, 4)
    weight, bias = net.f.weight, net.f.bias
    by_hand = torch.stack([torch.nn.functional.linear(x[:, e], weight, bias) for e in range(3)], 1)
    torch.testing.assert_close(net(x), by_hand)
    for ours, theirs in zip(grads(net(x), x, weight), grads(by_hand, x, weight), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_gradient_of_a_block_is_autograds(program: ogive.Program) -> None:
    net, x = built(program, "ForcesM"), randn(6, 4)
    energy = torch.tanh(net.f.linear(x)).sum()
    (by_hand,) = torch.autograd.grad(energy, x, create_graph=True)
    torch.testing.assert_close(net(x), by_hand)
    for ours, theirs in zip(grads(net(x), x, net.f.linear.weight), grads(by_hand, x, net.f.linear.weight), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_gradients_nest(program: ogive.Program) -> None:
    net, x = built(program, "SecondM"), randn(4)
    (first,) = torch.autograd.grad(torch.tanh(net.f.f.linear(x)).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    torch.testing.assert_close(net(x), second)


def test_an_ensemble_over_one_input(program: ogive.Program) -> None:
    net, x = built(program, "EnsembleM"), randn(2, 4)
    by_hand = torch.einsum("noi,bi->nbo", net.linear.weight, x) + net.linear.bias[:, None]
    torch.testing.assert_close(net(x), by_hand)


def test_a_derivative_of_ones_own(program: ogive.Program) -> None:
    net, x = built(program, "CustomM"), randn(2, 4)
    torch.testing.assert_close(net(x), x * x)
    (g,) = torch.autograd.grad(net(x).sum(), x)
    torch.testing.assert_close(g, torch.full_like(x, 3.0))


def test_a_weight_from_an_expression(program: ogive.Program) -> None:
    net, x = built(program, "LoRAM"), randn(2, 4)
    weight = net.f.weight + net.a @ net.c
    torch.testing.assert_close(net(x), torch.nn.functional.linear(x, weight, net.f.bias))


def test_a_weight_that_every_call_supplies_is_not_stored(program: ogive.Program) -> None:
    net, x, z = built(program, "HyperM"), randn(2, 4), randn(3)
    assert set(net.state_dict()) == {"f.bias", "linear.weight", "linear.bias"}
    assert program.models["HyperM"].parameters == sum(p.numel() for p in net.parameters())
    torch.testing.assert_close(net(x, z), torch.nn.functional.linear(x, net.linear(z).view(4, 4), net.f.bias))


def test_all_weights_from_one_flat_axis(program: ogive.Program) -> None:
    net, x, theta = built(program, "FlatM"), randn(2, 4), randn(20)
    assert not net.state_dict()
    torch.testing.assert_close(net(x, theta), torch.nn.functional.linear(x, theta[:16].view(4, 4), theta[16:]))
    with pytest.raises(ValueError, match="p =="):
        net(x, randn(21))


@pytest.mark.parametrize("name", ["ExpertsM", "SharedM", "EnsembleM", "LoRAM"])
def test_one_graph_for_the_compiler(program: ogive.Program, name: str) -> None:
    net = built(program, name)
    x = randn(2, 4) if name in ("EnsembleM", "LoRAM") else randn(2, 3, 5, 4)
    compiled: Any = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), net(x))
