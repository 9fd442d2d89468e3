"""What training asks of a module: activation checkpoints, groups of weights that decay, types, statics for a log."""

from __future__ import annotations

import copy
import inspect
import io
import json
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ogive
from ogive.backends.pytorch.module.module import build
from ogive.backends.pytorch.module.training import checkpointed
from pytorch import test_checkpoint
from pytorch.catalog import inputs, model, names

SAMPLE = ("gpt2:Tiny", "resnet:Tiny", "moe:Tiny", "repeat:Ne", "taps:Tt", "misc:Stacked", "lstm_tagger:Tiny")


def step(net: Any, args: Any, **more: Any) -> list[Tensor | None]:
    """Results, gradients, states, and what is drawn next, after a step in training."""
    torch.manual_seed(1)
    out = net.train()(*args, **more)
    out = out if isinstance(out, tuple) else (out,)
    total = sum((y.sin().sum() for y in out if y.is_floating_point()), torch.zeros(()))
    if total.requires_grad:
        total.backward()
    return [*out, *(x.grad for x in net.parameters()), *net.buffers(), torch.get_rng_state()]


def same(found: list[Tensor | None], wanted: list[Tensor | None]) -> None:
    for x, y in zip(found, wanted, strict=True):
        assert (x is None and y is None) or (x is not None and y is not None and torch.equal(x, y))


def checkpoints_change_nothing(name: str) -> None:
    torch.manual_seed(0)
    net: Any = build(model(name))
    other, args = copy.deepcopy(net), inputs(model(name))
    other.gradient_checkpointing_enable()
    same(step(other, args), step(net, args))
    other.gradient_checkpointing_disable()
    assert not any("forward" in vars(module) for module in other.modules())


@pytest.mark.parametrize("name", SAMPLE)
def test_gradients_are_the_same_bit_by_bit(name: str) -> None:
    checkpoints_change_nothing(name)


@pytest.mark.slow
def test_so_they_are_for_all_models_with_blocks() -> None:
    have = [name for name in names() if name not in SAMPLE and checkpointed(build(model(name), device="meta"))]
    assert len(have) > 30
    for name in have:
        checkpoints_change_nothing(name)


@pytest.mark.parametrize("name", ["norms of a loop", "states of iterations", "draws of a loop"])
def test_states_move_once_and_generators_draw_the_same(name: str) -> None:
    net: Any = test_checkpoint.model(name).torch().double()
    takes = "generator" in inspect.signature(net.forward).parameters
    other, x = copy.deepcopy(net), torch.randn(5, 4, dtype=torch.float64)
    other.gradient_checkpointing_enable()
    found = []
    for each in (other, net):
        more = {"generator": torch.Generator().manual_seed(2)} if takes else {}
        found.append([*step(each, (x,), **more), *(g.get_state() for g in more.values())])
    same(*found)


def kept(net: nn.Module, args: Any) -> int:
    """The numbers that a step keeps for the way back."""
    held: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        made = net(*args)
    assert made.requires_grad
    return sum(held.values())


def test_less_is_kept() -> None:
    net: Any = ogive.load("examples/gpt2.arch").models["Tiny"].torch()
    ids = (torch.randint(64, (4, 16)),)
    plain = kept(net, ids)
    net.gradient_checkpointing_enable()
    assert kept(net, ids) < plain / 2
    assert [type(block).__name__ for block in checkpointed(net)] == ["GPTLayer"] * 2
    with torch.no_grad():
        assert not net(*ids).requires_grad


def test_it_compiles_whole_and_is_copied() -> None:
    net: Any = ogive.load("examples/gpt2.arch").models["Tiny"].torch()
    ids = torch.randint(64, (2, 16))
    wanted = step(copy.deepcopy(net), (ids,))
    net.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    twin = copy.deepcopy(net)
    assert twin.h[0].forward.module is twin.h[0]
    again = pickle.loads(pickle.dumps(net))
    assert again.h[1].forward.module is again.h[1]
    assert list(again.state_dict()) == list(net.state_dict())
    same(step(again, (ids,)), wanted)
    torch._dynamo.reset()
    run = torch.compile(twin, fullgraph=True, backend="aot_eager")
    for x, y in zip(step(run, (ids,)), wanted, strict=True):
        assert x is not None
        assert y is not None
        torch.testing.assert_close(x, y)


def test_iterations_are_found_in_what_wraps_them() -> None:
    net: Any = ogive.load("examples/gpt2.arch").models["Tiny"].torch()
    ids = torch.randint(64, (2, 16))
    wanted = step(copy.deepcopy(net), (ids,))
    net.h[1] = torch.compile(net.h[1], backend="eager")
    net.gradient_checkpointing_enable()
    assert [type(block).__name__ for block in checkpointed(net)] == ["GPTLayer"] * 2
    same(step(net, (ids,)), wanted)


def test_what_has_no_blocks_is_refused() -> None:
    net: Any = build(model("vae:Tiny"), device="meta")
    with pytest.raises(ValueError, match="VAE has neither iterations nor blocks"):
        net.gradient_checkpointing_enable()


DECAYS = """
use std.nn (Linear, Embedding, LayerNorm)
use std.vision (Conv)

block A[d](ids: int[e]) -> [e, d]:
    param position: [e, d] = normal
    param gain: [d, 1, 1] = ones
    param row: [1, d] = ones
    param t: [] = ones
    table = Embedding[9, d]
    x = table(ids) + position
    x = x |> each[e, Linear[d, d, ...]] as experts
    repeat 2 as h:
        param scale: [d] = ones
        x = (x |> LayerNorm as ln |> Linear[d, d] as lin) * scale
    for i in range(2) as stages:
        x = x |> each[e, LayerNorm[d]] as ln
    y = rearrange["e d -> 1 d e 1"](x) |> Conv[d, d, 3, pad=1] as conv
    return (rearrange["1 d e 1 -> e d"](y * gain) * row * t) + mean[0](table.weight)

model M = A[d=4, e=5]
"""


def test_matrices_decay_and_nothing_else() -> None:
    net: Any = ogive.source(DECAYS).models["M"].torch()
    net.table_again = net.table  # a tie, which is there once
    net.h[1].lin.weight.requires_grad_(False)
    for each in (net, pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        decaying, others = each.decay_groups(0.1)
        assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
        paths = {x: path for path, x in each.named_parameters()}
        found = {paths[x] for x in decaying["params"]}
        assert found == {"position", "table.weight", "experts.weight", "h.0.lin.weight", "conv.weight"}
        assert {paths[x] for x in others["params"]} == {*paths.values()} - found - {"h.1.lin.weight"}  # it is frozen
        assert len(decaying["params"]) + len(others["params"]) == len(list(each.parameters())) - 1
    optimizer = torch.optim.AdamW(net.decay_groups(0.1), lr=0.1)
    net(torch.tensor([0, 1, 2, 3, 4])).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16, "f16", "f32"])
def test_a_module_in_a_type_is_that_of_meta(kind: Any) -> None:
    text = """
use std.nn (Linear, BatchNorm)
block A[d](x: [b, d]) -> [b, d]:
    init lin.weight = orthogonal
    param c: complex[d] = ones
    state n: int[d] = constant[3]
    return (x |> Linear[d, d] as lin |> BatchNorm[d]) * real(c * conj(c)) * cast[float](n)
model M = A[6]
"""
    of = ogive.source(text).models["M"]
    torch.manual_seed(3)
    direct = of.torch(dtype=kind)
    net: Any = of.torch("meta", dtype=kind).to_empty(device="cpu")
    torch.manual_seed(3)
    net.init_weights()
    for (path, x), y in zip(direct.state_dict().items(), net.state_dict().values(), strict=True):
        assert x.dtype == y.dtype, path
        assert torch.equal(x, y), path
    weight = direct.get_parameter("lin.weight").detach().double()
    assert weight.dtype != kind or torch.allclose(weight @ weight.mT, torch.eye(6).double(), atol=1e-6)
    assert direct.get_buffer("n").dtype == torch.int64
    assert direct.get_parameter("c").is_complex()


def test_a_type_that_is_none_is_refused() -> None:
    of = ogive.load("examples/mlp.arch").models["Tiny"]
    for wrong in (torch.int64, "float", 3):
        with pytest.raises(ogive.ArchError):
            of.torch(dtype=wrong)  # type: ignore[arg-type]


def test_statics_are_plain_data() -> None:
    program = ogive.load("examples/gpt2.arch")
    assert program.models["Tiny"].statics == {"vocab": 64, "context": 16, "d": 16, "heads": 2, "depth": 2}
    assert program.models["Tiny"].deploy("fold").statics == program.models["Tiny"].statics
    text = """
block A[d, widths=[3], F=relu, p=0.5, on=true](x: [b, d]) -> [b, d]:
    return x |> F |> dropout[p]
model M = A[d=4, widths=[8, 16], F=tanh]
"""
    of = ogive.source(text).models["M"]
    assert json.loads(json.dumps(of.statics)) == of.statics
    assert of.statics == {"d": 4, "widths": [8, 16], "F": "tanh", "p": 0.5, "on": True}
    of.statics["d"] = 5
    assert of.statics["d"] == 4
    torch.save({"statics": of.statics}, io.BytesIO())
