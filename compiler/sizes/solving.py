"""Constraints on sizes: the exact set of sizes that satisfies them together, with examples on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import lcm

from ogive.compiler.sizes.arithmetic import size
from ogive.compiler.sizes.atoms import Floor, Size, Unknown
from ogive.compiler.sizes.condition import FALSE, TRUE, AllOf, AnyOf, Condition, Member, SizeComparison, all_of, eq
from ogive.compiler.sizes.effort import Effort
from ogive.compiler.sizes.facts import Answer, Facts
from ogive.compiler.sizes.periodic import MAX_PERIOD, PeriodicSet, crossing, quasi_line
from ogive.compiler.sizes.sample import samples
from ogive.compiler.sizes.simplification import simplify
from ogive.compiler.sizes.truth import truth_set

NEAR = 256  # how far to look for legal numbers where there is no exact set

Values = dict[Unknown, int]


@dataclass(frozen=True, slots=True)
class Solution:
    """When constraints hold: `where` is the condition to add, the exact one unless `exact` is false (it suffices)."""

    answer: Answer
    where: Condition | None
    exact: bool = True
    counterexample: Values | None = None
    witness: Values | None = None
    _given: Condition = field(default=TRUE, repr=False)  # the facts and the constraints together
    _effort: Effort = field(default_factory=Effort, repr=False, compare=False)

    def near(self, values: Mapping[Unknown, int]) -> dict[Unknown, list[int]]:
        """For each unknown that could repair these values alone: the legal numbers next to it, below and above."""
        found: dict[Unknown, list[int]] = {}
        parts = self._given.parts if isinstance(self._given, AllOf) else (self._given,)
        touched = all_of(*(part for part in parts if not part.unknowns.isdisjoint(values)))
        for unknown in sorted(touched.unknowns & values.keys(), key=lambda u: u.serial):
            others = {u: size(v) for u, v in values.items() if u is not unknown}
            try:
                given = touched.subs(others)
            except ZeroDivisionError:
                continue
            if given.unknowns != {unknown}:
                continue
            sides = _neighbours(given, unknown, values[unknown], self._effort)
            if sides:
                found[unknown] = sides
        return found


def solve(facts: Facts, constraints: Sequence[Condition]) -> Solution:
    """When the constraints hold together, where the facts do."""
    return facts.recall(("solve", tuple(constraints)), lambda: _solved(facts, constraints))  # type: ignore[no-any-return]


def _solved(facts: Facts, constraints: Sequence[Condition]) -> Solution:
    open_constraints = [constraint for constraint in constraints if not facts.holds(constraint)]
    if not open_constraints:
        return Solution(Answer.ALWAYS, TRUE)
    wanted = all_of(*open_constraints)
    given = all_of(*facts.conditions, *open_constraints)
    where = all_of(*simplify(facts, open_constraints))
    witness, counterexample = _examples(facts, wanted)
    if where == FALSE:
        return Solution(Answer.NEVER, None, True, counterexample, None, given, facts.tally.effort)
    answer = Answer.SOMETIMES if witness is not None and counterexample is not None else Answer.UNKNOWN
    exact = True
    if not all(_plain(part) for part in (where.parts if isinstance(where, AllOf) else (where,))):
        enough = _sufficient(facts, wanted)
        if enough is not None:
            where, exact = enough, facts.assume(wanted).holds(enough)
    return Solution(answer, where, exact, counterexample, witness, given, facts.tally.effort)


def solve_each(facts: Facts, constraints: Sequence[Condition]) -> list[tuple[list[int], Solution]]:
    """Constraints in groups that share unknowns, each solved together, in the order of their first constraints."""
    groups: list[tuple[list[int], set[Unknown]]] = []
    for index, constraint in enumerate(constraints):
        indices, names = [index], set(constraint.unknowns)
        for group in [g for g in groups if not names.isdisjoint(g[1])]:
            groups.remove(group)
            indices, names = group[0] + indices, names | group[1]
        groups.append((sorted(indices), names))
    groups.sort(key=lambda group: group[0][0])
    return [(indices, solve(facts, [constraints[i] for i in indices])) for indices, _ in groups]


def _examples(facts: Facts, wanted: Condition) -> tuple[Values | None, Values | None]:
    """The smallest sizes found at which the constraints hold, and at which they fail."""
    if len(wanted.unknowns) == 1:
        (unknown,) = wanted.unknowns
        if facts.separate(unknown):
            good, bad = (facts.members(unknown, [c]) for c in (wanted, wanted.negate()))
            if good is not None and bad is not None:
                return _first(unknown, good), _first(unknown, bad)
    witness: Values | None = None
    counterexample: Values | None = None
    for values in samples(facts.cases, facts.conditions, wanted.unknowns):
        holds = _holds(wanted, values)
        if holds and witness is None:
            witness = values
        elif not holds and counterexample is None:
            counterexample = values
        if witness is not None and counterexample is not None:
            break
    return witness, counterexample


def _first(unknown: Unknown, members: PeriodicSet) -> Values | None:
    least = next(iter(members), None)
    return None if least is None else {unknown: least}


def _neighbours(given: Condition, unknown: Unknown, at: int, effort: Effort) -> list[int]:
    """The nearest numbers below and above at which a condition on one unknown holds."""
    low = unknown.low if unknown.low is not None else at - NEAR
    legal = truth_set(given, unknown, low, effort=effort)
    if legal is not None:
        sides = [legal.below(at), legal.above(at)]
    else:
        below, above = range(at - 1, max(low, at - NEAR) - 1, -1), range(at + 1, at + NEAR)
        sides = [next((v for v in side if _holds(given, {unknown: v})), None) for side in (below, above)]
    return [side for side in sides if side is not None]


def values_near(facts: Facts, of: Size, target: int) -> list[int]:
    """The nearest values below and above a number that a size in one unknown takes: `4*h` takes 80 and 84 around 81."""
    if len(of.unknowns) != 1:
        return []
    (unknown,) = of.unknowns
    line = quasi_line(of)
    members = facts.members(unknown)
    if line is None or members is None:
        return []
    first, stop = crossing(line, target, target)
    period = lcm(line.period, *(piece.period for piece in members.pieces))
    places = range(max(first - period, members.low), max(stop, members.low) + period + 1)
    if len(places) > MAX_PERIOD * 4:
        return []
    values = {of.at({unknown: place}) for place in places if place in members}
    below, above = [v for v in values if v < target], [v for v in values if v > target]
    return ([max(below)] if below else []) + ([min(above)] if above else [])


def _holds(wanted: Condition, values: Values) -> bool:
    """Where there is no number, a constraint fails."""
    try:
        return wanted.at(values)
    except ZeroDivisionError:
        return False


def _plain(condition: Condition) -> bool:
    """Whether a reader sees at once what the condition asks: a remainder, or sides without floors of several names."""
    if isinstance(condition, SizeComparison):
        if condition.right.is_number and len(_floors(condition.left)) <= 1:
            return True
        return not _floors(condition.left) and not _floors(condition.right)
    return isinstance(condition, Member) or len(condition.unknowns) == 1 or not isinstance(condition, AnyOf)


def _floors(of: Size) -> list[Floor]:
    return [atom for monomial in of.terms for atom, _ in monomial if isinstance(atom, Floor)]


def _sufficient(facts: Facts, wanted: Condition) -> Condition | None:
    """That every division is exact, where this is enough."""
    found = simplify(facts, [eq(floor.num % floor.den, 0) for floor in dict.fromkeys(_all_floors(wanted))])
    enough = all_of(*found)
    return enough if enough != FALSE and facts.assume(enough).holds(wanted) else None


def _all_floors(condition: Condition) -> list[Floor]:
    if isinstance(condition, AllOf | AnyOf):
        return [floor for part in condition.parts for floor in _all_floors(part)]
    if isinstance(condition, SizeComparison):
        return _floors(condition.left) + _floors(condition.right)
    return _floors(condition.of) if isinstance(condition, Member) else []
