"""Programs whose weights start in all ways, and processes that start them sharded."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.multiprocessing.spawn import spawn

import ogive
from ogive.backends.pytorch.module.module import build
from ogive.backends.pytorch.names import MODULE_ATTRIBUTES
from ogive.compiler.ir.model import Model
from ogive.compiler.ir.weights import weights
from pytorch.catalog import model, names
from training.processes import leave

# initializers that read weights, of weights far below in loops, of states; constraints inside and above; ties
FAR = """
use std.nn (Linear, BatchNorm, Embedding)

block half(w: [*s]) -> [*s]:
    return 0.5 * tanh(w)

block R[d](x: [b, d]) -> [b, d]:
    init l.m.lin.weight = orthogonal
    keep top.weight = half
    x = x |> Linear[d, d] as top
    repeat 2 as k:
        x = x |> Linear[d, d] as lin |> BatchNorm[d] as bn
    repeat 2 as l with i in range(2):
        param scale: [d] = constant[i + 0.5]
        x = x * scale
        repeat 3 as m:
            x = x |> Linear[d, d] as lin |> BatchNorm[d] as bn
    return x

block A[d](x: int[b]) -> [b, d]:
    init r.k.bn.running_var = constant[3.0]
    init r.l.m.bn.running_mean = normal[std=d / 8]
    init last.running_var = uniform[1.0, 2.0]
    init r.k.lin.weight = eye + normal[std=0.1]
    keep r.k.lin.bias = relu
    e = Embedding[7, d]
    y = x |> e |> R[d] as r |> BatchNorm[d] as last
    param g: [7] = norm[-1](e.weight)
    return y * sum[0](g)

model M = A[4]
"""
# weights of `each`, of weight norm, orthogonal, with a seed, random states, constraints of whole rows, a size of one
MORE = """
use std.nn (Linear)
use std.reparam (WeightNorm)

block rows(w: [n, d]) -> [n, d]:
    return w / expand["n -> n d", d=d](norm[-1](w) + 1e-6)

block A[d](x: [e, d]) -> [e, d]:
    init mid.weight = orthogonal
    keep experts.weight = rows
    state frozen: [d] = normal
    param fixed: [d, 2] = uniform[0.0, 1.0, seed=3]
    param s: [1] = constant[2.0]
    x = x |> each[e, Linear[d, d, ...]] as experts
    repeat 3 as h:
        x = x |> Linear[d, d] as lin |> WeightNorm[Linear[d, 2 * d]] as wn |> Linear[2 * d, d] as down
    return (x |> Linear[d, d] as mid) * s + frozen + fixed[:, 0]

model M = A[7, e=5]
"""


def spoil(net: nn.Module) -> None:
    """No number stays that a reset could leave where it is."""
    for x in [*net.parameters(), *net.buffers()]:
        x.detach().fill_(float("nan") if x.is_floating_point() or x.is_complex() else x.dtype == torch.bool or 77)


def blockwise(net: nn.Module, mesh: DeviceMesh) -> None:
    """As is usual: each iteration, innermost first, then what is left."""
    for module in reversed(list(net.modules())):
        for each in module if isinstance(module, nn.ModuleList) else ():
            if type(each).forward is not nn.Module.forward and any(True for _ in each.parameters()):
                fully_shard(each, mesh=mesh)
    fully_shard(net, mesh=mesh)


def starts(of: Model, shard: Callable[[nn.Module], object]) -> None:
    """Ranks of other seeds start a sharded module: gathered, it is what the first seed gives, and draws go on apart."""
    rank = distributed.get_rank()
    torch.manual_seed(11)
    direct = build(of).state_dict()
    net: Any = build(of, device="meta")
    shard(net)
    net.to_empty(device="cpu")
    for _ in range(2):
        with torch.no_grad():
            spoil(net)
        torch.manual_seed(11 + rank)
        net.init_weights()
        gathered: dict[str, Tensor] = {
            path: x.full_tensor() if hasattr(x, "full_tensor") else x for path, x in net.state_dict().items()
        }
        assert direct.keys() == gathered.keys()
        for path, x in gathered.items():
            assert torch.equal(direct[path], x), (rank, of.name, path)
        state = torch.get_rng_state()
        if rank > 0 and list(net.parameters()):  # the first goes on from what it drew, the others from where they stood
            assert torch.equal(state, torch.manual_seed(11 + rank).get_state())


def trained(mesh: DeviceMesh, *, again: bool) -> list[Tensor]:
    """Gradients of a sharded module after a step, with activation checkpoints or without."""
    net: Any = ogive.load("examples/gpt2.arch").models["Tiny"].torch("meta")
    if again:
        net.gradient_checkpointing_enable()
    blockwise(net, mesh)
    net.to_empty(device="cpu")
    torch.manual_seed(3)
    net.init_weights()
    net(torch.arange(32).view(2, 16)).sin().sum().backward()
    groups = net.decay_groups(0.1)
    assert [len(group["params"]) for group in groups] == [10, 18]
    torch.optim.AdamW(groups).step()
    return [weight.grad.full_tensor() for weight in net.parameters()]


def small(rank: int) -> None:
    mesh = init_device_mesh("cpu", (2,))
    for text in (FAR, MORE):
        starts(ogive.source(text).models["M"].ir, lambda net: blockwise(net, mesh))
    for x, y in zip(trained(mesh, again=True), trained(mesh, again=False), strict=True):
        assert torch.equal(x, y)


def examples(rank: int) -> None:
    mesh = init_device_mesh("cpu", (2,))
    for name in names():
        of = model(name)
        # FSDP2 refuses weights without axes, and asks for weights as attributes, which those named as methods are not
        named = all(part not in MODULE_ATTRIBUTES for each in weights(of) for part in each.path.split("."))
        learned = any(each.kind == "param" for each in weights(of))  # else nothing is sharded
        if named and learned and all(each.weight.type.axes for each in weights(of)):
            starts(of, lambda net: blockwise(net, mesh))


def replicated(rank: int) -> None:
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))
    starts(ogive.source(MORE).models["M"].ir, lambda net: blockwise(net, mesh))


def tensor_parallel(rank: int) -> None:
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))

    def shard(net: nn.Module) -> None:
        plan = {"h.*.mlp.c_fc": ColwiseParallel(), "h.*.mlp.c_proj": RowwiseParallel()}
        parallelize_module(net, mesh["tensor"], plan)
        blockwise(net, mesh["data"])

    starts(ogive.load("examples/gpt2.arch").models["Tiny"].ir, shard)


def process(rank: int, count: int, port: int, body: Callable[[int], None]) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=count)
    body(rank)
    leave()


def together(count: int, body: Callable[[int], None]) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    spawned: Any = spawn
    spawned(process, (count, port, body), nprocs=count)
