"""Lines and planes chosen by gradient, for each row of its own (α-CROWN): any slope is sound, so any step may be kept.

Xu et al. 2021, arXiv:2011.13824.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor

from ogive.backends.analysis.bounds.intervals import BoxState
from ogive.backends.analysis.bounds.linear import lowest
from ogive.backends.analysis.bounds.relax import Lines, Planes, Relaxation, offset
from ogive.backends.analysis.tape.steps import CurveStep, Tape

STEPS, RATE = 20, 0.1
MOST = 1 << 22  # slopes that are optimized for each row


def best_lowest(
    tape: Tape, state: BoxState, start: Mapping[int, Tensor], relaxations: Mapping[int, Relaxation], steps: int = STEPS
) -> Tensor:
    """The least that rows can be, [B, R], with lines that are optimized for it."""
    best = lowest(tape, state, start, relaxations).lower
    rows = next(iter(start.values())).shape[:2]
    slopes = {at: _slopes(each, tape, at, rows) for at, each in relaxations.items()}
    free = [each for pair in slopes.values() for each in pair]
    if not free or not bool(best.isfinite().any()):
        return best
    optimizer = torch.optim.Adam(free, lr=RATE)
    for _ in range(steps):
        made = {at: _with(tape, state, at, relaxations[at], pair) for at, pair in slopes.items()}
        with torch.enable_grad():
            lower = lowest(tape, state, start, made).lower
            finite = lower[lower.isfinite()]
            if not finite.numel() or not finite.requires_grad:
                return best
            optimizer.zero_grad()
            (-finite.sum()).backward()  # type: ignore[no-untyped-call]
        best = torch.maximum(best, lower.detach())
        for each in free:
            if each.grad is not None:
                each.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimizer.step()
    return best


def _slopes(relaxation: Relaxation, tape: Tape, at: int, rows: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """What is optimized: two slopes for each entry, or two mixtures of planes."""
    shape = tape.steps[at].shape
    each = rows[1] if prod((*rows, *shape)) <= MOST else 1
    size = (rows[0], each, *shape)
    match relaxation:
        case Lines():
            pair = (relaxation.low_slope, relaxation.high_slope)
        case Planes():
            pair = (relaxation.low, relaxation.high)
    first, second = (part.detach().expand(size).clone().requires_grad_() for part in pair)
    return first, second


def _with(tape: Tape, state: BoxState, at: int, old: Relaxation, pair: tuple[Tensor, Tensor]) -> Relaxation:
    """The relaxation with these slopes."""
    first, second = pair
    if isinstance(old, Planes):
        return Planes(first.clamp(0, 1), second.clamp(0, 1))
    step = tape.steps[at]
    assert isinstance(step, CurveStep)
    low, high = state.low[step.parents[0]][:, None], state.high[step.parents[0]][:, None]
    with torch.enable_grad():
        below = offset(step.curve, low, high, first, 1)
        above = -offset(step.curve, low, high, -second, -1)
    return Lines(first, below, second, above)
