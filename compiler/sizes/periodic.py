"""Sets of integers that are periodic between the places where something changes, and the lines that sizes follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from math import gcd, lcm

from ogive.compiler.sizes.atoms import Compound, Floor, Size, Unknown

MAX_PERIOD = 4096
MAX_RESIDUES = 4096
CACHE = 1 << 12


@dataclass(frozen=True, slots=True)
class ResidueRange:
    """The members from `start` up to and without `stop`: those whose remainder by `period` is among `residues`."""

    start: int
    stop: int | None
    period: int
    residues: frozenset[int]

    def holds(self, value: int) -> bool:
        """Whether the value is in this piece and a member."""
        return self.start <= value and (self.stop is None or value < self.stop) and value % self.period in self.residues

    def __iter__(self) -> Iterator[int]:
        residues = sorted(self.residues)
        for cycle in count(self.start // self.period) if residues else ():
            for residue in residues:
                value = cycle * self.period + residue
                if self.stop is not None and value >= self.stop:
                    return
                if value >= self.start:
                    yield value

    def below(self, value: int) -> int | None:
        """The largest member under the value."""
        top = (value if self.stop is None else min(value, self.stop)) - 1
        cycle, place = divmod(top, self.period)
        here = max((r for r in self.residues if r <= place), default=None)
        if here is None and self.residues:
            cycle, here = cycle - 1, max(self.residues)
        found = None if here is None else cycle * self.period + here
        return found if found is not None and found >= self.start else None


@dataclass(frozen=True, slots=True)
class PeriodicSet:
    """A set of integers from `low` on, made of periodic pieces in increasing order."""

    low: int
    pieces: tuple[ResidueRange, ...]

    def __contains__(self, value: int) -> bool:
        return any(piece.holds(value) for piece in self.pieces)

    def __iter__(self) -> Iterator[int]:
        for piece in self.pieces:
            yield from piece

    @property
    def empty(self) -> bool:
        """Whether there is no member."""
        return next(iter(self), None) is None

    def below(self, value: int) -> int | None:
        """The largest member under the value."""
        found = (piece.below(value) for piece in reversed(self.pieces))
        return next((member for member in found if member is not None), None)

    def above(self, value: int) -> int | None:
        """The smallest member over the value."""
        for piece in self.pieces:
            least = next(
                iter(ResidueRange(max(piece.start, value + 1), piece.stop, piece.period, piece.residues)), None
            )
            if least is not None:
                return least
        return None


def runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of increasing numbers that follow each other."""
    starts = [at for at, v in enumerate(values) if at == 0 or values[at - 1] != v - 1]
    ends = [*(at - 1 for at in starts[1:]), len(values) - 1]
    return [(values[first], values[last]) for first, last in zip(starts, ends, strict=False)]


def joined(low: int, pieces: list[ResidueRange]) -> PeriodicSet | None:
    """The members of any of some pieces, which may lie over one another; None of too many residues."""
    edges = sorted({piece.start for piece in pieces} | {piece.stop for piece in pieces if piece.stop is not None})
    found: list[ResidueRange] = []
    for start, stop in zip(edges, [*edges[1:], None], strict=False):
        here = [p for p in pieces if p.start <= start and (p.stop is None or start < p.stop) and p.residues]
        period = lcm(*(piece.period for piece in here))
        if sum(len(piece.residues) * (period // piece.period) for piece in here) > MAX_RESIDUES:
            return None
        cycles = ((piece, cycle) for piece in here for cycle in range(period // piece.period))
        residues = frozenset(residue + cycle * piece.period for piece, cycle in cycles for residue in piece.residues)
        if residues:
            found.append(ResidueRange(start, stop, period, residues))
    return PeriodicSet(low, tuple(found))


@dataclass(frozen=True, slots=True)
class QuasiLine:
    """A quasi-linear size f: `slope*x + low <= over*f(x) <= slope*x + high`, and `f(x + period) - f(x)` is constant."""

    slope: int
    low: int
    high: int
    over: int
    period: int


@lru_cache(CACHE)
def quasi_line(of: Size) -> QuasiLine | None:
    """The line that a size in one unknown follows; None where it has products, powers, minima or maxima."""
    parts: list[tuple[int, QuasiLine]] = []
    for monomial, coefficient in of.terms.items():
        if len(monomial) > 1 or (monomial and monomial[0][1] != 1):
            return None
        part = _atom_line(monomial[0][0]) if monomial else QuasiLine(0, 1, 1, 1, 1)
        if part is None:
            return None
        parts.append((coefficient, part))
    over = lcm(*(part.over for _, part in parts))
    period = lcm(*(part.period for _, part in parts))
    slope = low = high = 0
    for coefficient, part in parts:
        scale = coefficient * (over // part.over)
        edges = (scale * part.low, scale * part.high)
        slope, low, high = slope + scale * part.slope, low + min(edges), high + max(edges)
    return QuasiLine(slope, low, high, over, period) if period <= MAX_PERIOD else None


def _atom_line(atom: Unknown | Compound) -> QuasiLine | None:
    if isinstance(atom, Unknown):
        return QuasiLine(1, 0, 0, 1, 1)
    if not isinstance(atom, Floor) or not atom.den.is_number:
        return None
    num = quasi_line(atom.num)
    if num is None:
        return None
    m = atom.den.number
    step, rest = divmod(num.slope * num.period, num.over)
    assert rest == 0, atom
    period = num.period * (m // gcd(m, step))
    return QuasiLine(num.slope, num.low + num.over * (1 - m), num.high, num.over * m, period)


def crossing(line: QuasiLine, least: int, most: int) -> tuple[int, int]:
    """Where a quasi-linear size may lie between two numbers: from, and up to but not including."""
    if line.slope == 0:
        return 0, 0
    edges = sorted((least * line.over - line.high, most * line.over - line.low), reverse=line.slope < 0)
    return edges[0] // line.slope, 1 - (edges[1] // -line.slope)
