"""Models in other types, on other devices, with inputs that lie otherwise in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ogive.backends.pytorch.module.module import build
from pytorch.catalog import inputs, model, names, naming

NAMES = names()
SAMPLE = [
    name if at % 4 == 0 or name == "gnn:Tiny" else pytest.param(name, marks=pytest.mark.slow)
    for at, name in enumerate(NAMES)
]
HALVES = (torch.bfloat16, torch.float16)
TRANSFORMS = ("fno:Tiny", "s4d:Tiny")  # torch has Fourier transforms and complex numbers in whole and double precision


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def net_of(name: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return build(model(name)).to(dtype)


def flat(made: Any) -> list[Tensor]:
    if made is None or isinstance(made, Tensor):
        return [] if made is None else [made]
    return [tensor for each in made for tensor in flat(each)]


def run(net: nn.Module, args: Any, *, training: bool = False) -> list[Tensor]:
    torch.manual_seed(1)
    return flat(copy.deepcopy(net).train(training)(*args))


def cast(args: Any, dtype: torch.dtype) -> list[Tensor]:
    return [x.to(dtype) if x.is_floating_point() else x for x in args]


def trains(net: nn.Module, args: Any) -> None:
    """A step runs, with gradients of the types of their weights."""
    made = [y.float().square().mean() for y in flat(net.train()(*args)) if y.is_floating_point() and y.requires_grad]
    if made:
        torch.autograd.backward(torch.stack(made).sum())
    for weight in net.parameters():
        assert weight.grad is None or weight.grad.dtype == weight.dtype


@pytest.mark.parametrize("name", SAMPLE)
def test_in_other_types(name: str) -> None:
    args = inputs(model(name))
    wanted = run(net_of(name), args)
    for dtype in (torch.float64, *(HALVES if name not in TRANSFORMS else ())):
        net = net_of(name, dtype)
        found = run(net, cast(args, dtype))
        for a, b in zip(found, wanted, strict=True):
            assert a.shape == b.shape
            assert a.dtype == (dtype if b.is_floating_point() else b.dtype)
            bound = 1e-3 if dtype == torch.float64 else 0.1
            if name != "state:V" and b.is_floating_point():  # there the nearest code may be another
                assert (a.float() - b).abs().max() <= bound * (b.abs().max() + 1e-3)
        trains(net, cast(args, dtype))


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.parametrize("dtype", HALVES)
def test_under_autocast(name: str, dtype: torch.dtype) -> None:
    net, args = net_of(name), inputs(model(name))
    wanted = run(net, args)
    with torch.autocast("cpu", dtype):
        found = run(net, args)
        run(net, args, training=True)
        trains(net, args)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        if name != "state:V" and b.is_floating_point():
            assert (a.float() - b).abs().max() <= 0.1 * (b.abs().max() + 1e-3)


def strided(x: Tensor) -> Tensor:
    """The same numbers, every second place in memory and with the axes in the other order."""
    if not x.dim():
        return x
    wide = torch.stack([x, torch.zeros_like(x)], -1).movedim(0, -2).contiguous()[..., 0]
    return wide.movedim(-1, 0)


@pytest.mark.parametrize("name", SAMPLE)
def test_inputs_may_lie_anyhow(name: str) -> None:
    net, args = net_of(name), inputs(model(name))
    others = [strided(x) for x in args]
    assert all(torch.equal(x, y) for x, y in zip(args, others, strict=True))
    for a, b in zip(run(net, others), run(net, args), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    trains(net, [x.requires_grad_() if x.is_floating_point() else x for x in others])


@pytest.mark.parametrize("name", naming(": int["))
def test_numbers_may_be_of_32_bits(name: str) -> None:
    net, args = net_of(name), inputs(model(name))
    others = [x.int() if x.dtype == torch.int64 else x for x in args]
    for a, b in zip(run(net, others), run(net, args), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", SAMPLE)
def test_on_the_meta_device(name: str) -> None:
    net, args = net_of(name), inputs(model(name))
    with torch.device("meta"):
        made = build(model(name))
    weights = net.state_dict()
    assert {key: (x.shape, x.dtype) for key, x in made.state_dict().items()} == {
        key: (x.shape, x.dtype) for key, x in weights.items()
    }
    assert all(x.is_meta for x in made.state_dict().values())
    for training in (False, True):
        wanted = run(net, args, training=training)
        for a, b in zip(run(made, [x.to("meta") for x in args], training=training), wanted, strict=True):
            assert (a.shape, a.dtype, a.is_meta) == (b.shape, b.dtype, True)
    made.to_empty(device="cpu").load_state_dict(weights)
    for a, b in zip(run(made, args), run(net, args), strict=True):
        torch.testing.assert_close(a, b)
