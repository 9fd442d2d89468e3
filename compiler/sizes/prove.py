"""Deciding conditions in one case: intervals, substitution, and splitting where a disjunction stands in the way."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.sizes.arithmetic import size
from ogive.compiler.sizes.assume import assume
from ogive.compiler.sizes.atoms import Extreme, Size
from ogive.compiler.sizes.case import Case
from ogive.compiler.sizes.condition import (
    AllOf,
    AnyOf,
    Condition,
    Member,
    Not,
    SizeComparison,
    Truth,
    all_of,
    compare,
    eq,
    le,
    member,
)
from ogive.compiler.sizes.truth import find_extreme, truth_set, with_operand

MAX_CASES = 64


def split(case: Case) -> list[Case]:
    """The cases that are left when every disjunction is split, contradictions dropped; at most MAX_CASES."""
    done: list[Case] = []
    work = [] if case.contradictory else [case]
    while work:
        case = work.pop()
        if not case.choices or len(done) + len(work) >= MAX_CASES:
            done.append(case)
            continue
        choice, rest = case.choices[0], case.choices[1:]
        bare = replace(case, choices=rest)
        options = [eq(choice.of, v) for v in sorted(choice.values)] if isinstance(choice, Member) else _parts(choice)
        for option in reversed(options):
            new = assume(bare, option)
            if not new.contradictory:
                work.append(new)
    return done


def _parts(choice: Condition) -> list[Condition]:
    return list(choice.parts) if isinstance(choice, AnyOf) else [choice]


def proves(case: Case, condition: Condition, depth: int = 3) -> bool:
    """Whether the condition holds wherever the case does."""
    case.effort.spend()
    if case.contradictory:
        return True
    if isinstance(condition, Truth):
        return condition.value
    if isinstance(condition, AllOf):
        return all(proves(case, part, depth) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return _proves_any(case, condition, depth)
    if isinstance(condition, Not):
        return proves(case, condition.part.negate(), depth)
    if isinstance(condition, Member):
        return _proves_member(case, condition)
    assert isinstance(condition, SizeComparison), condition
    return _proves_comparison(case, condition, depth)


def _proves_any(case: Case, condition: AnyOf, depth: int) -> bool:
    """One part holds, or the first does where all others fail."""
    if any(proves(case, part, depth) for part in condition.parts):
        return True
    others = all_of(*(part.negate() for part in condition.parts[1:]))
    return depth > 0 and proves(assume(case, others), condition.parts[0], depth - 1)


def _proves_member(case: Case, condition: Member) -> bool:
    of = case.reduce(condition.of)
    low, high = case.range(of)
    if low is not None and high is not None and high - low <= len(condition.values):
        if condition.values.issuperset(range(low, high + 1)):
            return True
    return _always(case, member(of, condition.values))


def _proves_comparison(case: Case, condition: SizeComparison, depth: int) -> bool:
    gap = case.reduce(condition.left - condition.right)
    if gap.is_number:
        return compare(condition.op, gap, 0) == Truth(True)
    if _shown(case, condition.op, gap):
        return True
    extreme = find_extreme(gap) if depth else None
    if extreme is not None and _proves_each(case, SizeComparison(condition.op, gap, size(0)), extreme, depth):
        return True
    if condition.op != "==" and assume(case, SizeComparison(condition.op, gap, size(0)).negate()).contradictory:
        return True
    return _always(case, SizeComparison(condition.op, gap, size(0)))


def _shown(case: Case, op: str, gap: Size) -> bool:
    """Whether intervals and known inequalities show `gap op 0`."""
    if op == "==":
        return case.at_least_zero(gap) and case.at_least_zero(-gap)
    if op == "!=":
        return gap in case.distinct or -gap in case.distinct
    if op in (">=", ">"):
        return case.at_least_zero(gap - (op == ">"))
    return case.at_least_zero(-gap - (op == "<"))


def _proves_each(case: Case, condition: SizeComparison, extreme: Extreme, depth: int) -> bool:
    """Split by which operand of a minimum or maximum it is."""
    for part in extreme.parts:
        bounds = [le(part, o) if extreme.sign > 0 else le(o, part) for o in extreme.parts if o is not part]
        there = assume(case, all_of(*bounds))
        gap = with_operand(condition.left, extreme, part)
        if gap is not None and not proves(there, SizeComparison(condition.op, gap, size(0)), depth - 1):
            return False
    return True


def _always(case: Case, condition: Condition) -> bool:
    """Whether a condition on one unknown holds at all its values, by its period."""
    if len(condition.unknowns) != 1:
        return False
    (unknown,) = condition.unknowns
    low, high = case.ranges.get(unknown, (unknown.low, None))
    if low is None:
        return False
    failing = truth_set(condition.negate(), unknown, low, high, effort=case.effort)
    return failing is not None and failing.empty
