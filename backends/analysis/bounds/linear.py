"""Linear bounds by substitution from the results back to the box (CROWN): rows A of A y, never above what it can be.

Zhang et al. 2018, arXiv:1811.00866; products by McCormick's planes, as Shi et al. 2025, arXiv:2405.21063.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.bounds.intervals import BoxState
from ogive.backends.analysis.bounds.relax import Lines, Planes, Relaxation, relaxed
from ogive.backends.analysis.tape.steps import AffineStep, BoxStep, CurveStep, ProductStep, RangeStep, Tape, over

ROWS = 256  # rows that are substituted at once
MOST = 4096  # entries of a value whose ends are tightened; more keep those of intervals
ROUNDING = 2.0**-48


@dataclass(slots=True)
class BackResult:
    """The least that rows can be, [B, R], and the coefficients of the boxes, by step."""

    lower: Tensor
    boxes: dict[int, Tensor]


def lowest(
    tape: Tape, state: BoxState, start: Mapping[int, Tensor], relaxations: Mapping[int, Relaxation]
) -> BackResult:
    """The least of Σ A y over some steps y, for rows A [B, R, *shape] of each."""
    pending = dict(start)
    some = next(iter(start.values()))
    total = torch.zeros(some.shape[:2], dtype=torch.float64)
    mass = torch.zeros_like(total)  # of what was added: our own roundings are a part of it
    boxes: dict[int, Tensor] = {}

    def add(rows: Tensor, part: Tensor) -> None:
        nonlocal total, mass
        product = torch.where(rows == 0, 0.0, rows * part).reshape(*rows.shape[:2], -1)
        total, mass = total + product.sum(-1), mass + product.detach().abs().sum(-1)

    def hand(at: int, rows: Tensor) -> None:
        pending[at] = pending[at] + rows if at in pending else rows

    for at in range(len(tape.steps) - 1, -1, -1):
        rows = pending.pop(at, None)
        if rows is None:
            continue
        step = tape.steps[at]
        add(-rows.abs(), state.slack[at][:, None])
        match step:
            case BoxStep():
                boxes[at] = rows
                low, high = state.low[at][:, None], state.high[at][:, None]
                add(rows.clamp(min=0), low)
                add(rows.clamp(max=0), high)
            case AffineStep():
                add(rows, step.constant)
                flat = rows.reshape(-1, *step.shape)
                for parent, back in zip(step.parents, step.back(flat), strict=True):
                    hand(parent, back.reshape(*rows.shape[:2], *back.shape[1:]))
            case CurveStep():
                lines = relaxations[at]
                assert isinstance(lines, Lines)
                up, down = rows.clamp(min=0), rows.clamp(max=0)
                add(up, lines.low_offset)
                add(down, lines.high_offset)
                hand(step.parents[0], up * lines.low_slope + down * lines.high_slope)
            case ProductStep():
                planes = relaxations[at]
                assert isinstance(planes, Planes)
                if any(
                    not each[parent].isfinite().all() for each in (state.low, state.high) for parent in step.parents
                ):
                    add(rows.clamp(min=0), state.low[at][:, None])
                    add(rows.clamp(max=0), state.high[at][:, None])
                    continue
                _product(step, state, rows, planes, add, hand)
            case RangeStep():
                add(rows.clamp(max=0), state.high[at][:, None])
                up = rows.clamp(min=0)
                if not step.chosen:
                    add(up, state.low[at][:, None])
                else:
                    low = state.low[step.parents[0]]
                    hand(step.parents[0], _at_each(step, low, up))
    return BackResult(total - ROUNDING * (mass + total.detach().abs()), boxes)


def _at_each(step: RangeStep, low: Tensor, rows: Tensor) -> Tensor:
    """Rows times the choice that the step makes at the lower ends."""

    def one(point: Tensor, some: Tensor) -> Tensor:
        back: Any = torch.func.vjp(step.run, point)[1]
        return torch.vmap(back)(some)[0]  # type: ignore[no-any-return]

    finite = low.clamp(-1e200, 1e200)
    return torch.stack([one(point, some) for point, some in zip(finite, rows, strict=True)])


def _product(step: ProductStep, state: BoxState, rows: Tensor, planes: Planes, add: object, hand: object) -> None:
    """Each entry by a mixture of its two planes, those below where its coefficient is positive."""
    x, y = step.parents
    xs, ys = (state.low[x], state.high[x]), (state.low[y], state.high[y])
    up, down = rows.clamp(min=0), rows.clamp(max=0)
    # (part of the rows, which end of x meets y, which end of y meets x)
    parts = (
        (up * planes.low, 0, 0), (up * (1 - planes.low), 1, 1), (down * planes.high, 0, 1),
        (down * (1 - planes.high), 1, 0),
    )  # fmt: skip
    for part, x_end, y_end in parts:
        if not part.requires_grad and not bool(part.any()):
            continue
        first, second = xs[x_end], ys[y_end]
        add(-part, over(step.run, first, second)[:, None])  # type: ignore[operator]
        hand(x, _factor_back(step, 0, part, second))  # type: ignore[operator]
        hand(y, _factor_back(step, 1, part, first))  # type: ignore[operator]


def _factor_back(step: ProductStep, at: int, rows: Tensor, other: Tensor) -> Tensor:
    """Rows [B, R, *shape] of B(x, y) as rows of one factor, the other being fixed [B, *shape]."""
    shape = step.shapes[at]
    if step.pointwise:
        return _summed_to(rows * _lifted(other, len(step.shape))[:, None], shape)

    def one(some: Tensor, fixed: Tensor) -> Tensor:
        def run(x: Tensor) -> Tensor:
            return step.run(x, fixed) if at == 0 else step.run(fixed, x)

        back: Any = torch.func.vjp(run, torch.zeros(shape, dtype=torch.float64))[1]
        return torch.vmap(back)(some)[0]  # type: ignore[no-any-return]

    return torch.vmap(one)(rows, other)


def _lifted(x: Tensor, rank: int) -> Tensor:
    """[B, *shape] with axes of 1 before the shape, so that it broadcasts to `rank` axes."""
    return x.reshape(x.shape[0], *(1 for _ in range(rank - x.ndim + 1)), *x.shape[1:])


def _summed_to(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Rows [B, R, *broadcast] summed over what was broadcast."""
    extra = rows.ndim - 2 - len(shape)
    if extra:
        rows = rows.sum(tuple(range(2, 2 + extra)))
    ones = [2 + at for at, n in enumerate(shape) if n == 1 and rows.shape[2 + at] != 1]
    return rows.sum(ones, keepdim=True) if ones else rows


def linear_bounds(
    tape: Tape, boxes: Sequence[tuple[Tensor, Tensor]], unit: float, most: int = MOST
) -> tuple[BoxState, dict[int, Relaxation]]:
    """Ends of all steps, those before anything that is not linear by substitution, met with intervals."""
    state, given = BoxState(unit), iter(boxes)
    relaxations: dict[int, Relaxation] = {}
    asked = {
        parent
        for step in tape.steps
        if isinstance(step, CurveStep | ProductStep | RangeStep)
        for parent in step.parents
    }
    for at, step in enumerate(tape.steps):
        state.add(step, next(given) if isinstance(step, BoxStep) else None)
        found = relaxed(tape, state, at)
        if found is not None:
            relaxations[at] = found
        if at in asked and not isinstance(step, BoxStep) and 0 < prod(step.shape) <= most:
            state.tighten(at, *_ends(tape, state, at, relaxations))
    return state, relaxations


def _ends(tape: Tape, state: BoxState, at: int, relaxations: Mapping[int, Relaxation]) -> tuple[Tensor, Tensor]:
    """The ends of a step by substitution."""
    shape, batch = tape.steps[at].shape, state.low[at].shape[0]
    count = prod(shape)
    units = torch.eye(count, dtype=torch.float64).reshape(count, *shape)
    found = []
    for sign in (1.0, -1.0):
        parts = []
        for begin in range(0, count, ROWS):
            some = sign * units[begin : begin + ROWS]
            rows = some.expand(batch, *some.shape)
            parts.append(sign * lowest(tape, state, {at: rows}, relaxations).lower)
        found.append(torch.cat(parts, 1).reshape(batch, *shape))
    return found[0], found[1]
