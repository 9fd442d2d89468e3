"""Small sizes that satisfy some facts, the smallest first: where witnesses and counterexamples come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from ogive.compiler.sizes.arithmetic import size
from ogive.compiler.sizes.atoms import Unknown
from ogive.compiler.sizes.case import Case
from ogive.compiler.sizes.columns import Table
from ogive.compiler.sizes.condition import AllOf, Condition

GRIDS = (200, 4000)  # how many points to look at, first and then
WIDTHS = (12, 40)  # and how many values of one unknown

Values = dict[Unknown, int]


def samples(cases: Iterable[Case], facts: Iterable[Condition], unknowns: Iterable[Unknown]) -> Iterator[Values]:
    """Values of the unknowns, and of all that the facts tie them to, at which the facts hold; the smallest first."""
    used, names = linked(list(facts), unknowns)
    cases = list(cases)
    for points, widest in zip(GRIDS, WIDTHS, strict=True):
        share = max(points // max(len(cases), 1), 16)
        found = [entry for case in cases for entry in _of_case(case, used, names, share, widest)]
        found.sort(key=lambda row: (sum(map(abs, row)), row))
        for row in found:
            yield dict(zip(names, row, strict=True))


def linked(facts: list[Condition], unknowns: Iterable[Unknown]) -> tuple[list[Condition], list[Unknown]]:
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


def _of_case(
    case: Case, facts: list[Condition], names: list[Unknown], points: int, widest: int
) -> list[tuple[int, ...]]:
    """Rows of values of the names: a grid over the unknowns that the case leaves, mapped back and filtered."""
    if not names:
        return [()] if all(fact.at({}) for fact in facts) else []
    forms = [case.reduce(size(u)) for u in names]
    free = sorted(frozenset[Unknown]().union(*(form.unknowns for form in forms)), key=lambda u: u.serial)
    width = next(w for w in range(widest, 0, -1) if w ** len(free) <= points or w == 1)
    grid = list(product(*(_values(case, u, width) for u in free)))
    case.effort.spend(1 + len(grid) * (len(names) + sum(fact.weight for fact in facts)) // 100)
    table = Table(dict(zip(free, zip(*grid, strict=True), strict=True)) if grid else {}, len(grid))
    values = [table.size(form) for form in forms]
    mapped = Table(dict(zip(names, values, strict=True)), len(grid))
    holds = mapped.condition(AllOf(tuple(facts))) if facts else [True] * len(grid)
    rows = list(zip(*values, strict=True))
    bad = table.bad | mapped.bad
    lows = [u.low for u in names]
    return [
        row
        for at, row in enumerate(rows)
        if holds[at] and at not in bad and all(low is None or v >= low for v, low in zip(row, lows, strict=True))
    ]


def _values(case: Case, unknown: Unknown, width: int) -> range:
    low, high = case.ranges.get(unknown, (unknown.low, None))
    start = -(width // 2) if low is None and high is None else (low if low is not None else (high or 0) - width + 1)
    return range(start, start + width if high is None else min(high + 1, start + width))
