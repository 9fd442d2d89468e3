"""Recurrent layers against torch's, with the same weights: outputs, last states, gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import ogive
from ogive.api import Model
from ogive.backends.weights.map_text import parse_map

TEXT = """
use std.recurrent (RNN, GRU, LSTM, bidirectional)

block Both[din, d](x: [b, n, din]) -> [b, n, 2 * d]:
    return x |> bidirectional[LSTM[d=d, ...]] as both

model RNNs = RNN[din=3, d=5, last=true]
model ReLUs = RNN[din=3, d=5, last=true, f=relu]
model GRUs = GRU[din=3, d=5, last=true]
model LSTMs = LSTM[din=3, d=5, last=true]
model Bare = LSTM[din=3, d=5, bias=false]
model Boths = Both[din=3, d=5]
"""
MAP = "".join(
    f'"layers.*.{way}.{name}_l0" = "{name}_l*{end}"\n'
    for way, end in (("ahead", ""), ("behind", "_reverse"))
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
)
PROGRAM = ogive.source(TEXT)
PAIRS = {
    "RNNs": nn.RNN(3, 5, batch_first=True),
    "ReLUs": nn.RNN(3, 5, nonlinearity="relu", batch_first=True),
    "GRUs": nn.GRU(3, 5, batch_first=True),
    "LSTMs": nn.LSTM(3, 5, batch_first=True),
}


def module(name: str) -> nn.Module:
    model = PROGRAM[name]
    assert isinstance(model, Model)
    return model.torch().double()


def flat(results: object) -> list[Tensor]:
    """The tensors of nested results, in order, states without torch's axis of layers."""
    if isinstance(results, Tensor):
        return [results]
    assert isinstance(results, tuple)
    return [tensor for each in results for tensor in flat(each)]


def agree(ours: nn.Module, theirs: nn.Module, ours_in: tuple[Tensor, ...], theirs_in: tuple[object, ...]) -> None:
    """Equal results, and equal gradients of every weight."""
    ys, zs = flat(ours(*ours_in)), flat(theirs(*theirs_in))
    for y, z in zip(ys, zs, strict=False):
        torch.testing.assert_close(y, z.reshape(y.shape))
    weights = dict(ours.named_parameters())
    left = torch.autograd.grad(torch.stack([y.square().sum() for y in ys]).sum(), list(weights.values()))
    right = torch.autograd.grad(
        torch.stack([z.square().sum() for z in zs[: len(ys)]]).sum(),
        [dict(theirs.named_parameters())[n] for n in weights],
    )
    torch.testing.assert_close(left, right)


@settings(max_examples=10)
@given(b=st.integers(1, 3), n=st.integers(1, 7), start=st.booleans())
@pytest.mark.parametrize("name", PAIRS)
def test_weights_of_torch_load_and_give_the_same(name: str, b: int, n: int, start: bool) -> None:
    ours, theirs = module(name), PAIRS[name].double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(b, n, 3, dtype=torch.float64)
    states = [torch.randn(b, 5, dtype=torch.float64) for _ in range(2 if name == "LSTMs" else 1)] if start else []
    theirs_states = [s[None] for s in states]
    handed = [] if not start else [tuple(theirs_states)] if name == "LSTMs" else theirs_states
    agree(ours, theirs, (x, *states), (x, *handed))


def test_a_layer_without_bias() -> None:
    ours, theirs = module("Bare"), nn.LSTM(3, 5, bias=False, batch_first=True).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x)[0])


def test_bidirectional_reads_from_both_ends() -> None:
    ours, theirs = module("Boths"), nn.LSTM(3, 5, bidirectional=True, batch_first=True).double()
    state = {
        f"both.{'behind' if name.endswith('_reverse') else 'ahead'}.{name.removesuffix('_reverse')}": weight
        for name, weight in theirs.state_dict().items()
    }
    ours.load_state_dict(state)
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x)[0])


@pytest.mark.parametrize("name", PAIRS)
def test_initial_values_are_spread_as_those_of_torch(name: str) -> None:
    bound = 5**-0.5
    values = torch.cat([w.flatten() for w in module(name).parameters()])
    assert -bound <= values.min() < -0.8 * bound
    assert 0.8 * bound < values.max() <= bound


@settings(max_examples=8)
@given(layers=st.integers(1, 3), directions=st.integers(1, 2), n=st.integers(1, 5), start=st.booleans())
@pytest.mark.parametrize(("kind", "states"), [("RNN", 1), ("GRU", 1), ("LSTM", 2), ("GRU", 0)])
def test_several_layers_in_both_directions(
    kind: str, states: int, layers: int, directions: int, n: int, start: bool
) -> None:
    last = "last=true, " if states else ""
    of = f"multilayer[{kind}[d=5, {last}...], 5, {layers}, {directions}, states={states}, din=3]"
    model = ogive.source(f"use std.recurrent ({kind}, multilayer)\nmodel M = {of}")["M"]
    assert isinstance(model, Model)
    theirs = getattr(nn, kind)(3, 5, layers, bidirectional=directions == 2, batch_first=True).double()
    ours = model.torch().double()
    names = [name for name, _ in theirs.named_parameters()]
    lines = [line for line in MAP.splitlines() if directions == 2 or "behind" not in line]
    ours.load_state_dict(model.load_weights(theirs, parse_map("[weights]\n" + "\n".join(lines))))
    assert len(names) == len(dict(ours.named_parameters()))
    x = torch.randn(2, n, 3, dtype=torch.float64)
    given = [torch.randn(layers * directions, 2, 5, dtype=torch.float64) for _ in range(states)] if start else []
    handed = [] if not given else [tuple(given)] if kind == "LSTM" else given
    ys, zs = flat(ours(x, *given)), flat(theirs(x, *handed))
    for y, z in zip(ys, zs, strict=False):
        torch.testing.assert_close(y, z)
    mine = []
    for name in names:
        way = "behind" if name.endswith("_reverse") else "ahead"
        base, _, layer = name.removesuffix("_reverse").rpartition("_l")
        mine.append(ours.get_parameter(f"layers.{layer}.{way}.{base}_l0"))
    left = torch.autograd.grad(torch.stack([y.square().sum() for y in ys]).sum(), mine)
    total = torch.stack([z.square().sum() for z in zs[: len(ys)]]).sum()
    torch.testing.assert_close(left, torch.autograd.grad(total, [theirs.get_parameter(name) for name in names]))


@pytest.mark.parametrize("name", PAIRS)
def test_one_step_with_the_state_carried_is_the_same_layer(name: str) -> None:
    """The step form for deployment: one token at a time, the last state handed to the next call."""
    ours, x = module(name), torch.randn(2, 6, 3, dtype=torch.float64)
    whole = flat(ours(x))
    states: list[Tensor] = []
    for t in range(6):
        y, *states = flat(ours(x[:, t : t + 1], *states))
        torch.testing.assert_close(y[:, 0], whole[0][:, t])
    for state, last in zip(states, whole[1:], strict=True):
        torch.testing.assert_close(state, last)


def test_a_tagger_of_torch_loads_by_the_map_of_the_example() -> None:
    folder = Path(__file__).parents[2] / "examples"
    model = ogive.load(folder / "lstm_tagger.arch")["Tiny"]
    assert isinstance(model, Model)
    theirs = nn.ModuleDict(
        {
            "embedding": nn.Embedding(50, 8),
            "lstm": nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True),
            "tag": nn.Linear(12, 7),
        }
    )
    ours = model.torch().eval()
    ours.load_state_dict(model.load_weights(theirs, folder / "lstm_tagger.map.toml"))
    ids = torch.randint(50, (2, 5))
    torch.testing.assert_close(ours(ids), theirs["tag"](theirs["lstm"](theirs["embedding"](ids))[0]))
