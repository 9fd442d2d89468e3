"""Train a Llama on several devices: FSDP2 over some, tensor and sequence parallelism over others.

TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 \\
torchrun --standalone --nproc-per-node 4 --max-restarts 2 scale.py OUT --tensor 2 --sequence

OUT/step-N holds all there is after N steps: weights, optimizer, generators. Where the command starts again, by
`torchrun` after a process died or by you with other devices, it goes on from the last. OUT/model.safetensors comes out.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

import ogive

ARCH = Path(__file__).parents[1] / "llama.arch"
BATCH, LENGTH, SEED = 8, 16, 0


def plan(sequence: bool) -> dict[str, ParallelStyle]:
    """How devices share one layer: some heads and some of the hidden units each, and in between some of the tokens."""
    between = Shard(1) if sequence else Replicate()
    attended = PrepareModuleInput(input_layouts=(between, None, None), desired_input_layouts=(Replicate(), None, None))
    hidden = PrepareModuleInput(input_layouts=(between,), desired_input_layouts=(Replicate(),))
    split, joined = ColwiseParallel(), RowwiseParallel(output_layouts=between)
    styles: dict[str, ParallelStyle] = {
        "embed_tokens": RowwiseParallel(input_layouts=Replicate(), output_layouts=between),
        "layers.*.self_attn": attended,
        "layers.*.self_attn.[qkv]_proj": split,
        "layers.*.self_attn.o_proj": joined,
        "layers.*.mlp": hidden,
        "layers.*.mlp.gate_proj": split,
        "layers.*.mlp.up_proj": split,
        "layers.*.mlp.down_proj": joined,
        "lm_head": ColwiseParallel(input_layouts=between, output_layouts=Replicate()),
    }
    if sequence:
        norm = SequenceParallel(use_local_output=True)
        styles |= {"layers.*.*_layernorm": norm, "norm": norm}
    return styles


def spread(net: Any, mesh: DeviceMesh, args: argparse.Namespace) -> None:
    """Lay a module out over the mesh, in the order that torch asks for."""
    if args.tensor > 1:
        parallelize_module(net, mesh["tensor"], plan(args.sequence))
        # torch 2.13 loses the gradient of a tensor that is still on its way when a compiled layer takes it
        net.embed_tokens.register_forward_hook(lambda module, given, found: found.clone())
    for name, layer in net.layers.named_children():
        if args.compile:
            layer.compile(backend=args.compile, fullgraph=True)
        kept = checkpoint_wrapper(layer) if args.checkpoint_activations else layer
        net.layers.register_module(name, kept)
        fully_shard(kept, mesh=mesh["data"])
    fully_shard(net, mesh=mesh["data"])


def draw(generator: torch.Generator, mesh: DeviceMesh, vocab: int) -> Tensor:
    """The tokens of this device: it draws the whole batch, and takes its part. A loader of yours stands here."""
    first = torch.randint(vocab, (BATCH, 1), generator=generator)
    whole = (first + torch.arange(LENGTH + 1)) % vocab
    return whole.chunk(mesh["data"].size())[mesh["data"].get_local_rank()].to(mesh.device_type)


class State:
    """What a checkpoint holds. It does not depend on the layout, so any other can read it."""

    def __init__(
        self, net: nn.Module, optimizer: torch.optim.Optimizer, generators: dict[str, torch.Generator]
    ) -> None:
        self.net = net
        self.optimizer = optimizer
        self.generators = generators

    def save(self, path: Path) -> None:
        """Write a folder; its file `.metadata` comes last."""
        net, optimizer = get_state_dict(self.net, self.optimizer)
        states = {name: each.get_state() for name, each in self.generators.items()}
        dcp.save({"net": net, "optimizer": optimizer, "generators": states}, checkpoint_id=path)

    def load(self, path: Path) -> None:
        """Read it, each device what it needs; one that was not there before keeps its generators."""
        net, optimizer = get_state_dict(self.net, self.optimizer)
        held = dcp.FileSystemReader(path).read_metadata().state_dict_metadata
        there = {name: each for name, each in self.generators.items() if f"generators.{name}" in held}
        states = {name: each.get_state() for name, each in there.items()}
        dcp.load({"net": net, "optimizer": optimizer, "generators": states}, checkpoint_id=path)
        set_state_dict(self.net, self.optimizer, model_state_dict=net, optim_state_dict=optimizer)
        for name, each in there.items():
            each.set_state(states[name])


def last(out: Path) -> int:
    """The number of steps of the last checkpoint that is whole; 0 without one."""
    return max((int(path.parent.name.partition("-")[2]) for path in out.glob("step-*/.metadata")), default=0)


def options(argv: list[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--arch", type=Path, default=ARCH, help="a file with a block like Llama of llama.arch")
    parser.add_argument("--model", default="Tiny")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--save-every", type=int, default=2, metavar="STEPS")
    parser.add_argument("--tensor", type=int, default=1, metavar="N", help="devices that share one layer")
    parser.add_argument("--sequence", action="store_true", help="they share the tokens between layers too")
    parser.add_argument("--checkpoint-activations", action="store_true", help="compute layers again on the way back")
    parser.add_argument("--compile", metavar="BACKEND", help="compile each layer, by `inductor` for example")
    parser.add_argument(
        "--kill", type=int, metavar="STEP", help="the last process dies there once, to see what happens"
    )
    return parser.parse_args(argv)


def train(args: argparse.Namespace, device: str) -> dict[str, Any]:
    """The whole weights, on the first device, after all steps; it goes on from the last checkpoint."""
    shape = (dist.get_world_size() // args.tensor, args.tensor)
    mesh = init_device_mesh(device, shape, mesh_dim_names=("data", "tensor"))
    head = dist.get_rank() == 0
    torch.manual_seed(SEED)
    net: Any = ogive.load(args.arch).models[args.model].torch("meta")
    vocab = net.embed_tokens.num_embeddings
    spread(net, mesh, args)
    net.to_empty(device=device)
    net.init_weights()  # on every layout the same
    optimizer = torch.optim.AdamW(net.decay_groups(0.1), lr=1e-2, foreach=False)  # `foreach` takes one mesh alone

    # devices that hold the same numbers must drop the same of them
    stream = dist.get_rank() if args.sequence else mesh["data"].get_local_rank()
    torch.manual_seed(SEED + 1 + stream)
    batches = torch.Generator().manual_seed(SEED)
    dropout = (
        torch.cuda.default_generators[torch.cuda.current_device()] if device == "cuda" else torch.default_generator
    )
    state = State(net, optimizer, {"batches": batches, f"dropout.{stream}": dropout})
    step = last(args.out)
    if step:
        state.load(args.out / f"step-{step}")
    if head:
        print(f"starts after step {step}", flush=True)
    while step < args.steps:
        ids = draw(batches, mesh, vocab)
        loss = F.cross_entropy(net(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        mean = loss.detach() / mesh["data"].size()
        dist.all_reduce(mean, group=mesh["data"].get_group())
        if head:
            print(f"step {step}: loss {mean.item():.3f}", flush=True)
        if step == args.kill and dist.get_rank() == dist.get_world_size() - 1:
            die_once()
        if step % args.save_every == 0 or step == args.steps:
            state.save(args.out / f"step-{step}")
    return get_model_state_dict(net, options=StateDictOptions(full_state_dict=True, cpu_offload=True))


def die_once() -> None:
    """As if the machine had failed; not after `torchrun` has started it again."""
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        os.kill(os.getpid(), signal.SIGKILL)


def main(argv: list[str] | None = None) -> None:
    """Train, and write what came out."""
    args = options(argv)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group()
    weights = train(args, device)
    if dist.get_rank() == 0:
        ogive.load(args.arch).models[args.model].save_weights(args.out / "model.safetensors", weights)
    dist.barrier()
    dist.destroy_process_group()
    time.sleep(0.1)  # a thread of gloo (torch 2.13) that still lets go of a tensor while Python ends aborts it


if __name__ == "__main__":
    main()
