"""A condition in its plainest equivalent form: common factors gone, remainders named, each side in order of birth."""

from __future__ import annotations

from ogive.compiler.sizes.arithmetic import added, size
from ogive.compiler.sizes.assume import residue_form
from ogive.compiler.sizes.atoms import Size, Unknown
from ogive.compiler.sizes.case import Case, constant_part, term, without_floor
from ogive.compiler.sizes.condition import (
    AllOf,
    AnyOf,
    Condition,
    Not,
    SizeComparison,
    Truth,
    all_of,
    any_of,
    compare,
    eq,
)
from ogive.compiler.sizes.factor import factors, worth_factoring
from ogive.compiler.sizes.polynomial import common_factor, content
from ogive.compiler.sizes.show import nested_remainder
from ogive.compiler.sizes.truth import find_extreme


def canonical(case: Case, condition: Condition) -> Condition:
    """The same condition, wherever the case holds, as a reader would write it."""
    if isinstance(condition, AllOf):
        return all_of(*(canonical(case, part) for part in condition.parts))
    if isinstance(condition, AnyOf):
        return any_of(*(canonical(case, part) for part in condition.parts))
    if isinstance(condition, Not):
        return canonical(case, condition.part.negate())
    if not isinstance(condition, SizeComparison):
        return condition
    gap = condition.left - condition.right
    if condition.op == "==":
        parts = _extreme_parts(gap) or _separate_parts(case, gap)
        if parts:
            return canonical(case, all_of(*parts))
    if condition.op in ("==", "!="):
        return _equality(case, gap, condition.op)
    return _inequality(case, condition, gap)


def _extreme_parts(gap: Size) -> list[Condition]:
    """`min(a, b) == a` says `a <= b`; likewise for more operands, and for max."""
    extreme = find_extreme(gap)
    sign = gap.terms.get(((extreme, 1),), 0) if extreme is not None else 0
    if extreme is None or abs(sign) != 1:
        return []
    for part in extreme.parts:
        if gap - sign * size(extreme) is -sign * part:
            others = [other for other in extreme.parts if other is not part]
            return [compare("<=" if extreme.sign > 0 else ">=", part, other) for other in others]
    return []


def _separate_parts(case: Case, gap: Size) -> list[Condition]:
    """A sum of parts without a common unknown, each at least its own bound: at the sum of the bounds, each is there."""
    groups: list[tuple[frozenset[Unknown], Size]] = []
    for monomial, coefficient in gap.terms.items():
        part = term(monomial, coefficient)
        for names, other in [g for g in groups if not g[0].isdisjoint(part.unknowns)] if monomial else []:
            groups.remove((names, other))
            part = part + other
        groups.append((part.unknowns, part))
    parts = [part for names, part in groups if names]
    number = size(sum(part.number for names, part in groups if not names))
    for sign in (1, -1):
        lows = [case.range(case.reduce(part * sign))[0] for part in parts]
        known = [low for low in lows if low is not None]
        if len(parts) > 1 and len(known) == len(lows) and sum(known) + number.number * sign == 0:
            return [eq(part * sign, low) for part, low in zip(parts, known, strict=True)]
    return []


def _plain(case: Case, gap: Size) -> Size:
    """Without factors that are at least 1."""
    factor = [(a, e) for a, e in common_factor(gap.terms) if (case.range(case.reduce(size(a)))[0] or 0) >= 1]
    return gap // term(tuple(factor), 1) if factor else gap


def _equality(case: Case, gap: Size, op: str) -> Condition:
    gap = _plain(case, gap)
    factor = content(c for m, c in gap.terms.items() if m)
    if gap.is_number or constant_part(gap) % factor:
        return Truth((op == "!=") != (gap.is_number and gap.number == 0))
    gap = gap // factor
    residue = residue_form(gap)
    if residue is None and worth_factoring(gap):
        parts = [part for part in factors(gap) if not _never_zero(case, part)]
        if parts != [gap] and len(factors(gap)) > 1:
            zero = any_of(*(_equality(case, part, "==") for part in parts))
            return zero if op == "==" else zero.negate()
    if residue is None:
        for signed in (gap, -gap):
            nested = nested_remainder(dict(signed.terms))
            if nested is not None and not any(nested[2]):
                number = constant_part(signed)
                return compare(op, signed - number, -number)
        left, right = _sides(gap)
        return compare(op, left, right) if _introduced(left) <= _introduced(right) else compare(op, right, left)
    q, m, r = residue
    if not m.is_number:
        return compare(op, (q + r) % m, r)
    number = m.number
    if r >= number:
        return Truth(op == "!=")
    names = added(term(mono, c % number) for mono, c in q.terms.items() if mono)
    rest = -constant_part(q) % number
    if all(2 * (c % number) > number for c in names.terms.values()):
        names, rest = added(term(mono, number - c) for mono, c in names.terms.items()), -rest % number
    return compare(op, names % number, rest) if not names.is_number else eq(names, rest)


def _never_zero(case: Case, of: Size) -> bool:
    low, high = case.range(case.reduce(of))
    return (low is not None and low > 0) or (high is not None and high < 0)


def _sides(gap: Size) -> tuple[Size, Size]:
    """`left == right`, both without a leading minus, for `gap == 0`."""
    left = added(term(m, c) for m, c in gap.terms.items() if c > 0)
    return left, left - gap


def _introduced(side: Size) -> tuple[bool, int]:
    return not side.unknowns, min((u.serial for u in side.unknowns), default=0)


def _youngest(side: Size) -> int:
    return max((u.serial for u in side.unknowns), default=-1)


def _inequality(case: Case, condition: SizeComparison, gap: Size) -> Condition:
    """As it was written where nothing can be taken away; else the youngest name stands on the left."""
    least = gap if condition.op in (">=", ">") else -gap
    least = least - 1 if condition.op in (">", "<") else least
    least = _plain(case, without_floor(least))
    factor = content(c for m, c in least.terms.items() if m)
    if least.is_number:
        return Truth(least.number >= 0)
    least = (least - constant_part(least) % factor) // factor
    strict = constant_part(least) < 0 and len(least.unknowns) > 1
    larger, smaller = _sides(least + 1 if strict else least)
    above, below = (">", "<") if strict else (">=", "<=")
    if _youngest(larger) >= _youngest(smaller) and not (larger, smaller) == (condition.right, condition.left):
        return compare(above, larger, smaller)
    return compare(below, smaller, larger)
