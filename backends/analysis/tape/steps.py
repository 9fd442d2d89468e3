"""The steps of a tape: what depends on the box, as affine maps, functions of one number, products, and ranges.

Values have a first axis of boxes or points, [B, *shape]; coefficients a second one of rows, [B, R, *shape].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ogive.backends.analysis.tape.curves import Curve
    from ogive.grammar.source import Span

Run = Callable[..., Tensor]
Ends = tuple[Tensor, Tensor]
DENSE = 1 << 22  # entries of a matrix that is written out


@dataclass(frozen=True, slots=True)
class StepOrigin:
    """The operation that a step is of, or a part of."""

    path: str
    op: str
    span: Span | None = None


@dataclass(frozen=True)
class BoxStep:
    """An input that lies in a box, or a weight that does."""

    shape: tuple[int, ...]
    name: str
    origin: StepOrigin
    parents: tuple[int, ...] = ()


@dataclass(frozen=True)
class AffineStep:
    """y = J x + k. `run` computes it of one point; `magnitude` is |J| r, None where no entry of J is below 0.

    An entry of y sums so many `terms` (0: numbers are moved, which rounds nothing), and lies `within` these ends, of
    which it is known otherwise.
    """

    shape: tuple[int, ...]
    run: Run
    parents: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    origin: StepOrigin
    terms: int
    magnitude: Run | None = None
    within: tuple[float, float] | None = None

    @cached_property
    def constant(self) -> Tensor:
        """The result of zeros, k."""
        return self.run(*(torch.zeros(shape, dtype=torch.float64) for shape in self.shapes))

    @cached_property
    def dense(self) -> tuple[Tensor, ...] | None:
        """J for each parent as a matrix [out, in], where these are small enough to be written out."""
        out = prod(self.shape)
        if any(out * prod(shape) > DENSE for shape in self.shapes):
            return None
        found = []
        for at, shape in enumerate(self.shapes):
            count = prod(shape)
            units = torch.eye(count, dtype=torch.float64).reshape(count, *shape)
            columns = over(lambda unit, at=at: self.linear(at, unit), units) if count else units.new_zeros(0, out)
            found.append(columns.reshape(count, out).T.contiguous())
        return tuple(found)

    def linear(self, at: int, x: Tensor) -> Tensor:
        """J x for one parent, of one point."""
        return self.run(*self._alone(at, x)) - self.constant

    def _alone(self, at: int, x: Tensor) -> list[Tensor]:
        return [x if i == at else torch.zeros(s, dtype=torch.float64) for i, s in enumerate(self.shapes)]

    def spread(self, radii: Sequence[Tensor]) -> Tensor:
        """|J| r of one point."""
        return self.run(*radii) - self.constant if self.magnitude is None else self.magnitude(*radii)

    def back(self, rows: Tensor) -> list[Tensor]:
        """A J for each parent, of rows A [N, *shape]."""
        dense = self.dense
        if dense is not None:
            flat = rows.reshape(rows.shape[0], -1)
            return [(flat @ matrix).reshape(-1, *s) for matrix, s in zip(dense, self.shapes, strict=True)]
        return transposed(self.run, self.shapes, rows)


@dataclass(frozen=True)
class CurveStep:
    """y = σ(x), entry by entry."""

    shape: tuple[int, ...]
    curve: Curve
    parents: tuple[int, ...]
    origin: StepOrigin

    def run(self, x: Tensor) -> Tensor:
        return self.curve.value(x)


@dataclass(frozen=True)
class ProductStep:
    """y = B(a, b), linear in either, with coefficients that are 0 or above. `pointwise`: entries meet one by one."""

    shape: tuple[int, ...]
    run: Run
    parents: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    origin: StepOrigin
    terms: int
    pointwise: bool = False


@dataclass(frozen=True)
class RangeStep:
    """A function of which ends are known from those of its operands. `chosen`: each result is one of the entries, the
    largest of some, so that those chosen at the lower ends are below it.
    """

    shape: tuple[int, ...]
    run: Run
    ends: Callable[[Sequence[Ends]], Ends]
    parents: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    origin: StepOrigin
    chosen: bool = False
    rounds: bool = False  # it computes, and does not only choose
    lipschitz: float | None = None  # the most that it moves for a step of its operands, where that is known


Step = BoxStep | AffineStep | CurveStep | ProductStep | RangeStep


@dataclass(slots=True)
class Tape:
    """Steps in order, and which are the outputs; an output that does not depend on the box is a tensor."""

    steps: list[Step] = field(default_factory=list)
    outputs: list[int | Tensor] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def boxes(self) -> list[int]:
        return [at for at, step in enumerate(self.steps) if isinstance(step, BoxStep)]

    def values(self, points: Sequence[Tensor]) -> list[Tensor]:
        """The value of each step at points [B, *shape] of the boxes, in order."""
        given = iter(points)
        found: list[Tensor] = []
        for step in self.steps:
            if isinstance(step, BoxStep):
                found.append(next(given))
            elif isinstance(step, CurveStep):
                found.append(step.run(found[step.parents[0]]))
            elif not step.parents:  # of which nothing is known
                found.append(step.run().expand(points[0].shape[0], *step.shape))
            else:
                found.append(over(step.run, *(found[parent] for parent in step.parents)))
        return found

    def results(self, points: Sequence[Tensor]) -> list[Tensor]:
        """The outputs at points [B, *shape] of the boxes."""
        found, count = self.values(points), points[0].shape[0]
        return [found[each] if isinstance(each, int) else each.expand(count, *each.shape) for each in self.outputs]


def over(run: Run, *values: Tensor) -> Tensor:
    """A function of one point at each of many, [B, *shape]."""
    count = values[0].shape[0]
    if count == 1:
        return run(*(value[0] for value in values))[None]
    if count == 0:
        return torch.stack([run(*(value.new_zeros(value.shape[1:]) for value in values))])[:0]
    return torch.vmap(run)(*values)


def transposed(run: Run, shapes: Sequence[tuple[int, ...]], rows: Tensor) -> list[Tensor]:
    """A J for each operand of an affine function, of rows A [N, *shape]."""
    zeros = tuple(torch.zeros(shape, dtype=torch.float64) for shape in shapes)
    back: Any = torch.func.vjp(run, *zeros)[1]
    return list(torch.vmap(back)(rows))
