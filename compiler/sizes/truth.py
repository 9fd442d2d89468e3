"""The exact set of values of one unknown at which a condition holds: periodic between the places where signs change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import lcm

from ogive.compiler.sizes.arithmetic import rebuild, size
from ogive.compiler.sizes.atoms import Compound, Extreme, Size, Unknown
from ogive.compiler.sizes.columns import Table
from ogive.compiler.sizes.condition import (
    AllOf,
    AnyOf,
    Condition,
    Member,
    Not,
    SizeComparison,
    all_of,
    any_of,
    compare,
    le,
    lt,
)
from ogive.compiler.sizes.effort import Effort
from ogive.compiler.sizes.periodic import MAX_PERIOD, PeriodicSet, ResidueRange, crossing, joined, quasi_line, runs

MAX_POINTS = 20_000
MAX_SPLITS = 64
MAX_CLASSES = 16  # residue classes that are looked into one by one


def truth_set(
    condition: Condition, unknown: Unknown, low: int, high: int | None = None, *, effort: Effort
) -> PeriodicSet | None:
    """The values from `low` to `high` at which the condition holds; None where it is not quasi-linear."""
    condition = _without_extremes(condition, MAX_SPLITS)
    found = _over_one_period(condition, unknown, low, high, effort)
    if found is not None or not isinstance(condition, AllOf):
        return found
    return _class_by_class(condition.parts, unknown, low, high, effort)


def _over_one_period(
    condition: Condition, unknown: Unknown, low: int, high: int | None, effort: Effort
) -> PeriodicSet | None:
    """The same by looking at each value of a period; None where that is too long."""
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


def _class_by_class(
    parts: Sequence[Condition], unknown: Unknown, low: int, high: int | None, effort: Effort
) -> PeriodicSet | None:
    """Where the common period is too long: the parts of short periods leave residue classes, `unknown = m*t + r`, on
    which the others are conditions on t of shorter periods: `n % 2 == 0 and n//2 % 2 == 0 and n//4 % 2 == 0 ...`.
    """
    first, rest = _of_short_periods(parts)
    known = _over_one_period(all_of(*first), unknown, low, high, effort) if first and rest else None
    if known is None or sum(len(piece.residues) for piece in known.pieces) > MAX_CLASSES:
        return None
    share, found = Unknown(f"{unknown.name}'", 0), list[ResidueRange]()
    for piece in known.pieces:
        for residue in piece.residues:
            least = next(iter(ResidueRange(piece.start, piece.stop, piece.period, frozenset((residue,)))), None)
            if least is None:
                continue
            last = None if piece.stop is None else (piece.stop - 1 - least) // piece.period
            there = all_of(*rest).subs({unknown: piece.period * size(share) + least})
            inner = truth_set(there, share, 0, last, effort=effort)
            if inner is None:
                return None
            found += [_scaled(each, piece.period, least) for each in inner.pieces]
    return joined(low, found)


def _of_short_periods(parts: Sequence[Condition]) -> tuple[list[Condition], list[Condition]]:
    """The parts, those of the shortest periods first, up to where their common period would be too long; the others."""
    periods = [(_period(part), at) for at, part in enumerate(parts)]
    first, common = list[int](), 1
    for period, at in sorted((p, at) for p, at in periods if p is not None):
        if lcm(common, period) <= MAX_PERIOD:
            common = lcm(common, period)
            first.append(at)
    return [parts[at] for at in sorted(first)], [part for at, part in enumerate(parts) if at not in first]


def _period(condition: Condition) -> int | None:
    lines = [quasi_line(of) for of, _, _ in _compared(condition)]
    return None if None in lines else lcm(*(line.period for line in lines if line is not None))


def _scaled(piece: ResidueRange, by: int, offset: int) -> ResidueRange:
    """The piece of `by*t + offset` for t in a piece."""
    stop = None if piece.stop is None else piece.stop * by + offset
    period = piece.period * by
    return ResidueRange(
        piece.start * by + offset, stop, period, frozenset((r * by + offset) % period for r in piece.residues)
    )


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
    pieces: list[ResidueRange] = []
    at = 0
    for start, stop, until in spans:
        members = [v for v, held in zip(range(start, stop), holds[at : at + stop - start], strict=True) if held]
        at += stop - start
        if until == stop:
            pieces.extend(ResidueRange(first, last + 1, 1, frozenset((0,))) for first, last in runs(members))
        elif members:
            pieces.append(ResidueRange(start, until, period, frozenset(v % period for v in members)))
    return PeriodicSet(low, tuple(pieces))


def _compared(condition: Condition) -> Iterator[tuple[Size, int, int]]:
    """The sizes whose signs the condition depends on, as `(size, least, most)`: it is compared with numbers between."""
    if isinstance(condition, SizeComparison):
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
    of = (
        condition.left - condition.right if isinstance(condition, SizeComparison) else getattr(condition, "of", size(0))
    )
    extreme = find_extreme(of)
    if extreme is None or budget <= 1:
        return condition
    options: list[Condition] = []
    for at, part in enumerate(extreme.parts):
        changed = with_operand(of, extreme, part)
        if changed is None:
            continue
        chosen_there = _first_best(extreme, at)
        if isinstance(condition, SizeComparison):
            there: Condition = compare(condition.op, changed, 0)
        else:
            assert isinstance(condition, Member), condition
            there = Member(changed, condition.values)
        options.append(_without_extremes(all_of(*chosen_there, there), budget // len(extreme.parts)))
    return any_of(*options)


def _first_best(extreme: Extreme, at: int) -> list[Condition]:
    """That the operand at this place is the first of the smallest (the largest) ones."""
    part = extreme.parts[at]
    found: list[Condition] = []
    for place, other in enumerate(extreme.parts):
        if place != at:
            smaller, larger = (part, other) if extreme.sign > 0 else (other, part)
            found.append(lt(smaller, larger) if place < at else le(smaller, larger))
    return found


def find_extreme(of: Size) -> Extreme | None:
    """A minimum or maximum in a size, an outer one first."""
    for monomial in of.terms:
        for atom, _ in monomial:
            if isinstance(atom, Extreme):
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
