"""The shortest list of conditions that says the same as some conditions do together, under what is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ogive.compiler.sizes.arithmetic import size
from ogive.compiler.sizes.atoms import Floor, Unknown
from ogive.compiler.sizes.canonical import canonical
from ogive.compiler.sizes.condition import FALSE, AllOf, Condition, SizeComparison, all_of, eq
from ogive.compiler.sizes.describe import describe
from ogive.compiler.sizes.facts import Facts


def simplify(facts: Facts, conditions: Iterable[Condition]) -> list[Condition]:
    """Conditions in the order of their first mention; `[FALSE]` where they cannot hold together."""
    given = tuple(conditions)
    return list(facts.recall(("simplify", given), lambda: _simplified(facts, given)))


def _simplified(facts: Facts, conditions: tuple[Condition, ...]) -> list[Condition]:
    plain = [canonical(facts.base, part) for condition in conditions for part in _parts(condition)]
    parts = list(dict.fromkeys(c for condition in plain for c in _parts(condition)))
    parts = [part for part in parts if not facts.holds(part)]
    if FALSE in parts or facts.assume(all_of(*parts)).contradictory:
        return [FALSE]
    joint = _joint(facts, [_undivided(facts, part, parts) for part in parts])
    return [FALSE] if FALSE in joint else _needed(facts, joint)


def _undivided(facts: Facts, part: Condition, parts: list[Condition]) -> Condition:
    """`p == m*e` for `p//m == e`, where the other conditions say that m divides p."""
    if not isinstance(part, SizeComparison) or part.op != "==" or len(part.unknowns) < 2:
        return part
    gap = part.left - part.right
    for monomial, coefficient in gap.terms.items():
        if len(monomial) != 1 or monomial[0][1] != 1 or not isinstance(floor := monomial[0][0], Floor):
            continue
        known = facts.assume(all_of(*(other for other in parts if other is not part)))
        if known.holds(eq(floor.num % floor.den, 0)):
            rest = gap - size(floor) * coefficient
            return _undivided(facts, canonical(facts.base, eq(rest * floor.den + floor.num * coefficient, 0)), parts)
    return part


def _parts(condition: Condition) -> Sequence[Condition]:
    return condition.parts if isinstance(condition, AllOf) else (condition,)


def _joint(facts: Facts, parts: list[Condition]) -> list[Condition]:
    """For each unknown, what is said of it alone becomes one exact set, and that one condition or a few."""
    alone: dict[Unknown, list[Condition]] = {}
    for part in parts:
        if len(part.unknowns) == 1:
            alone.setdefault(next(iter(part.unknowns)), []).append(part)
    joint: list[Condition] = []
    for part in parts:
        if len(part.unknowns) != 1:
            joint.append(part)
            continue
        unknown = next(iter(part.unknowns))
        together = alone.pop(unknown, [])
        joint.extend(_exact(facts, unknown, together) or together)
    return joint


def _exact(facts: Facts, unknown: Unknown, conditions: list[Condition]) -> list[Condition]:
    members = facts.members(unknown, conditions)
    if members is None:
        return []
    described = list(_parts(describe(members, unknown)))
    for part in sorted(described, key=lambda c: -len(str(c))):
        others = [c for c in described if c is not part]
        wrong = facts.members(unknown, [*others, part.negate()])
        if wrong is not None and wrong.empty:
            described = others
    return described


def _needed(facts: Facts, conditions: list[Condition]) -> list[Condition]:
    """Without those that the facts and the others imply; the longer ones go first."""
    kept = list(conditions)
    for condition in sorted(conditions, key=lambda c: (-len(str(c)), -conditions.index(c))):
        others = [c for c in kept if c is not condition]
        if facts.assume(all_of(*others)).holds(condition):
            kept = others
    return kept
