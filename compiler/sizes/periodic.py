"""The exact set of values of one unknown at which a condition holds: periodic between the places where signs change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd, lcm

from ogive.compiler.sizes.atoms import Compound, Floor, Max, Min, Unknown
from ogive.compiler.sizes.columns import Table
from ogive.compiler.sizes.condition import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Member,
    Not,
    all_of,
    any_of,
    compare,
    le,
    lt,
)
from ogive.compiler.sizes.effort import Effort
from ogive.compiler.sizes.size import Size, rebuild, size

MAX_PERIOD = 4096
MAX_POINTS = 20_000
MAX_SPLITS = 64
CACHE = 1 << 12


@dataclass(frozen=True, slots=True)
class Piece:
    """The members from `start` up to and without `stop`: those whose remainder by `period` is among `residues`."""

    start: int
    stop: int | None
    period: int
    residues: frozenset[int]

    def holds(self, value: int) -> bool:
        """Whether the value is in this piece and a member."""
        return self.start <= value and (self.stop is None or value < self.stop) and value % self.period in self.residues


@dataclass(frozen=True, slots=True)
class PeriodicSet:
    """A set of integers from `low` on, made of periodic pieces in increasing order."""

    low: int
    pieces: tuple[Piece, ...]

    def __contains__(self, value: int) -> bool:
        return any(piece.holds(value) for piece in self.pieces)

    def __iter__(self) -> Iterator[int]:
        for piece in self.pieces:
            at = piece.start
            while piece.residues and (piece.stop is None or at < piece.stop):
                if at % piece.period in piece.residues:
                    yield at
                at += 1

    @property
    def empty(self) -> bool:
        """Whether there is no member."""
        return next(iter(self), None) is None

    def below(self, value: int) -> int | None:
        """The largest member under the value."""
        for piece in reversed(self.pieces):
            top = value if piece.stop is None else min(value, piece.stop)
            for at in range(top - 1, max(piece.start, top - piece.period) - 1, -1):
                if at % piece.period in piece.residues:
                    return at
        return None

    def above(self, value: int) -> int | None:
        """The smallest member over the value."""
        for piece in self.pieces:
            bottom = max(value + 1, piece.start)
            stop = bottom + piece.period if piece.stop is None else min(piece.stop, bottom + piece.period)
            for at in range(bottom, stop):
                if at % piece.period in piece.residues:
                    return at
        return None


@dataclass(frozen=True, slots=True)
class Line:
    """A quasi-linear size f: `slope*x + low <= over*f(x) <= slope*x + high`, and `f(x + period) - f(x)` is constant."""

    slope: int
    low: int
    high: int
    over: int
    period: int


@lru_cache(CACHE)
def quasi_line(of: Size) -> Line | None:
    """The line that a size in one unknown follows; None where it has products, powers, minima or maxima."""
    parts: list[tuple[int, Line]] = []
    for monomial, coefficient in of.terms.items():
        if len(monomial) > 1 or (monomial and monomial[0][1] != 1):
            return None
        part = _atom_line(monomial[0][0]) if monomial else Line(0, 1, 1, 1, 1)
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
    return Line(slope, low, high, over, period) if period <= MAX_PERIOD else None


def _atom_line(atom: Unknown | Compound) -> Line | None:
    if isinstance(atom, Unknown):
        return Line(1, 0, 0, 1, 1)
    if not isinstance(atom, Floor) or not atom.den.is_number:
        return None
    num = quasi_line(atom.num)
    if num is None:
        return None
    m = atom.den.number
    step, rest = divmod(num.slope * num.period, num.over)
    assert rest == 0, atom
    period = num.period * (m // gcd(m, step))
    return Line(num.slope, num.low + num.over * (1 - m), num.high, num.over * m, period)


def truth_set(
    condition: Condition, unknown: Unknown, low: int, high: int | None = None, *, effort: Effort
) -> PeriodicSet | None:
    """The values from `low` to `high` at which the condition holds; None where it is not quasi-linear."""
    condition = _without_extremes(condition, MAX_SPLITS)
    period, zones = 1, []
    for of, least, most in _compared(condition):
        line = quasi_line(of)
        zone = crossing(line, least, most) if line is not None else _root_bound(of, least, most)
        period = lcm(period, line.period) if line is not None else period
        if zone is None or period > MAX_PERIOD:
            return None
        zones.append(zone)
    spans = _spans(sorted(zones), period, low, None if high is None else high + 1)
    if sum(stop - start for start, stop, _ in spans) > MAX_POINTS:
        return None
    effort.spend(1 + sum(stop - start for start, stop, _ in spans) * condition.weight // 100)
    return _evaluated(condition, unknown, low, spans, period)


def crossing(line: Line, least: int, most: int) -> tuple[int, int]:
    """Where a quasi-linear size may lie between two numbers: from, and up to but not including."""
    if line.slope == 0:
        return 0, 0
    edges = sorted((least * line.over - line.high, most * line.over - line.low), reverse=line.slope < 0)
    return edges[0] // line.slope, 1 - (edges[1] // -line.slope)


def _root_bound(of: Size, least: int, most: int) -> tuple[int, int] | None:
    """The same for a polynomial: Cauchy's bound on its roots. None where it holds more than powers of one unknown."""
    powers = {m[0][1] if m else 0: c for m, c in of.terms.items() if not m or isinstance(m[0][0], Unknown)}
    if len(powers) < len(of.terms) or any(len(m) > 1 for m in of.terms):
        return None
    top = abs(powers[max(powers)])
    rest = max((abs(c) for power, c in powers.items() if 0 < power < max(powers)), default=0)
    bound = 2 + max(rest, *(abs(powers.get(0, 0) - edge) for edge in (least, most))) // top
    return -bound, bound + 1


def _spans(zones: list[tuple[int, int]], period: int, low: int, end: int | None) -> list[tuple[int, int, int | None]]:
    """What to evaluate: `(from, to, until)`, where the values up to `until` repeat those between from and to."""
    spans: list[tuple[int, int, int | None]] = []
    at = low
    for start, stop in [*zones, (None, None)]:
        until = end if start is None else (start if end is None else min(start, end))
        if until is None or at < until:
            first = at + period if until is None else min(at + period, until)
            spans.append((at, first, until))
            at = first if until is None else until
        if stop is None or (end is not None and at >= end):
            break
        stop = stop if end is None else min(stop, end)
        if at < stop:
            spans.append((at, stop, stop))
            at = stop
    return spans


def _evaluated(
    condition: Condition, unknown: Unknown, low: int, spans: list[tuple[int, int, int | None]], period: int
) -> PeriodicSet:
    values = [v for start, stop, _ in spans for v in range(start, stop)]
    holds = Table({unknown: values}, len(values)).condition(condition)
    pieces: list[Piece] = []
    at = 0
    for start, stop, until in spans:
        members = [v for v, held in zip(range(start, stop), holds[at : at + stop - start], strict=True) if held]
        at += stop - start
        if until == stop:
            pieces.extend(Piece(v, v + 1, 1, frozenset((0,))) for v in members)
        elif members:
            pieces.append(Piece(start, until, period, frozenset(v % period for v in members)))
    return PeriodicSet(low, tuple(pieces))


def _compared(condition: Condition) -> Iterator[tuple[Size, int, int]]:
    """The sizes whose signs the condition hangs on, as `(size, least, most)`: it is compared with numbers between."""
    if isinstance(condition, Compare):
        yield condition.left - condition.right, 0, 0
    elif isinstance(condition, Member):
        yield condition.of, min(condition.values), max(condition.values)
    elif isinstance(condition, Not):
        yield from _compared(condition.part)
    elif isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from _compared(part)


def _without_extremes(condition: Condition, budget: int) -> Condition:
    """The same condition with minima and maxima split: either operand, and then it is the smaller (the larger) one."""
    if isinstance(condition, AllOf | AnyOf):
        parts = [_without_extremes(part, budget) for part in condition.parts]
        return all_of(*parts) if isinstance(condition, AllOf) else any_of(*parts)
    if isinstance(condition, Not):
        return _without_extremes(condition.part.negate(), budget)
    of = condition.left - condition.right if isinstance(condition, Compare) else getattr(condition, "of", size(0))
    extreme = find_extreme(of)
    if extreme is None or budget <= 1:
        return condition
    options: list[Condition] = []
    for at, part in enumerate(extreme.parts):
        changed = with_operand(of, extreme, part)
        if changed is None:
            continue
        chosen_there = _first_best(extreme, at)
        if isinstance(condition, Compare):
            there: Condition = compare(condition.op, changed, 0)
        else:
            assert isinstance(condition, Member), condition
            there = Member(changed, condition.values)
        options.append(_without_extremes(all_of(*chosen_there, there), budget // len(extreme.parts)))
    return any_of(*options)


def _first_best(extreme: Compound, at: int) -> list[Condition]:
    """That the operand at this place is the first of the smallest (the largest) ones."""
    part = extreme.parts[at]
    found: list[Condition] = []
    for place, other in enumerate(extreme.parts):
        if place != at:
            smaller, larger = (part, other) if isinstance(extreme, Min) else (other, part)
            found.append(lt(smaller, larger) if place < at else le(smaller, larger))
    return found


def find_extreme(of: Size) -> Compound | None:
    """A minimum or maximum in a size, an outer one first."""
    for monomial in of.terms:
        for atom, _ in monomial:
            if isinstance(atom, Min | Max):
                return atom
            inner = (find_extreme(part) for part in atom.parts) if isinstance(atom, Compound) else ()
            found = next((extreme for extreme in inner if extreme is not None), None)
            if found is not None:
                return found
    return None


def with_operand(of: Size, extreme: Compound, part: Size) -> Size | None:
    """The size with one operand in place of a minimum or maximum; None where this one is a divisor that is 0."""
    try:
        return rebuild(of, lambda new, atom: part if atom is extreme else new)
    except ZeroDivisionError:
        return None
