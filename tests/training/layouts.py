"""What is compared of modules that are laid out over devices; each function runs in every process."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

import ogive
from training.handwritten_llama import Llama
from training.scripts import script

ARCH = Path(__file__).parents[2] / "examples" / "llama.arch"
Options = tuple[str, ...]
STEPS = 4


@functools.cache
def first() -> nn.Module:
    """A module with the same weights in all processes."""
    torch.manual_seed(0)
    return ogive.load(ARCH).models["Tiny"].torch()


def fresh(dtype: torch.dtype) -> nn.Module:
    """A copy of it, to train."""
    return copy.deepcopy(first()).to(dtype)


def by_hand(net: nn.Module) -> nn.Module:
    """The module written by hand, with the weights of an emitted one."""
    written = Llama().to(next(net.parameters()).dtype)
    written.load_state_dict(net.state_dict())
    return written


def whole(tensor: Tensor | None) -> Tensor:
    """All of what devices hold parts of."""
    assert tensor is not None
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).clone()


def trained(net: nn.Module, rank: int = 0, ranks: int = 1, steps: int = STEPS) -> dict[str, Tensor]:
    """Losses, the gradients of the first step, and the weights after all steps."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, foreach=False)
    generator = torch.Generator().manual_seed(0)
    found = {}
    for step in range(steps):
        ids = torch.randint(97, (8, 17), generator=generator).chunk(ranks)[rank]
        loss = F.cross_entropy(net(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        found[f"loss.{step}"] = loss.detach()
        if step == 0:
            found |= {f"grad.{name}": whole(each.grad) for name, each in net.named_parameters()}
        optimizer.step()
        optimizer.zero_grad()
    weights = get_model_state_dict(net, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    found |= {name: each for name, each in weights.items() if isinstance(each, Tensor)}
    return {name.replace("_checkpoint_wrapped_module.", ""): each for name, each in found.items()}


def spread(net: nn.Module, options: Options) -> DeviceMesh:
    """Lay a module out by the script."""
    scale = script("scale")
    args = scale.options(["nowhere", *options])
    shape = (dist.get_world_size() // args.tensor, args.tensor)
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("data", "tensor"))
    scale.spread(net, mesh, args)
    return mesh


def started(layouts: tuple[Options, ...]) -> None:
    """A module that was made on meta and laid out starts with the bits of one that was made whole."""
    wanted = first().state_dict()
    for options in layouts:
        net: Any = ogive.load(ARCH).models["Tiny"].torch("meta")
        spread(net, options)
        net.to_empty(device="cpu")
        torch.manual_seed(0)
        net.init_weights()
        found: Any = get_model_state_dict(net, options=StateDictOptions(full_state_dict=True))
        assert found.keys() == wanted.keys()
        assert [name for name, each in wanted.items() if not torch.equal(found[name], each)] == [], options


def laid_out(net: nn.Module, options: Options, steps: int = STEPS) -> dict[str, Tensor]:
    """The same, of a module laid out by the script."""
    mesh = spread(net, options)
    found = trained(net, mesh["data"].get_local_rank(), mesh["data"].size(), steps)
    for name in [name for name in found if name.startswith("loss.")]:  # each device has that of its part
        dist.all_reduce(found[name], group=mesh["data"].get_group())
        found[name] /= mesh["data"].size()
    return found


def apart(found: dict[str, Tensor], wanted: dict[str, Tensor], start: str = "") -> float:
    """The largest difference, as a part of the largest number of its tensor."""
    return max(
        ((found[name] - each).abs().max() / each.abs().max()).item()
        for name, each in wanted.items()
        if name.startswith(start)
    )


def compare(layouts: tuple[Options, ...]) -> None:
    """Every layout computes what one process does. Weights are compared in float64: Adam divides by small numbers."""
    single, double = trained(fresh(torch.float32), steps=1), trained(fresh(torch.float64))
    for options in layouts:
        found = laid_out(fresh(torch.float32), options, steps=1)
        assert found.keys() == single.keys()
        for start in ("loss.0", "grad."):
            assert apart(found, single, start) <= 1e-6, (options, start)
        assert apart(laid_out(fresh(torch.float64), options), double) <= 1e-10, options


def compare_by_hand(layouts: tuple[Options, ...]) -> None:
    """The emitted module and the one written by hand give the same bits, in losses, gradients and trained weights."""
    for options in ((), *layouts):
        net = fresh(torch.float32)
        written = by_hand(net)
        one, other = (laid_out(each, options) if options else trained(each) for each in (net, written))
        assert one.keys() == other.keys()
        assert [name for name in one if not torch.equal(one[name], other[name])] == [], options
