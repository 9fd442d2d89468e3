"""`init_weights` sets all weights as a direct build does: after meta and `to_empty`, and on a trained module."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from transformers import LlamaConfig, LlamaModel

import ogive
from examples.test_blocks import CASES
from examples.test_export import MORE, model_of
from generated.program import program
from generated.text import program_text
from ogive.backends.pytorch.module.module import build
from ogive.compiler.ir.model import Model
from pytorch.catalog import model, names
from pytorch.starts import FAR, spoil

NAMES = names()
EXAMPLES = [name for name in NAMES if name.endswith(":Tiny")]
SAMPLE = ("WeightNorm", "HyperNetwork", "Subspace", "S5", "RelaxedPermutation", "BatchNorm")


def bits(net: nn.Module) -> dict[str, bytes]:
    return {path: x.contiguous().view(-1).numpy().tobytes() for path, x in net.state_dict().items()}


def holds(of: Model) -> Any:
    """A module by way of meta is that of a direct build, with as many numbers drawn, and so it is once more."""
    torch.manual_seed(5)
    direct, after = bits(build(of)), torch.rand(1)
    net: Any = build(of, device="meta")
    assert all(x.is_meta for x in [*net.parameters(), *net.buffers()])
    net.to_empty(device="cpu")
    for module in net.modules():
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        ours = type(module).__module__.startswith("ogive_model_") and type(module).__name__ != "Group"
        assert not (own and ours) or hasattr(module, "reset_parameters")
    for _ in range(2):
        spoil(net)
        torch.manual_seed(5)
        net.init_weights()
        assert bits(net) == direct
        assert torch.equal(torch.rand(1), after)
    return net


@pytest.mark.parametrize("name", EXAMPLES[::3] + [name for name in NAMES if name not in EXAMPLES])
def test_it_is_a_direct_build_bit_by_bit(name: str) -> None:
    holds(model(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in EXAMPLES[::3]])
def test_so_it_is_for_all_examples(name: str) -> None:
    holds(model(name))


@pytest.mark.parametrize("name", SAMPLE)
def test_so_it_is_for_blocks_of_the_library(name: str) -> None:
    holds(model_of(name).ir)


def test_so_it_is_for_random_programs() -> None:
    have = [text for text in (program_text(program(f"init/{number}")) for number in range(20)) if starts_in(text)]
    assert len(have) > 15


def starts_in(text: str) -> bool:
    """Whether a random program is one, and its models start as they are built."""
    try:
        models = ogive.source(text).models
    except ogive.ArchError:
        return False
    return all(holds(each.ir) is not None for each in models.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in (*CASES, *MORE) if name not in SAMPLE])
def test_so_it_is_for_all_blocks_of_the_library(name: str) -> None:
    holds(model_of(name).ir)


# weights of layers and of blocks of one's own that calls supply, wholly and in part; what is left is stored
SUPPLIED = """
use std.nn (Linear, LayerNorm, BatchNorm, GroupNorm)
use std.vision (Conv)

block Inner[d](x: [b, d]) -> [b, d]:
    init lin.bias = uniform[2.0, 3.0]
    param g: [d] = ones
    param w: [d] = normal
    state s: [d] = constant[d / 2]
    repeat 2 as k:
        x = x |> Linear[d, d] as lin
    h = (x |> Linear[d, d] as lin |> LayerNorm[d] as ln) * g + w
    if training:
        return h * 0.5
    return h + s

block Outer[d](x: [b, d]) -> [b, d]:
    init inner.k.lin.weight = orthogonal
    return x |> Inner[d] as inner |> Linear[d, d] as last

block Image[c](x: [b, c, h, w], e: [c, c, 1, 1], r: [c]) -> [b, c, h, w]:
    f = Conv[c, c, 1]
    x = f(x, weight=e)
    n = BatchNorm[c]
    x = n(x, weight=r)
    m = GroupNorm[2, c]
    x = m(x, bias=r)
    o = GroupNorm[c, c]
    x = o(x, weight=r)
    repeat 2 as h:
        l = Conv[c, c, 1]
        x = l(x, weight=e)
    for i in [1, 2] as z:
        l = Conv[c, c, 1]
        x = l(x, weight=e)
    return x

block A[d](x: [b, d], e: [d, d]) -> [b, d]:
    init f.bias = normal[std=0.1]
    f = Linear[d, d]
    y = f(x, weight=e)
    param theta: [count[Outer[d]]] = normal
    g = Outer[d]
    h = Outer[d]
    return h(g(y, weights=theta))

model M = A[4]
model V = Image[4]
"""


@pytest.mark.parametrize(("text", "name"), [(SUPPLIED, "M"), (SUPPLIED, "V"), (FAR, "M")])
def test_all_kinds_of_weights_are_set(text: str, name: str) -> None:
    holds(ogive.source(text).models[name].ir)


def test_what_starts_last_holds() -> None:
    net = holds(ogive.source(FAR).models["M"].ir)
    assert torch.equal(net.g, net.e.weight.norm(dim=-1))
    assert bool((net.r.top.weight.abs() <= 0.5).all())
    assert all(bool((layer.lin.bias >= 0).all()) for layer in net.r.k)
    assert [layer.scale[0].item() for layer in net.r.l] == [0.5, 1.5]
    assert bool(net.r.k[1].bn.running_var.eq(3).all())


def test_a_part_can_start_again_alone() -> None:
    net: Any = ogive.load("examples/gpt2.arch").models["Tiny"].torch()
    before = net.h[1].attn.c_attn.weight.detach().clone()
    torch.manual_seed(0)
    net.h[0].apply(lambda module: module.reset_parameters() if hasattr(module, "reset_parameters") else None)
    assert torch.equal(net.h[1].attn.c_attn.weight, before)
    net.reset_parameters()
    assert not hasattr(net.h, "reset_parameters")


@pytest.mark.parametrize("wrap", [checkpoint_wrapper, partial(torch.compile, backend="eager")])
def test_a_part_that_is_wrapped_starts_once(wrap: Callable[[nn.Module], nn.Module]) -> None:
    """Wrappers hand on what is asked of them; a start that is done twice would draw twice."""
    model = ogive.load("examples/llama.arch").models["Tiny"]
    torch.manual_seed(0)
    wanted = list(model.torch().parameters())
    net: Any = model.torch(device="meta")
    for at, layer in enumerate(net.layers):
        net.layers[at] = wrap(layer)
    net.to_empty(device="cpu")
    torch.manual_seed(0)
    net.init_weights()
    assert all(map(torch.equal, net.parameters(), wanted))


def test_weights_of_the_types_of_the_module() -> None:
    """In float64 and bfloat16 it draws in that type; whole and complex weights keep theirs."""
    of = ogive.load("examples/resnet.arch").models["Tiny"].ir
    for kind in (torch.float64, torch.bfloat16):
        net: Any = build(of, device="meta").to(kind).to_empty(device="cpu")
        net.init_weights()
        found: dict[str, Tensor] = net.state_dict()
        assert {x.dtype for x in found.values()} == {kind, torch.int64}
        assert all(bool(x.isfinite().all()) for x in found.values())


THEIRS = """
import torch
from torch import nn

class Good(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.attn = nn.MultiheadAttention(d, 2)
        self.lin = nn.Linear(d, d)

    def forward(self, x):
        return self.lin(x)

class Bad(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.w = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return self.w * x
"""


def test_a_module_of_the_user_says_how_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs_start.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = """
extern block {0}[d](x: [b, d]) -> [b, d] = "theirs_start:{0}"
block A[d](x: [b, d]) -> [b, d]:
    param w: [d] = normal
    return (x |> {0}[d] as mine) * w
model M = A[4]
"""
    good = ogive.source(text.format("Good"), allow_extern=True).models["M"]
    holds(good.ir)
    bad: Any = ogive.source(text.format("Bad"), allow_extern=True).models["M"].torch(device="meta")
    bad.to_empty(device="cpu")
    with pytest.raises(TypeError, match="`Bad` has weights, but no method `reset_parameters`"):
        bad.init_weights()


def test_on_meta_no_more_is_done_than_by_transformers() -> None:
    """Calls of Python functions, which do not depend on the machine; both build once before."""
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
        num_hidden_layers=30,
    )  # fmt: skip
    llama: Any = ogive.load("examples/llama.arch")["Llama"]
    ours: ogive.Model = llama(vocab=64, d=32, heads=4, kv_heads=2, ff=48, depth=30)
    source = ours.torch_source()

    def calls(make: Callable[[], object]) -> int:
        make()
        with cProfile.Profile() as found:
            make()
        return pstats.Stats(found).total_calls  # type: ignore[attr-defined, no-any-return]

    def theirs() -> object:
        with torch.device("meta"):
            return LlamaModel(config)

    assert calls(lambda: build(ours.ir, source, device="meta")) < calls(theirs)


def test_weights_and_sizes_may_have_the_names_of_its_methods() -> None:
    text = """
block reset(x: [b, d]) -> [b, d]:
    return x + 1
block stored(x: [b, d]) -> [b, d]:
    return x * 2
block A[reset_parameters, init_weights](x: [b, reset_parameters]) -> [b, reset_parameters]:
    param decay_groups: [reset_parameters] = normal[std=1 / init_weights]
    param init_weights: [reset_parameters] = normal[std=1 / reset_parameters]
    state gradient_checkpointing_enable: [reset_parameters] = ones
    return (x |> reset |> stored) * decay_groups * init_weights + gradient_checkpointing_enable
model M = A[4, 5]
"""
    net = holds(ogive.source(text).models["M"].ir)
    assert len(net.decay_groups(0.1)[1]["params"]) == 2


def test_a_weight_that_is_tied_by_hand_starts_as_its_first_holder() -> None:
    block = "block A[d](x: [b, d]) -> [b, d]:\n    return x |> Linear[d, d] as a |> Linear[d, d] as b\n"
    made = ogive.source(f"use std.nn (Linear)\n{block}model M = A[4]")["M"]
    assert isinstance(made, ogive.api.Model)

    def tied(net: Any) -> Any:
        net.b.weight = net.a.weight
        return net

    torch.manual_seed(3)
    direct, after = tied(made.torch()), torch.rand(1)
    net = tied(made.torch(device="meta").to_empty(device="cpu"))
    for _ in range(2):
        torch.manual_seed(3)
        net.init_weights()
        assert bits(net) == bits(direct)
        assert torch.equal(torch.rand(1), after)
        assert net.b.weight is net.a.weight
