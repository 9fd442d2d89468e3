"""Recurrent layers against torch's, with the same weights: outputs, last states, gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import ogive
from ogive.api import Model

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
