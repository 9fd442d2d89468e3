"""Loops: `scan` in both directions, with several carries and yields, nested, under `repeat`, beside states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from language.harness import Case, Weights


def walk(x: Tensor, h: Any, step: Any, *, axis: int = 1, reverse: bool = False) -> tuple[Any, Tensor]:
    """The last state, and what the steps give stacked along the axis."""
    parts: Sequence[Tensor] = x.unbind(axis)
    ys = []
    for part in reversed(parts) if reverse else parts:
        h, y = step(h, part)
        ys.append(y)
    return h, torch.stack(ys[::-1] if reverse else ys, axis)


def both(h: Tensor) -> tuple[Tensor, Tensor]:
    """A state that is given out too."""
    return h, h


def _weighted(w: Weights, x: Tensor) -> Tensor:
    return walk(
        x, torch.zeros(2, 4, dtype=x.dtype), lambda h, t: both(torch.tanh(t + F.linear(h, w["f.weight"], w["f.bias"])))
    )[1]


def _two(w: Weights, x: Tensor) -> tuple[Tensor, ...]:
    a, b, ys, zs = torch.zeros(2, 3, dtype=x.dtype), torch.ones(2, dtype=x.dtype), [], []
    for t in x.unbind(1):
        a, b = a + t, b * t.sum(1).cos()
        ys.append(a * b[:, None])
        zs.append(b)
    return a, b, torch.stack(ys, 1), torch.stack(zs, 1)


def _nested(w: Weights, x: Tensor) -> Tensor:
    ys = []
    h = torch.zeros(2, dtype=x.dtype)
    for row in x.unbind(1):
        inner = h
        for value in row.unbind(1):
            inner = torch.sin(inner + value)
        h = h + inner
        ys.append(h)
    return torch.stack(ys, 1)


def _deep(w: Weights, x: Tensor) -> Tensor:
    for iteration in range(3):
        weight = w[f"layers.{iteration}.f.weight"]
        x = (
            x
            + walk(x, torch.zeros(2, 4, dtype=x.dtype), lambda h, t, m=weight: both(torch.tanh(F.linear(h, m) + t)))[1]
        )
    return x


def _in_step(w: Weights, x: Tensor) -> Tensor:
    h = torch.zeros(2, 4, dtype=x.dtype)
    for t in x.unbind(1):
        h = h + t
        for iteration in range(2):
            h = torch.tanh(F.linear(h, w[f"inner.{iteration}.f.weight"], w[f"inner.{iteration}.f.bias"]))
    return h


def _zipped(w: Weights, x: Tensor, y: Tensor) -> Tensor:
    h = torch.zeros(2, 3, dtype=x.dtype)
    for a, b in zip(x.unbind(1), y.unbind(0), strict=True):
        h = torch.sin(h + a * b)
    return h


def _attend(w: Weights, x: Tensor, memory: Tensor) -> Tensor:
    def step(h: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        p = torch.softmax(torch.einsum("bd,bmd->bm", h + t, memory), -1)
        return both(torch.einsum("bm,bmd->bd", p, memory))

    return walk(x, torch.zeros(2, 4, dtype=x.dtype), step)[1]


def _momentum(w: Weights, x: Tensor) -> Tensor:
    mean = w["mean"]
    ys = []
    for t in x.unbind(1):
        ys.append(t - mean)
    return torch.stack(ys, 1)


CASES = (
    Case("running_sum", ((2, 5, 3),), lambda w, x: x.cumsum(1)),
    Case(
        "from_the_end",
        ((2, 5, 3),),
        lambda w, x: walk(x, torch.zeros(2, 3, dtype=x.dtype), lambda h, t: both(torch.sin(h + t)), reverse=True)[1],
    ),
    Case(
        "the_last_state_alone",
        ((2, 5, 3),),
        lambda w, x: walk(x, torch.zeros(2, 3, dtype=x.dtype), lambda h, t: both(0.5 * h + t))[0],
    ),
    Case("weights_in_the_step", ((2, 5, 4),), _weighted),
    Case("two_carried_two_collected", ((2, 4, 3),), _two),
    Case("a_scan_in_a_scan", ((2, 3, 4),), _nested),
    Case("in_every_layer", ((2, 3, 4),), _deep),
    Case("layers_in_every_step", ((2, 3, 4),), _in_step),
    Case("two_tensors_the_axis_elsewhere", ((2, 4, 3), (4, 2, 3)), _zipped),
    Case(
        "along_the_first_axis",
        ((5, 3),),
        lambda w, x: walk(x, torch.zeros(3, dtype=x.dtype), lambda h, t: both(h * 0.9 + t), axis=0)[1],
    ),
    Case(
        "along_the_last_axis_by_position",
        ((2, 3, 5),),
        lambda w, x: walk(x, torch.zeros(2, 3, dtype=x.dtype), lambda h, t: both(torch.cos(h + t)), axis=2)[1],
    ),
    Case("what_is_captured", ((2, 3, 4), (2, 5, 4)), _attend),
    Case("a_state_of_the_block_read_in_a_scan", ((2, 3, 4),), _momentum),
    Case("nothing_carried", ((2, 3, 4),), lambda w, x: x.exp().sum(-1)),
    Case(
        "carried_under_its_own_name",
        ((2, 3, 4),),
        lambda w, x: walk(x, 2 + torch.zeros(2, 4, dtype=x.dtype), lambda h, t: both(torch.sin(h) + t))[0],
    ),
    Case(
        "linear_in_parallel",
        ((2, 9, 3), (2, 9, 3)),
        lambda w, a, x: walk(
            torch.stack([a.sigmoid(), x], -1),
            torch.zeros(2, 3, dtype=x.dtype),
            lambda h, t: both(t[..., 0] * h + t[..., 1]),
        )[1],
    ),
    Case(
        "linear_from_a_state",
        ((2, 6, 3), (2, 6, 3), (2, 3)),
        lambda w, a, x, h: walk(torch.stack([a, x], -1), h, lambda h, t: both(t[..., 0] * h + t[..., 1]))[1],
    ),
    Case(
        "linear_complex",
        ((2, 6, 3), (2, 6, 3)),
        lambda w, a, x: walk(
            torch.stack([a, x], -1), torch.zeros(2, 3, dtype=x.dtype), lambda h, t: both(t[..., 0] * h + t[..., 1])
        )[1],
        elems="cc",
    ),
    Case("iterations_collected", ((2, 4),), lambda w, x: _iterations(w, x)),
    Case("slices_of_a_tensor_and_their_index", ((2, 4), (3, 4)), lambda w, x, s: _scaled(x, s)),
    Case("repeat_in_repeat", ((2, 4),), lambda w, x: _loops(w, x)),
    Case("no_iteration_at_all", ((2, 4),), lambda w, x: x.sin()),
    Case("a_step_that_uses_a_block_with_a_state_of_its_own", ((2, 4, 3),), lambda w, x: _twice(w, x)),
)


def _iterations(w: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    found = []
    for iteration in range(3):
        x = torch.tanh(F.linear(x, w[f"layers.{iteration}.f.weight"], w[f"layers.{iteration}.f.bias"]))
        found.append(x)
    return x, torch.stack(found)


def _scaled(x: Tensor, scale: Tensor) -> Tensor:
    for number, s in enumerate(scale):
        x = torch.sin(x * s) * (number + 1)
    return x


def _loops(w: Weights, x: Tensor) -> Tensor:
    for i in range(2):
        for j in range(3):
            f = F.linear(x, w[f"outer.{i}.f.weight"], w[f"outer.{i}.f.bias"])
            x = x + torch.tanh(f) + F.linear(x, w[f"outer.{i}.inner.{j}.g.weight"])
    return x


def _twice(w: Weights, x: Tensor) -> Tensor:
    def step(h: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return both(torch.tanh(t + F.linear(h, w["cell.w"])))

    zero = torch.zeros(2, 3, dtype=x.dtype)
    return walk(walk(x, zero, step)[1], zero, step, reverse=True)[1]
