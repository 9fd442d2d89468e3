"""The laws of experts that are averaged: partition, gradients, means, and the way back to the plain model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ogive.backends.convert.averaging import Averaging, stacked_paths
from ogive.backends.convert.run import convert
from ogive.backends.pytorch.module import build
from ogive.compiler.ir import Model
from ogive.compiler.passes.deploy_flat import deployed
from ogive.compiler.passes.deploy_passed import PassError
from ogive.compiler.passes.expert_average import averaged, expert_average
from ogive.compiler.program import check_text
from ogive.compiler.verify import verify

TEXT = """use std.nn (Linear, LayerNorm, BatchNorm)

block MLP[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, 2*d] as fc |> gelu |> Linear[2*d, d] as proj

block Normed[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d] |> BatchNorm

block Net[d](x: [b, n, d]) -> [b, n, d]:
    repeat 2 as h:
        x = x + (x |> LayerNorm as norm |> MLP as mlp)
    return x

block Other[d](x: [b, d]) -> [b, d]:
    return x |> Normed

model M = Net[d=4]
model O = Other[d=4]
"""


def ir(name: str = "M") -> Model:
    """A model of the text above."""
    program = check_text(TEXT)
    assert program.ok, program.diagnostics
    return program.models[name].ir


@cache
def pair(experts: int = 4, share: float = 0.3) -> tuple[Model, Model]:
    """The plain model and that with experts."""
    return ir(), expert_average(ir(), experts=experts, share=share).model


def nets(experts: int = 4, share: float = 0.3) -> tuple[nn.Module, nn.Module]:
    """A plain module, and one with experts that are copies of it."""
    plain, trained = pair(experts, share)
    net = build(plain).double()
    passed = expert_average(ir(), experts=experts, share=share)
    other = build(trained).double()
    other.load_state_dict(convert(passed.conversion, net.state_dict(), None))
    return net, other


def stepped(net: nn.Module) -> None:
    """What runs after a step of the optimizer."""
    after: Callable[[], None] = net.__getattribute__("after_step")
    after()


def apart(net: nn.Module, seed: int = 0) -> list[nn.Parameter]:
    """Experts that differ."""
    torch.manual_seed(seed)
    plain, trained = pair()
    known = dict(net.named_parameters())
    found = [known[path] for path in stacked_paths(plain, trained)]
    with torch.no_grad():
        for weight in found:
            weight.add_(torch.randn_like(weight))
    return found


@given(st.integers(1, 3), st.integers(1, 7), st.sampled_from([2, 3, 4, 5]))
@settings(max_examples=40, deadline=None)
def test_equal_experts_are_the_plain_block_for_any_number_of_tokens(b: int, n: int, experts: int) -> None:
    net, other = nets(experts)
    x = torch.randn(b, n, 4, dtype=torch.float64)
    for training in (True, False):
        torch.testing.assert_close(other.train(training)(x), net.train(training)(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("tokens", [1, 2, 4, 7, 8, 9])
def test_each_token_goes_to_one_expert_and_loads_differ_by_one(tokens: int) -> None:
    _, other = nets(4)
    block: Any = other.get_submodule("h.0.mlp")
    with torch.no_grad():
        for weight in block.parameters():
            weight.zero_()
        block.proj.bias.copy_(torch.arange(1.0, 5.0)[:, None].expand(4, 4))
    torch.manual_seed(0)
    y = block.train()(torch.zeros(1, tokens, 4, dtype=torch.float64))[0]
    assert (y == y[:, :1]).all()
    loads = torch.bincount(y[:, 0].long(), minlength=5)[1:]
    assert int(loads.sum()) == tokens
    assert int(loads.max() - loads.min()) <= 1
    torch.manual_seed(0)
    again = block(torch.zeros(1, tokens, 4, dtype=torch.float64))[0]
    torch.testing.assert_close(y, again)


def test_gradients_of_equal_experts_add_up_to_the_plain_gradient() -> None:
    net, other = nets(4)
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    (net.train()(x) ** 2).sum().backward()
    (other.train()(x) ** 2).sum().backward()
    theirs = dict(net.named_parameters())
    for name, weight in other.named_parameters():
        assert weight.grad is not None
        grad = weight.grad.sum(0) if weight.shape != theirs[name].shape else weight.grad
        torch.testing.assert_close(grad, theirs[name].grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75, 1.2])
def test_the_step_keeps_means_and_scales_deviations(share: float) -> None:
    _, other = nets(4, share)
    _, trained = pair(4, share)
    torch.manual_seed(1)
    weights = [dict(other.named_parameters())[path] for path in stacked_paths(ir(), trained)]
    with torch.no_grad():
        for weight in weights:
            weight.add_(torch.randn_like(weight))
    before = [weight.detach().clone() for weight in weights]
    stepped(other)
    rho = 1 - share * 4 / 3
    for old, new in zip(before, weights, strict=True):
        torch.testing.assert_close(new.mean(0), old.mean(0), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(new - new.mean(0), rho * (old - old.mean(0)), rtol=1e-10, atol=1e-10)


def test_the_order_of_experts_does_not_matter() -> None:
    _, other = nets(4)
    weights = apart(other)
    turned = [weight.detach().flip(0) for weight in weights]
    stepped(other)
    hook = Averaging(other, (), 0.3)
    hook.experts = [nn.Parameter(weight) for weight in turned]
    hook.step()
    for weight, mirror in zip(weights, hook.experts, strict=True):
        torch.testing.assert_close(weight, mirror.flip(0))


def test_steps_go_on_after_averaging_with_accumulation_and_warmup() -> None:
    _, other = nets(4)
    plain, trained = pair(4)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    hook = Averaging(other, stacked_paths(plain, trained), share=0.75, warmup=2)
    hook.attach(optimizer)
    ids = [id(weight) for weight in other.parameters()]
    spreads: list[float] = []
    for _ in range(3):
        optimizer.zero_grad()
        for _ in range(2):
            (other.train()(torch.randn(2, 5, 4, dtype=torch.float64)) ** 2).mean().backward()
        before = hook.experts[0].detach().clone()
        optimizer.step()
        assert not torch.equal(before, hook.experts[0])
        spreads.append(float((hook.experts[0] - hook.experts[0].mean(0)).detach().abs().max()))
    assert hook.steps == 3
    assert ids == [id(weight) for weight in other.parameters()]
    assert spreads[0] > 1e-9
    assert spreads[-1] < 1e-12  # a share of (N - 1)/N makes them equal


def test_back_to_the_plain_model() -> None:
    net, other = nets(4)
    plain, trained = pair(4)
    back = averaged(trained, plain)
    same = convert(back, other.state_dict(), None)
    for name, weight in net.state_dict().items():
        torch.testing.assert_close(same[name], weight, rtol=1e-15, atol=1e-15)
    apart(other)
    result = convert(back, other.state_dict(), None)
    assert list(result) == list(net.state_dict())
    net.load_state_dict(result)
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(net.eval()(x), other.eval()(x))


def test_in_use_nothing_is_random_and_the_graph_is_the_plain_one() -> None:
    plain, trained = pair(4)
    used = [node.op for node in deployed(trained).definition.graph.walk()]
    assert not {"permutation", "each", "take"} & set(used)
    assert [op for op in used if op not in ("weight", "mean")] == [
        node.op for node in deployed(plain).definition.graph.walk() if node.op != "weight"
    ]
    verify(trained)


@pytest.mark.parametrize(
    ("name", "options"),
    [("M", {"experts": 1}), ("M", {"share": 2.0}), ("M", {"at": "Nothing"}), ("O", {"at": "Normed"})],
)
def test_refusals(name: str, options: dict[str, object]) -> None:
    with pytest.raises(PassError):
        expert_average(ir(name), **options)  # type: ignore[arg-type]
