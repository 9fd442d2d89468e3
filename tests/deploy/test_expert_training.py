"""Experts beside what else happens in a training loop: accumulation, loss scaling, clipping, averages, ranks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

import ogive
from ogive.model import DeployedModel
from training.processes import leave

TEXT = """use std.nn (Linear, LayerNorm)

block MLP[d](x: [*b, d]) -> [*b, d]:
    return x |> Linear[d, 2 * d] as fc |> gelu |> Linear[2 * d, d] as proj

block Net[d](x: [b, n, d]) -> [b, n, d]:
    repeat 2 as h:
        x = x + (x |> LayerNorm as norm |> MLP as mlp)
    return x

model M = Net[d=4]
"""


@cache
def model(warmup: int = 0) -> DeployedModel:
    """Four experts."""
    return ogive.source(TEXT).models["M"].deploy(f"expert_average[experts=4, share=0.3, warmup={warmup}]")


def fresh(warmup: int = 0) -> nn.Module:
    """A net whose experts are equal."""
    torch.manual_seed(0)
    return model(warmup).fresh().train()


def after_step(net: nn.Module) -> Callable[..., None]:
    """What the net does after a step."""
    found: Callable[..., None] = net.__getattribute__("after_step")
    return found


def hooked(net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """The one line of the user."""
    optimizer.register_step_post_hook(lambda *_: after_step(net)())


def experts(net: nn.Module) -> Tensor:
    """The first map of the first block."""
    return net.get_parameter("h.0.mlp.fc.weight")


def spread(weight: Tensor) -> float:
    """How far experts are from their mean."""
    return float((weight - weight.mean(0)).detach().norm())


def loss(net: nn.Module, seed: int) -> Tensor:
    """A loss on random tokens."""
    x = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(seed))
    found: Tensor = ((net(x) - x.flip(1)) ** 2).mean()
    return found


def test_the_hook_is_the_same_as_the_call() -> None:
    nets = fresh(), fresh()
    for at, net in enumerate(nets):
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
        if at:
            hooked(net, optimizer)
        torch.manual_seed(1)
        for seed in range(3):
            optimizer.zero_grad()
            torch.autograd.backward(loss(net, seed))
            optimizer.step()
            if not at:
                after_step(net)()
    assert spread(experts(nets[0])) > 0
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))


def test_parameters_stay_the_same_objects_and_go_on_learning() -> None:
    net = fresh()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    hooked(net, optimizer)
    ids = [id(weight) for weight in net.parameters()]
    for seed in range(3):
        before = experts(net).detach().clone()
        optimizer.zero_grad()
        torch.autograd.backward(loss(net, seed))
        optimizer.step()
        assert not torch.equal(before, experts(net))
    assert ids == [id(weight) for weight in net.parameters()]
    assert ids == [id(weight) for group in optimizer.param_groups for weight in group["params"]]


def test_accumulation_averages_once_for_each_step() -> None:
    net = fresh(warmup=10)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    hooked(net, optimizer)
    for step in range(3):
        optimizer.zero_grad()
        for part in range(4):
            torch.autograd.backward(loss(net, 4 * step + part) / 4)
        optimizer.step()
    assert int(net.get_buffer("h.0.mlp.averaged")) == 3


@pytest.mark.parametrize("warmup", [0, 4])
def test_the_share_grows_in_a_line_and_survives_a_checkpoint(warmup: int) -> None:
    net = fresh(warmup)
    with torch.no_grad():
        experts(net).add_(torch.randn_like(experts(net)))
    for step in range(1, 7):
        if step == 3:  # a run that is taken up again
            state, net = copy.deepcopy(net.state_dict()), fresh(warmup)
            net.load_state_dict(state)
        before, mean = spread(experts(net)), experts(net).detach().mean(0)
        after_step(net)()
        share = 0.3 * min(1.0, step / warmup) if warmup else 0.3
        assert spread(experts(net)) == pytest.approx(before * (1 - share * 4 / 3), rel=1e-5)
        torch.testing.assert_close(experts(net).mean(0), mean, rtol=1e-5, atol=1e-6)


def test_a_step_that_the_loss_scaler_skips_averages_nothing() -> None:
    net = fresh(warmup=10)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    hooked(net, optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    counts = []
    for step in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(net, step)
        torch.autograd.backward(scaler.scale(value * (float("inf") if step == 1 else 1.0)))
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        before = experts(net).detach().clone()
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(before, experts(net)) == (step == 1)
        counts.append(int(net.get_buffer("h.0.mlp.averaged")))
    assert counts == [1, 1, 2]


def test_clipping_comes_before_the_step_and_averaging_after_it() -> None:
    net, other = fresh(), fresh()
    for at, one in enumerate((net, other)):
        optimizer = torch.optim.SGD(one.parameters(), lr=1.0)
        torch.manual_seed(1)
        torch.autograd.backward(loss(one, 0))
        norm = torch.nn.utils.clip_grad_norm_(one.parameters(), 1e-3)
        assert norm > 1e-3
        if at:
            hooked(one, optimizer)
        optimizer.step()
    after_step(net)()
    torch.testing.assert_close(experts(net), experts(other), rtol=0, atol=0)


def test_a_moving_average_of_averaged_experts_is_that_of_their_mean() -> None:
    net = fresh()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    hooked(net, optimizer)
    mean = AveragedModel(net, avg_fn=lambda old, new, _: (old + new) / 2)
    mean.update_parameters(net)
    wanted = experts(net).detach().mean(0)
    for seed in range(4):
        optimizer.zero_grad()
        torch.autograd.backward(loss(net, seed))
        optimizer.step()
        mean.update_parameters(net)  # after the hook has run
        wanted = 0.5 * wanted + 0.5 * experts(net).detach().mean(0)
    moved = mean.module
    assert isinstance(moved, nn.Module)
    torch.testing.assert_close(experts(moved).mean(0), wanted)
    used = model().deploy("merge_experts")
    plain = used.torch().eval()
    plain.load_state_dict(used.convert(moved))
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(plain(x), moved.eval()(x), rtol=1e-5, atol=1e-6)


def rank(number: int, store: str, out: str) -> None:
    """One process of two: its own tokens, its own permutations, fewer tokens than experts."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=2)
    net = fresh(warmup=2)
    parallel = DistributedDataParallel(net)
    optimizer = torch.optim.AdamW(parallel.parameters(), lr=0.01)
    hooked(net, optimizer)
    torch.manual_seed(100 + number)
    for _ in range(4):
        optimizer.zero_grad()
        torch.autograd.backward((parallel(torch.randn(1, 3, 4)) ** 2).mean())
        optimizer.step()
    torch.save(net.state_dict(), f"{out}/{number}.pt")
    leave()


@pytest.mark.slow
def test_ranks_hold_the_same_experts(tmp_path: Path) -> None:
    context = mp.get_context("spawn")
    running = [context.Process(target=rank, args=(n, str(tmp_path / "store"), str(tmp_path))) for n in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
        assert process.exitcode == 0
    states = [torch.load(tmp_path / f"{n}.pt") for n in range(2)]
    assert spread(states[0]["h.0.mlp.fc.weight"]) > 0
    assert int(states[0]["h.0.mlp.averaged"]) == 4
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
