"""Small sizes that satisfy some facts, the smallest first: where witnesses and counterexamples come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from ogive.compiler.sizes.atoms import Unknown
from ogive.compiler.sizes.case import Case
from ogive.compiler.sizes.condition import Condition
from ogive.compiler.sizes.size import size

POINTS = 3000


Values = dict[Unknown, int]


def samples(cases: Iterable[Case], facts: Iterable[Condition], unknowns: Iterable[Unknown]) -> Iterator[Values]:
    """Values of the unknowns, and of all that the facts tie them to, at which the facts hold; the smallest first."""
    facts = list(facts)
    for case in cases:
        yield from _of_case(case, *_linked(facts, unknowns))


def _linked(facts: list[Condition], unknowns: Iterable[Unknown]) -> tuple[list[Condition], list[Unknown]]:
    """The facts that bear on the unknowns, directly or through others, and all unknowns of those."""
    names = dict.fromkeys(sorted(unknowns, key=lambda u: u.serial))
    used: list[Condition] = []
    while True:
        more = [f for f in facts if f not in used and not f.unknowns.isdisjoint(names)]
        if not more:
            return used, list(names)
        used += more
        for fact in more:
            names.update(dict.fromkeys(sorted(fact.unknowns, key=lambda u: u.serial)))


def _of_case(case: Case, facts: list[Condition], names: list[Unknown]) -> Iterator[Values]:
    forms = {u: case.reduce(size(u)) for u in names}
    free = sorted(frozenset[Unknown]().union(*(form.unknowns for form in forms.values())), key=lambda u: u.serial)
    width = _width(len(free))
    columns = [_values(case, u, width) for u in free]
    found: list[tuple[int, list[int], Values]] = []
    for row in product(*columns):
        given = dict(zip(free, row, strict=True))
        values = {u: form.at(given) for u, form in forms.items()}
        if all(u.low is None or v >= u.low for u, v in values.items()) and _hold(facts, values):
            order = [values[u] for u in names]
            found.append((sum(map(abs, order)), order, values))
    found.sort(key=lambda entry: entry[:2])
    for _, _, values in found:
        yield values


def _width(count: int) -> int:
    width = 40
    while width > 2 and width**count > POINTS:
        width -= 1
    return width


def _values(case: Case, unknown: Unknown, width: int) -> range:
    low, high = case.ranges.get(unknown, (unknown.low, None))
    start = -(width // 2) if low is None and high is None else (low if low is not None else (high or 0) - width + 1)
    return range(start, start + width if high is None else min(high + 1, start + width))


def _hold(facts: list[Condition], values: Values) -> bool:
    try:
        return all(fact.at(values) for fact in facts)
    except ZeroDivisionError:
        return False
