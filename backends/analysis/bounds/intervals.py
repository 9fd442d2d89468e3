"""Intervals: the least and the largest number that each value may be, rounding of the model's float type included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import torch
from torch import Tensor

from ogive.backends.analysis.tape.steps import AffineStep, BoxStep, CurveStep, ProductStep, RangeStep, Step, Tape, over

UNITS = {
    "f64": 2.0**-52,
    "f32": 2.0**-23,
    "bf16": 2.0**-7,
    "f16": 2.0**-10,
}  # a rounding moves a number by at most half
LARGEST = {"f64": torch.finfo(torch.float64).max, "f32": torch.finfo(torch.float32).max,
           "bf16": torch.finfo(torch.bfloat16).max, "f16": torch.finfo(torch.float16).max}  # fmt: skip
HUGE = 1e150  # what is larger is taken for infinite
FUNCTION_ROUNDINGS = 4  # by how many units kernels of functions are off


@dataclass(slots=True)
class BoxState:
    """For each step so far its ends and how far rounding may move it, [B, *shape]."""

    unit: float
    low: list[Tensor] = field(default_factory=list)
    high: list[Tensor] = field(default_factory=list)
    slack: list[Tensor] = field(default_factory=list)

    def tighten(self, at: int, low: Tensor, high: Tensor) -> None:
        """Other ends hold as well. Where they cross by rounding, they meet."""
        first, last = torch.maximum(self.low[at], low), torch.minimum(self.high[at], high)
        crossed = first > last
        self.low[at] = torch.where(crossed, self.low[at], first)
        self.high[at] = torch.where(crossed, self.high[at], last)

    def add(self, step: Step, box: tuple[Tensor, Tensor] | None = None) -> None:
        """The next step, from those before it."""
        if isinstance(step, BoxStep):
            assert box is not None
            low, high = box
            slack = torch.zeros_like(low)
        else:
            ends = [(self.low[parent], self.high[parent]) for parent in step.parents]
            low, high, slack = _interval(step, ends, self.unit)
        self.low.append(torch.where(low < -HUGE, -inf, low - slack).nan_to_num(nan=-inf, posinf=HUGE, neginf=-inf))
        self.high.append(torch.where(high > HUGE, inf, high + slack).nan_to_num(nan=inf, posinf=inf, neginf=-HUGE))
        self.slack.append(slack.nan_to_num(nan=0.0, posinf=0.0))


def intervals(tape: Tape, boxes: Sequence[tuple[Tensor, Tensor]], unit: float) -> BoxState:
    """Ends of all steps from those of the boxes, [B, *shape] (interval bound propagation)."""
    state, given = BoxState(unit), iter(boxes)
    for step in tape.steps:
        state.add(step, next(given) if isinstance(step, BoxStep) else None)
    return state


Ends = tuple[Tensor, Tensor]


def _interval(step: Step, ends: Sequence[Ends], unit: float) -> tuple[Tensor, Tensor, Tensor]:
    """Low, high, slack."""
    match step:
        case AffineStep():
            return _affine(step, ends, unit)
        case CurveStep():
            ((low, high),) = ends
            found = step.curve.ends(low, high)
            if step.curve.exact:
                return *found, torch.zeros_like(low)
            # σ may round its own result, or one as large as its operand on the way
            size = torch.maximum(torch.maximum(*(each.abs() for each in found)), torch.maximum(low.abs(), high.abs()))
            return *found, FUNCTION_ROUNDINGS * unit * size.nan_to_num(posinf=0.0)
        case ProductStep():
            return _product(step, ends, unit)
        case RangeStep():
            low, high = step.ends(ends)
            if not step.rounds:
                return low, high, torch.zeros_like(low)
            size = torch.maximum(low.abs(), high.abs())
            return low, high, FUNCTION_ROUNDINGS * unit * size.nan_to_num(posinf=0.0)
        case BoxStep():
            raise AssertionError(step)


def _affine(step: AffineStep, ends: Sequence[Ends], unit: float) -> tuple[Tensor, Tensor, Tensor]:
    ends = [(low.clamp(min=-1e200), high.clamp(max=1e200)) for low, high in ends]
    sizes = [torch.maximum(low.abs(), high.abs()) for low, high in ends]
    if step.dense is not None:
        low = high = size = step.constant.reshape(-1)
        size = size.abs()
        for matrix, (a, b), reach in zip(step.dense, ends, sizes, strict=True):
            up, down = matrix.clamp(min=0).T, matrix.clamp(max=0).T
            a, b = a.reshape(a.shape[0], -1), b.reshape(b.shape[0], -1)
            low, high = low + (a @ up + b @ down), high + (b @ up + a @ down)
            size = size + reach.reshape(reach.shape[0], -1) @ matrix.abs().T
        low, high, size = (each.reshape(-1, *step.shape) for each in (low, high, size))
    elif step.magnitude is None:
        low, high = over(step.run, *(a for a, _ in ends)), over(step.run, *(b for _, b in ends))
        size = over(lambda *r: step.spread(r), *sizes) + step.constant.abs() if step.terms else torch.zeros_like(low)
    else:
        centre = over(step.run, *((a + b) / 2 for a, b in ends))
        radius = over(step.magnitude, *((b - a) / 2 for a, b in ends))
        low, high = centre - radius, centre + radius
        size = over(step.magnitude, *sizes) + step.constant.abs()
    slack = unit * (step.terms + bool(step.terms)) / 2 * size if step.terms else torch.zeros_like(low)
    if step.terms and (step.dense is not None or step.magnitude is not None):  # ours are rounded too, of float64
        slack = slack + 2.0**-52 * (step.terms + 2) * size
    if step.within is not None:
        least, most = step.within
        low, high = low.clamp(least, most), high.clamp(least, most)
    return low, high, slack


def _product(step: ProductStep, ends: Sequence[Ends], unit: float) -> tuple[Tensor, Tensor, Tensor]:
    (a, b), (c, d) = ends
    if step.pointwise:
        corners = torch.stack([_times(x, y) for x in (a, b) for y in (c, d)])
        low, high = corners.amin(0), corners.amax(0)
        return low, high, unit * torch.maximum(low.abs(), high.abs()).nan_to_num(posinf=0.0)
    a, b, c, d = (each.clamp(-1e75, 1e75) for each in (a, b, c, d))
    x, y, r, s = (a + b) / 2, (c + d) / 2, (b - a) / 2, (d - c) / 2
    centre = over(step.run, x, y)
    spread = over(step.run, x.abs() + r, s) + over(step.run, r, y.abs())
    size = over(step.run, x.abs() + r, y.abs() + s)
    return centre - spread, centre + spread, (unit * (step.terms + 1) / 2 + 2.0**-50) * size


def _times(x: Tensor, y: Tensor) -> Tensor:
    """A corner; 0 times anything is 0."""
    return torch.where((x == 0) | (y == 0), 0.0, x * y)
