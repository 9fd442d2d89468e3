"""The shortest condition that says which values of one unknown are members of a periodic set."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from ogive.compiler.sizes.arithmetic import size
from ogive.compiler.sizes.atoms import Size, Unknown
from ogive.compiler.sizes.condition import FALSE, TRUE, Condition, all_of, any_of, eq, ge, le, member, ne
from ogive.compiler.sizes.periodic import PeriodicSet, ResidueRange, runs

FEW = 4  # so many exceptions are named one by one
MANY = 64  # longer starts are not listed
FAR = 4096  # nor looked through


def describe(members: PeriodicSet, unknown: Unknown) -> Condition:
    """The condition, over values from `members.low` on."""
    if members.empty:
        return FALSE
    of = size(unknown)
    members = _joined(members)
    tail = _tail(members)
    if tail is None:
        return _finite(members, of)
    period, residues = _least_period(tail)
    start = _first_match(members, tail, period, residues)
    rule = _remainder(of, period, residues)
    if start <= members.low:
        return rule
    before = [_until(piece, start) for piece in members.pieces if piece.start < start]
    if not any(True for piece in before for _ in piece):
        return _from(members, of, start, rule)
    if start - members.low > FAR or (start - members.low > MANY and any(piece.period > 1 for piece in before)):
        return any_of(*(_piece(piece, of) for piece in (*before, replace(tail, start=start))))
    early = [v for v in range(members.low, start) if v in members]
    missing = [v for v in range(members.low, start) if v not in members]
    ruled = [v for v in missing if v % period in residues]
    outside = [v for v in early if v % period not in residues]
    if len(ruled) <= FEW and not outside:
        return all_of(rule, *(ne(of, v) for v in ruled))
    if not ruled:
        return any_of(rule, _listed(outside, of, members.low))
    later = next(iter(ResidueRange(ruled[-1] + 1, None, period, residues)))
    rest = [v for v in early if v < later or v in outside]
    return any_of(all_of(rule, ge(of, later)), _listed(rest, of, members.low))


def _joined(members: PeriodicSet) -> PeriodicSet:
    """Neighbouring pieces of one rule as one piece: `n <= 7 or n == 8` is `n <= 8`."""
    pieces: list[ResidueRange] = []
    for piece in members.pieces:
        last = pieces[-1] if pieces else None
        if last and (last.stop, last.period, last.residues) == (piece.start, piece.period, piece.residues):
            pieces[-1] = replace(last, stop=piece.stop)
        else:
            pieces.append(piece)
    return PeriodicSet(members.low, tuple(pieces))


def _tail(members: PeriodicSet) -> ResidueRange | None:
    last = members.pieces[-1]
    return last if last.stop is None else None


def _until(piece: ResidueRange, stop: int) -> ResidueRange:
    return replace(piece, stop=stop if piece.stop is None else min(piece.stop, stop))


def _least_period(tail: ResidueRange) -> tuple[int, frozenset[int]]:
    """The smallest period of the residues: without factors that only repeat them, which then divide their number."""
    period, residues = tail.period, tail.residues
    for factor in range(2, len(residues) + 1):
        while period % factor == 0:
            kept = frozenset(r % (period // factor) for r in residues)
            if len(kept) * factor != len(residues):
                break
            period, residues = period // factor, kept
    return period, residues


def _first_match(members: PeriodicSet, tail: ResidueRange, period: int, residues: frozenset[int]) -> int:
    """The first value from which on the rule holds: down from the tail as long as members are where the rule is."""
    start, rule = tail.start, ResidueRange(members.low, None, period, residues)
    while start > members.low:
        ruled, member = rule.below(start), members.below(start)
        if ruled != member:
            return 1 + max(v for v in (ruled, member) if v is not None)
        if ruled is None or start < tail.start - FAR:
            return members.low if ruled is None else start
        start = ruled
    return start


def _remainder(of: Size, period: int, residues: frozenset[int]) -> Condition:
    """`of % period in residues`; by its exceptions where these are fewer."""
    if len(residues) == period:
        return TRUE
    if period - len(residues) < min(len(residues), FEW) and len(residues) > 1:
        return all_of(*(ne(of % period, r) for r in range(period) if r not in residues))
    stretches = runs(sorted(residues))
    if len(residues) > 2 * FEW and len(stretches) <= 2:
        return any_of(*(_run(of % period, period, *run) for run in stretches))
    return member(of % period, residues)


def _run(of: Size, period: int, first: int, last: int) -> Condition:
    if first == last:
        return eq(of, first)
    return all_of(ge(of, first) if first > 0 else TRUE, le(of, last) if last < period - 1 else TRUE)


def _from(members: PeriodicSet, of: Size, start: int, rule: Condition) -> Condition:
    first = next(iter(members))
    if rule == TRUE and start - members.low == 1:
        return ge(of, first) if members.low >= 0 else ne(of, members.low)
    return all_of(rule, ge(of, first))


def _listed(values: list[int], of: Size, low: int) -> Condition:
    """Some numbers: as a range where they follow each other, else one by one."""
    if len(values) > 2 and values[-1] - values[0] == len(values) - 1:
        return all_of(ge(of, values[0]) if values[0] > low else TRUE, le(of, values[-1]))
    return member(of, values)


def _finite(members: PeriodicSet, of: Size) -> Condition:
    if all(piece.stop is not None and piece.stop - piece.start <= MANY for piece in members.pieces):
        values = list(islice(members, MANY + 1))
        if len(values) <= MANY:
            return _listed(values, of, members.low)
    return any_of(*(_piece(piece, of) for piece in members.pieces))


def _piece(piece: ResidueRange, of: Size) -> Condition:
    if piece.stop == piece.start + 1:
        return eq(of, piece.start)
    above = TRUE if piece.stop is None else le(of, piece.stop - 1)
    return all_of(_remainder(of, *_least_period(piece)), ge(of, piece.start), above)
