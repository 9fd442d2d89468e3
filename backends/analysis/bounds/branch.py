"""Branch and bound: a property of a box is proved on parts of it, or a point is found that breaks it.

The box is split along an input. A part is done where linear bounds prove every row; the corner where a bound is least,
and the middle, are tried as counterexamples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from time import monotonic

import torch
from torch import Tensor

from ogive.backends.analysis.bounds.intervals import BoxState
from ogive.backends.analysis.bounds.linear import linear_bounds, lowest
from ogive.backends.analysis.bounds.property import PropertyRow
from ogive.backends.analysis.bounds.relax import Relaxation
from ogive.backends.analysis.tape.steps import CurveStep, ProductStep, Tape

Box = tuple[Tensor, Tensor]  # [B, *shape]
Best = Callable[[Tape, BoxState, Mapping[int, Tensor], Mapping[int, Relaxation]], Tensor]
BATCH = 128
NARROW = 1e-9  # parts that are not split further, of the whole
ATTACKS, ASCENTS = 100, 30


@dataclass(frozen=True, slots=True)
class PropertyVerdict:
    """`verdict`: "verified", "falsified" with the `point` that breaks it, or "unknown"; it took so many `parts`."""

    verdict: str
    parts: int
    point: tuple[Tensor, ...] | None = None


@dataclass(slots=True)
class PropertyProblem:
    """A tape, the box of each of its inputs [1, *shape], rows of a property."""

    tape: Tape
    boxes: Sequence[Box]
    rows: Sequence[PropertyRow]
    unit: float
    low: Tensor = field(init=False)  # all inputs side by side, [D]
    high: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.low, self.high = (torch.cat([each[at].reshape(-1) for each in self.boxes]) for at in (0, 1))

    def split(self, flat: Tensor) -> list[Tensor]:
        """Flat points or ends [B, D] as those of each input."""
        sizes = [prod(low.shape[1:]) for low, _ in self.boxes]
        parts = torch.split(flat, sizes, 1)
        return [part.reshape(-1, *low.shape[1:]) for part, (low, _) in zip(parts, self.boxes, strict=True)]

    def values(self, flat: Tensor) -> Tensor:
        """The rows at points [B, D]: [B, R]."""
        outputs = dict(zip(self.tape.names, self.tape.results(self.split(flat)), strict=True))
        return torch.stack([row.at(outputs).expand(flat.shape[0]) for row in self.rows], 1)

    def breaking(self, flat: Tensor) -> Tensor | None:
        """A point that breaks a row, for certain in float64."""
        values = self.values(flat)
        broken = torch.stack([row.broken(values[:, at]) for at, row in enumerate(self.rows)], 1).any(1)
        return flat[int(broken.nonzero()[0])] if bool(broken.any()) else None

    def rows_at(self, batch: int) -> tuple[dict[int, Tensor], Tensor]:
        """The coefficients of the rows at the steps of the outputs, [B, R, *shape], and their constants [R]."""
        constant = torch.tensor([row.constant for row in self.rows], dtype=torch.float64)
        start: dict[int, Tensor] = {}
        for name, place in zip(self.tape.names, self.tape.outputs, strict=True):
            rows = [row.coefficients.get(name) for row in self.rows]
            some = next((each for each in rows if each is not None), None)
            if some is None:
                continue
            stack = torch.stack([torch.zeros_like(some) if each is None else each for each in rows])
            if isinstance(place, Tensor):
                constant = constant + (stack * place).reshape(len(rows), -1).sum(1)
            else:
                wide = stack.expand(batch, *stack.shape)
                start[place] = start[place] + wide if place in start else wide
        return start, constant

    def proved(self, state: BoxState, relaxations: Mapping[int, Relaxation], best: Best | None = None) -> Tensor:
        """The least of each row, [R], by lines over the whole box, or by intervals where there are none."""
        start, constant = self.rows_at(1)
        if not start:
            return constant
        if relaxations or not any(isinstance(step, CurveStep | ProductStep) for step in self.tape.steps):
            lower = (
                lowest(self.tape, state, start, relaxations).lower
                if best is None
                else best(self.tape, state, start, relaxations)
            )
            return constant + lower[0]
        for place, rows in start.items():
            ends = torch.where(rows > 0, state.low[place][:, None], state.high[place][:, None])
            part = torch.where(rows == 0, 0.0, rows * ends)
            constant = constant + part.reshape(*rows.shape[:2], -1).sum(-1)[0] - 1e-12 * part.abs().sum()
        return constant

    def bounds(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The least of each row on parts [B, D], and the coefficients of the inputs [B, R, D]."""
        boxes = list(zip(self.split(low), self.split(high), strict=True))
        state, relaxations = linear_bounds(self.tape, boxes, self.unit)
        batch, count = low.shape[0], len(self.rows)
        start, constant = self.rows_at(batch)
        if not start:
            return constant.expand(batch, count), torch.zeros(batch, count, low.shape[1], dtype=torch.float64)
        found = lowest(self.tape, state, start, relaxations)
        parts = [
            found.boxes[at].reshape(batch, count, -1) if at in found.boxes
            else torch.zeros(batch, count, prod(self.tape.steps[at].shape), dtype=torch.float64)
            for at in self.tape.boxes
        ]  # fmt: skip
        return found.lower + constant, torch.cat(parts, 2)


def decide(problem: PropertyProblem, seconds: float, seed: int = 0) -> PropertyVerdict:
    """Prove or break a property within so many seconds."""
    until = monotonic() + seconds
    found = attacked(problem, seed)
    if found is not None:
        return PropertyVerdict("falsified", 0, tuple(each[0] for each in problem.split(found[None])))
    strict = torch.tensor([row.strict for row in problem.rows])
    low, high = problem.low[None], problem.high[None]
    whole, parts = problem.high - problem.low, 0
    while low.shape[0]:
        if monotonic() > until:
            return PropertyVerdict("unknown", parts)
        part_low, low = low[:BATCH], low[BATCH:]
        part_high, high = high[:BATCH], high[BATCH:]
        lower, slopes = problem.bounds(part_low, part_high)
        parts += part_low.shape[0]
        open_ = (torch.where(strict, lower <= 0, lower < 0) | lower.isnan()).any(1)
        if not bool(open_.any()):
            continue
        part_low, part_high, lower, slopes = part_low[open_], part_high[open_], lower[open_], slopes[open_]
        worst = lower.nan_to_num(nan=-torch.inf).argmin(1)
        tilt = slopes[torch.arange(len(worst)), worst]
        corner = torch.where(tilt > 0, part_low, part_high)
        found = problem.breaking(torch.cat([corner, (part_low + part_high) / 2]))
        if found is not None:
            return PropertyVerdict("falsified", parts, tuple(each[0] for each in problem.split(found[None])))
        width = part_high - part_low
        if bool((width.amax(1) <= NARROW * whole.amax()).any()):
            return PropertyVerdict("unknown", parts)
        relative = width / whole.clamp(min=1e-300)
        gain = tilt.abs() * width
        gain = gain / gain.amax(1, keepdim=True).clamp(min=1e-300) + relative / relative.amax(1, keepdim=True)
        axis = torch.where(width > 0, gain, -1.0).argmax(1)
        at = torch.arange(len(axis))
        middle = (part_low[at, axis] + part_high[at, axis]) / 2
        left, right = part_high.clone(), part_low.clone()
        left[at, axis], right[at, axis] = middle, middle
        low, high = torch.cat([part_low, right, low]), torch.cat([left, part_high, high])
    return PropertyVerdict("verified", parts)


def attacked(problem: PropertyProblem, seed: int = 0, count: int = ATTACKS, steps: int = ASCENTS) -> Tensor | None:
    """A point that breaks the property, by descent from random points; None where none is found."""
    generator = torch.Generator().manual_seed(seed)
    width = problem.high - problem.low
    drawn = torch.rand(count, len(width), generator=generator, dtype=torch.float64)
    points = problem.low + width * drawn
    rows = torch.arange(count) % len(problem.rows)
    for step in range(steps + 1):
        found = problem.breaking(points)
        if found is not None or step == steps:
            return found
        with torch.enable_grad():
            at = points.detach().requires_grad_()
            chosen = problem.values(at)[torch.arange(count), rows].sum()
            if not chosen.requires_grad:
                return None
            (slope,) = torch.autograd.grad(chosen, at, allow_unused=True)
        if slope is None:
            return None
        rate = 0.25 * 0.9**step
        points = (points - rate * width * slope.nan_to_num().sign()).clamp(problem.low, problem.high)
    return None
