"""Lines and planes below and above what is not linear, over given ends."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ogive.backends.analysis.bounds.intervals import BoxState
from ogive.backends.analysis.tape.curves import Curve
from ogive.backends.analysis.tape.steps import CurveStep, ProductStep, Tape

SEARCH = 5  # bisections for the slope of the best line


@dataclass(slots=True)
class Lines:
    """low_slope x + low_offset <= σ(x) <= high_slope x + high_offset, [B, R or 1, *shape]."""

    low_slope: Tensor
    low_offset: Tensor
    high_slope: Tensor
    high_offset: Tensor


@dataclass(slots=True)
class Planes:
    """Which of the two planes of McCormick below a product, and which above: 1 for the first, [B, R or 1, *shape]."""

    low: Tensor
    high: Tensor


Relaxation = Lines | Planes


def relaxed(tape: Tape, state: BoxState, at: int) -> Relaxation | None:
    """What is best in the middle of the ends; None for steps that need none."""
    step = tape.steps[at]
    if isinstance(step, CurveStep):
        (parent,) = step.parents
        return lines_of(step.curve, state.low[parent], state.high[parent])
    if isinstance(step, ProductStep):
        half = torch.full((1, 1, *(1 for _ in step.shape)), 0.5, dtype=torch.float64)
        return Planes(half, half)
    return None


def lines_of(curve: Curve, low: Tensor, high: Tensor) -> Lines:
    """The lines that come closest to σ in the middle."""
    slopes = _slopes(curve, low, high)
    (below, low_offset), (above, high_offset) = (_best(curve, low, high, s * slopes, s) for s in (1, -1))
    return Lines(below[:, None], low_offset[:, None], -above[:, None], -high_offset[:, None])


def offset(curve: Curve, low: Tensor, high: Tensor, slope: Tensor, sign: int) -> Tensor:
    """Min of sign σ(x) - slope x, with its derivative in the slope: -x where it is taken."""
    with torch.no_grad():
        value, place = curve.least(low, high, slope, sign)
    return value if not slope.requires_grad else value - (slope - slope.detach()) * place


def _slopes(curve: Curve, low: Tensor, high: Tensor) -> Tensor:
    """Slopes to choose from: that of the chord, 0, and of tangents. Where ends are infinite, 0."""
    wide = (high - low).clamp(min=1e-12)
    chord = (curve.value(high) - curve.value(low)) / wide
    inside = [curve.slope(low + wide * part) for part in (0.05, 0.5, 0.95)]
    found = torch.stack([chord, torch.zeros_like(low), *inside])
    open_ = low.isinf() | high.isinf() | (high - low > 1e6)
    flat = curve.value((low + high) / 2).isnan()
    found = torch.where(open_ | flat, 0.0, found.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0))
    same = high - low < 1e-9
    return torch.where(same, inside[1].nan_to_num(nan=0.0, posinf=0.0, neginf=0.0), found)


def _best(curve: Curve, low: Tensor, high: Tensor, slopes: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    """Slope and offset of the line below sign σ that is highest in the middle: its height is concave in the slope."""
    middle = torch.where(low.isinf() | high.isinf(), 0.0, (low + high) / 2)
    offsets = curve.least(low, high, slopes, sign)[0]  # of all at once
    most, where = (offsets + slopes * middle).nan_to_num(nan=-torch.inf).max(0)
    chosen, found = slopes.gather(0, where[None])[0], offsets.gather(0, where[None])[0]
    first, last = slopes.amin(0), slopes.amax(0)
    for _ in range(SEARCH):
        half = (first + last) / 2
        value, place = curve.least(low, high, half, sign)
        height = value + half * middle
        better = height > most
        most, chosen = torch.where(better, height, most), torch.where(better, half, chosen)
        found = torch.where(better, value, found)
        first, last = torch.where(place < middle, half, first), torch.where(place < middle, last, half)
    return chosen, found
