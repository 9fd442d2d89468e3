"""Functions of one number between lines: where such a function is convex or concave, and how far it is above a line.

All that is asked is min σ(x) - s x over an interval, for a slope s. On a piece where σ is concave or straight it is
taken at an end; on one where it is convex, a tangent at any point is below, and bisection finds a good point. So what
is returned is never above the true minimum, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf, isinf

import torch
from torch import Tensor

STEPS = 10  # bisections: the error is of second order

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Curve:
    """σ, and the points between which it is convex or concave, with `period` those of one period.

    It lies in `range`, and is defined from `domain[0]` to `domain[1]`; where it is `mirrored`, σ(-x) = -σ(x) there too.
    """

    value: Function
    breaks: tuple[float, ...] = ()
    period: float | None = None
    range: tuple[float, float] = (-inf, inf)
    domain: tuple[float, float] = (-inf, inf)
    mirrored: bool = False
    derivative: Function | None = None  # σ' in a closed form
    exact: bool = False  # nothing is rounded
    slopes: tuple[float, float] = (-inf, inf)  # the least and the largest

    @cached_property
    def bends(self) -> tuple[int, ...]:
        """For each piece 1 where it is convex, -1 where concave, 0 where straight."""
        return tuple(self._bend(low, high) for low, high in self._pieces())

    def _pieces(self) -> list[tuple[float, float]]:
        if self.period is not None:
            return list(zip(self.breaks, (*self.breaks[1:], self.breaks[0] + self.period), strict=True))
        edges = (self.domain[0], *self.breaks, self.domain[1])
        return list(pairwise(edges))

    def _bend(self, low: float, high: float) -> int:
        """Seen near the end that is a number, where it bends most."""
        if isinf(low):
            low = high - 4 if not isinf(high) else -2.0
        high = min(high, low + 4)
        x = torch.linspace(low, high, 9, dtype=torch.float64)[1:-1]
        y = self.value(x)
        bent = y[:-2] - 2 * y[1:-1] + y[2:]
        size = 1e-9 * float(y.abs().max().clamp(min=1e-6))
        return 1 if bool((bent > size).any()) else -1 if bool((bent < -size).any()) else 0

    def slope(self, x: Tensor) -> Tensor:
        """σ'(x)."""
        if self.derivative is not None:
            return self.derivative(x)
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            (found,) = torch.autograd.grad(self.value(at).sum(), at)
        return found

    def least(self, low: Tensor, high: Tensor, slope: Tensor, sign: int = 1) -> tuple[Tensor, Tensor]:
        """Min over [low, high] of sign σ(x) - slope x, and a point where it is nearly taken."""
        shape = (low + high + slope).shape
        low, high, slope = low.expand(shape), high.expand(shape), slope.expand(shape)
        if self.mirrored:
            below = high < 0
            mine = self._least(low.clamp(min=0), high.clamp(min=0), slope, sign)
            theirs = self._least((-high).clamp(min=0), (-low).clamp(min=0), -slope, -sign)
            return torch.where(below, theirs[0], mine[0]), torch.where(below, -theirs[1], mine[1])
        return self._least(low, high, slope, sign)

    def _least(self, low: Tensor, high: Tensor, slope: Tensor, sign: int) -> tuple[Tensor, Tensor]:
        best, place = torch.full_like(slope, inf), low.clone()
        for begin, end, bend in self._reached(low, high):
            a, b = torch.maximum(low, begin), torch.minimum(high, end)
            inside = a <= b
            a, b = torch.minimum(a, high), torch.maximum(b, low)
            value, point = self._on_piece(a, b, slope, sign, sign * bend)
            better = inside & (value < best)
            best, place = torch.where(better, value, best), torch.where(better, point, place)
        bad = best.isnan() | best.isinf() | low.isinf() | high.isinf()
        return torch.where(bad, self._beyond(low, high, slope, sign), best), place

    def _beyond(self, low: Tensor, high: Tensor, slope: Tensor, sign: int) -> Tensor:
        """What is sure where numbers end: the range, less what the line takes."""
        known = self.range[0] if sign > 0 else -self.range[1]
        line = torch.where(slope == 0, 0.0, torch.minimum(-slope * low, -slope * high))
        return (known + line).nan_to_num(nan=-inf, posinf=-inf, neginf=-inf)

    def _reached(self, low: Tensor, high: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
        """The pieces that intervals reach into."""
        if self.period is None:
            for (begin, end), bend in zip(self._pieces(), self.bends, strict=True):
                yield low.new_tensor(begin), low.new_tensor(end), bend
            return
        turn = torch.floor((low - self.breaks[0]) / self.period) * self.period
        long = self.period  # no more than a period: longer intervals take all values, and are cut off before
        for times in range(2):
            for (begin, end), bend in zip(self._pieces(), self.bends, strict=True):
                yield turn + (begin + times * long), turn + (end + times * long), bend

    def _on_piece(self, a: Tensor, b: Tensor, slope: Tensor, sign: int, bend: int) -> tuple[Tensor, Tensor]:
        first, last = sign * self.value(a) - slope * a, sign * self.value(b) - slope * b
        if bend <= 0:
            return torch.minimum(first, last), torch.where(first <= last, a, b)
        begin, end = a, b
        for _ in range(STEPS):
            middle = (begin + end) / 2
            falls = sign * self.slope(middle) < slope
            begin, end = torch.where(falls, middle, begin), torch.where(falls, end, middle)
        point = (begin + end) / 2
        tilt = sign * self.slope(point) - slope
        value = sign * self.value(point) - slope * point
        return value + torch.minimum(tilt * (a - point), tilt * (b - point)), point

    def ends(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the largest value over [low, high]; no number where it may leave what σ is defined on."""
        if self.mirrored:
            below = high < 0
            mine, theirs = self._ends(low, high), self._ends(-high, -low)
            return torch.where(below, -theirs[1], mine[0]), torch.where(below, -theirs[0], mine[1])
        return self._ends(low, high)

    def _ends(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        flat = torch.zeros_like(low)
        outside = (low < self.domain[0]) | (high > self.domain[1])
        low, high = low.clamp(*self.domain), high.clamp(*self.domain)
        whole = high - low > self.period if self.period is not None else torch.zeros_like(outside)
        found = []
        for sign in (1, -1):
            known = self.range[0] if sign > 0 else -self.range[1]
            value = self._least(low, high, flat, sign)[0].clamp(min=known)
            found.append(torch.where(outside, -inf, torch.where(whole, known, value)))
        return found[0], -found[1]
