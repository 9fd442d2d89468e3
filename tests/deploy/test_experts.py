"""The laws of experts that are averaged: partition, gradients, means, and the way back to the plain model."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ogive.backends.pytorch.module.file import emit
from ogive.backends.pytorch.module.module import build
from ogive.backends.weight_conversion.run import convert
from ogive.compiler.analysis.cost.report import multiply_adds
from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from ogive.compiler.ir_text.printer import text
from ogive.compiler.ir_text.reader import read
from ogive.compiler.ir_tools.verify import verify
from ogive.compiler.passes.cleanup.deploy_flatten import deployed
from ogive.compiler.passes.conversion.result import Passed, PassError
from ogive.compiler.passes.experts.average import expert_average, merge_experts
from ogive.compiler.passes.experts.partition import PARTITIONS
from ogive.compiler.passes.weight_folding.driver import fold

TEXT = """use std.nn (Linear, LayerNorm, BatchNorm)

block MLP[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, 2*d] as fc |> gelu |> Linear[2*d, d] as proj

block Normed[d](x: [b, d]) -> [b, d]:
    return x |> Linear[d, d] |> BatchNorm

block Net[d](x: [b, n, d]) -> [b, n, d]:
    repeat 2 as h:
        x = x + (x |> LayerNorm as norm |> MLP as mlp)
    return x

block Pair[d](x: [b, n, d]) -> [b, n, d]:
    x = x + (x |> Layer as a)
    repeat 2 as h:
        x = x + (x |> LayerNorm as norm |> MLP as mlp)
    return x

block Layer[d](x: [b, n, d]) -> [b, n, d]:
    return x |> LayerNorm as norm |> MLP as mlp

block TiedNet[d](x: [b, n, d]) -> [b, n, d]:
    mlp = MLP[d]
    return einsum["b n d, e d, e f -> b n f"](mlp(x), mlp.fc.weight, mlp.fc.weight)

block Frozen[d](x: [b, n, d]) -> [b, n, d]:
    param w: [d, d] = normal
    return einsum["b n d, e d -> b n e"](x, stop_gradient(w))

block Tied[d](x: [b, n, d]) -> [b, n, d]:
    param w: [d, d] = normal
    lin = Linear[d, d]
    return lin(x, weight = w + w)

block Kept[d](x: [b, n, d]) -> [b, n, d]:
    lin = Linear[d, d]
    keep lin.weight = relu
    return lin(x)

block FrozenNet[d](x: [b, n, d]) -> [b, n, d]:
    return x |> Frozen

block SuppliedNet[d](x: [b, n, d]) -> [b, n, d]:
    return x |> Tied

block KeptNet[d](x: [b, n, d]) -> [b, n, d]:
    return x |> Kept

block Phased[d](x: [b, n, d]) -> [b, n, d]:
    param w: [d, d] = normal
    if training:
        y = x @ w
    else:
        y = x @ (w + w)
    return y

block PhasedNet[d](x: [b, n, d]) -> [b, n, d]:
    return x |> Phased as mlp

block Half(x: [*b, d]) -> [*b, d]:
    return x * 0.5

block Deep[d](x: [n, d]) -> [n, d]:
    repeat 2 as layers:
        x = x |> Linear[d, d] as lin |> relu
    return x

block DeepNet[d](x: [n, d]) -> [n, d]:
    return x |> Deep

block Halves[d](x: [n, d]) -> [n, d]:
    h = Half
    repeat 2 as g:
        x = x |> Half as half |> h |> MLP as mlp
    return x

block Rows[d](x: [n, d]) -> [n, d]:
    return x |> MLP

block Other[d](x: [b, d]) -> [b, d]:
    return x |> Normed

model M = Net[d=4]
model O = Other[d=4]
model P = Pair[d=4]
model T = TiedNet[d=4]
model F = FrozenNet[d=4]
model S = SuppliedNet[d=4]
model K = KeptNet[d=4]
model R = Rows[d=4]
model Q = PhasedNet[d=4]
model H = Halves[d=4]
model D = DeepNet[d=4]
"""


@cache
def ir(name: str = "M") -> Model:
    """A model of the text above."""
    program = check_text(TEXT)
    assert program.ok, [d.message for d in program.diagnostics]
    return program.models[name].ir


@cache
def pair(experts: int = 4, share: float = 0.3) -> tuple[Model, Model]:
    """The plain model and that with experts."""
    return ir(), passed_with(experts, share, "all").model


@cache
def passed_with(experts: int, share: float, partition: str) -> Passed:
    """The pass on the model above."""
    return expert_average(ir(), experts=experts, share=share, partition=partition)


def nets(experts: int = 4, share: float = 0.3, partition: str = "all") -> tuple[nn.Module, nn.Module]:
    """A plain module, and one with experts that are copies of it."""
    passed = passed_with(experts, share, partition)
    net, other = build(ir()).double(), build(passed.model).double()
    other.load_state_dict(convert(passed.conversion, net.state_dict(), None))
    return net, other


def stepped(net: nn.Module) -> None:
    """What runs after a step of the optimizer."""
    after: Callable[[], None] = net.__getattribute__("after_step")
    after()


def stacked(net: nn.Module) -> list[nn.Parameter]:
    """The parameters that hold experts on their first axis."""
    return [weight for name, weight in net.named_parameters() if ".mlp." in name]


def apart(net: nn.Module, seed: int = 0) -> list[nn.Parameter]:
    """Experts that differ."""
    torch.manual_seed(seed)
    found = stacked(net)
    with torch.no_grad():
        for weight in found:
            weight.add_(torch.randn_like(weight))
    return found


@given(st.integers(1, 3), st.integers(1, 7), st.sampled_from([2, 3, 4, 5]), st.sampled_from(PARTITIONS))
@settings(max_examples=60, deadline=None)
def test_equal_experts_are_the_plain_block_for_any_number_of_tokens(b: int, n: int, experts: int, how: str) -> None:
    net, other = nets(experts, partition=how)
    x = torch.randn(b, n, 4, dtype=torch.float64)
    for training in (True, False):
        torch.testing.assert_close(other.train(training)(x), net.train(training)(x), rtol=1e-10, atol=1e-12)


def test_weights_are_read_in_the_phases_of_an_expert_too() -> None:
    passed = expert_average(ir("Q"), at="Phased")
    net, other = build(ir("Q")).double(), build(passed.model).double()
    other.load_state_dict(convert(passed.conversion, net.state_dict(), None))
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    for training in (True, False):
        torch.testing.assert_close(other.train(training)(x), net.train(training)(x), rtol=1e-10, atol=1e-12)


def chosen(net: nn.Module, x: Tensor, seed: int) -> Tensor:
    """The expert of each token: their last biases are their numbers, all else is zero."""
    block: Any = net.get_submodule("h.0.mlp")
    with torch.no_grad():
        for weight in block.parameters():
            weight.zero_()
        block.proj.bias.copy_(torch.arange(4.0)[:, None].expand(4, 4))
    torch.manual_seed(seed)
    y: Tensor = block.train()(x)
    assert (y == y[..., :1]).all()
    return y[..., 0].long()


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 7, 8, 9])
@pytest.mark.parametrize("how", PARTITIONS)
def test_each_token_goes_to_one_expert_and_loads_differ_by_one(tokens: int, how: str) -> None:
    _, other = nets(4, partition=how)
    x = torch.zeros(3, tokens, 4, dtype=torch.float64)
    found = chosen(other, x, 0)
    for group in [found.flatten()] if how == "all" else list(found):
        loads = torch.bincount(group, minlength=4)
        assert int(loads.sum()) == group.numel()
        assert int(loads.max() - loads.min()) <= 1
    torch.testing.assert_close(chosen(other, x, 0), found)


def test_partitions_share_a_permutation_or_not() -> None:
    x = torch.zeros(8, 16, 4, dtype=torch.float64)
    shared, example = (chosen(nets(4, partition=how)[1], x, 1) for how in ("shared", "example"))
    assert (shared == shared[0]).all()
    assert not (example == example[0]).all()
    every = torch.stack([chosen(nets(4)[1], x[:1], seed)[0] for seed in range(200)]).float()
    assert (every.mean(0) - 1.5).abs().max() < 0.4  # no place is bound to an expert


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
    weights = apart(other, 1)
    before = [weight.detach().clone() for weight in weights]
    stepped(other)
    rho = 1 - share * 4 / 3
    for old, new in zip(before, weights, strict=True):
        torch.testing.assert_close(new.mean(0), old.mean(0), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(new - new.mean(0), rho * (old - old.mean(0)), rtol=1e-10, atol=1e-10)


def test_the_order_of_experts_does_not_matter() -> None:
    (_, one), (_, two) = nets(4), nets(4)
    with torch.no_grad():
        for weight, mirror in zip(apart(one), stacked(two), strict=True):
            mirror.copy_(weight.flip(0))
    stepped(one)
    stepped(two)
    for weight, mirror in zip(stacked(one), stacked(two), strict=True):
        torch.testing.assert_close(weight, mirror.flip(0))


def test_a_step_from_equal_experts_moves_their_mean_by_a_share_of_the_plain_step() -> None:
    net, other = nets(4)
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    for module in (net, other):
        (module.train()(x) ** 2).sum().backward()
        torch.optim.SGD(module.parameters(), lr=0.01 if module is net else 0.04).step()
    stepped(other)
    for name, weight in net.named_parameters():
        if ".mlp." in name:
            torch.testing.assert_close(other.get_parameter(name).mean(0), weight, rtol=1e-9, atol=1e-12)


def test_back_to_the_plain_model() -> None:
    net, other = nets(4)
    plain, trained = pair(4)
    back = merge_experts(trained)
    assert [(note.done, note.path) for note in back.notes] == [(True, "MLPExperts")]
    same = convert(back.conversion, other.state_dict(), None)
    for name, weight in net.state_dict().items():
        torch.testing.assert_close(same[name], weight, rtol=0, atol=0)
    apart(other)
    result = convert(back.conversion, other.state_dict(), None)
    assert list(result) == list(net.state_dict())
    assert emit(back.model) == emit(plain)
    assert multiply_adds(back.model) == multiply_adds(plain)
    net.load_state_dict(result)
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(net.eval()(x), other.eval()(x))
    with pytest.raises(PassError, match="no experts"):
        merge_experts(back.model)


def test_in_use_nothing_is_random_and_the_graph_is_the_plain_one() -> None:
    plain, trained = pair(4)
    used = [node.op for node in deployed(trained).definition.graph.walk()]
    assert not {"permutation", "each", "take"} & set(used)
    assert [op for op in used if op not in ("weight", "mean")] == [
        node.op for node in deployed(plain).definition.graph.walk() if node.op != "weight"
    ]


@pytest.mark.parametrize("how", PARTITIONS)
def test_the_graph_holds_together_and_prints(how: str) -> None:
    trained = expert_average(ir(), warmup=5, partition=how).model
    verify(trained)
    assert text(read(text(trained))) == text(trained)
    folded = fold(trained)
    verify(folded.model)
    assert not {node.op for node in folded.model.definition.graph.walk()} & {"mean", "phase", "permutation"}


@pytest.mark.parametrize(
    ("at", "paths"),
    [
        ("MLP", ["a.mlp", "h.*.mlp"]), ("*LP", ["a.mlp", "h.*.mlp"]), ("h.*.mlp", ["h.*.mlp"]), ("a.mlp", ["a.mlp"]),
        ("*.mlp", ["a.mlp"]), (("a.*", "h.*.mlp"), ["a.norm", "a.mlp", "h.*.mlp"]), ("*.*.mlp", ["h.*.mlp"]),
    ],
)  # fmt: skip
def test_blocks_are_chosen_by_name_or_by_path(at: str | tuple[str, ...], paths: list[str]) -> None:
    passed = expert_average(ir("P"), at=at)
    verify(passed.model)
    assert [note.path for note in passed.notes] == paths
    theirs = {info.path: info.shape for info in weights(ir("P"))}
    grown = {info.path for info in weights(passed.model) if info.shape != theirs[info.path]}
    assert grown == {path for path in theirs if any(path.startswith(f"{place}.") for place in paths)}
    build(passed.model).train()(torch.randn(2, 3, 4))


def test_blocks_without_weights_are_left() -> None:
    passed = expert_average(ir("H"), at="*.*.*")
    assert [note.path for note in passed.notes] == ["g.*.mlp", "g.*.mlp.fc", "g.*.mlp.proj"]


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("M", {"experts": 1}, "at least 2"),
        ("M", {"experts": True}, "at least 2"),
        ("M", {"share": 2.0}, "fly apart"),
        ("M", {"warmup": -1}, "number of steps"),
        ("M", {"partition": "shard"}, "did you mean `shared`"),
        ("M", {"at": "Nothing"}, "no block"),
        ("M", {"at": "MPL"}, "did you mean `MLP`"),
        ("M", {"at": "h.0.mlp"}, r"write `h.\*.mlp`"),
        ("M", {"at": "gelu"}, "no block"),
        ("H", {"at": "Half"}, "no block with weights"),
        ("H", {"at": "g.*.half"}, "no block with weights"),
        ("O", {"at": "Normed"}, "states"),
        ("D", {"at": "Deep"}, "holds loops"),
        ("T", {}, "tied"),
        ("F", {"at": "Frozen"}, "frozen"),
        ("S", {"at": "Tied"}, "ties weights"),
        ("R", {"partition": "shared"}, "no axis of examples"),
        ("K", {"at": "Kept"}, "in bounds"),
    ],
)
def test_refusals(name: str, options: dict[str, object], wanted: str) -> None:
    with pytest.raises(PassError) as caught:
        expert_average(ir(name), **options)  # type: ignore[arg-type]
    assert re.search(wanted, f"{caught.value.text} {caught.value.help}")
