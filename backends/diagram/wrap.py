"""Rows no wider than a page, cut where the fewest wires are alive."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from ogive.backends.diagram.figure import Section
from ogive.backends.diagram.place import Placed, place
from ogive.backends.diagram.theme import Theme

WIRE = 30.0  # a wire that is cut costs as much as a row that is so much longer than the others


def rows(
    section: Section, theme: Theme, above: Mapping[str, float] | None = None, known: frozenset[str] | None = None
) -> list[Placed]:
    """The section in rows; `known` are wires of a body whose labels stand outside of it, None for a whole figure."""
    whole = place(section, theme, above, known, rows=rows)
    if whole.width <= theme.width or len(section.columns) < 2:
        return [whole]
    marks = [0, *_cuts(whole, theme), len(section.columns)]
    if len(marks) == 2:
        return [whole]
    found = []
    for a, b in pairwise(marks):
        part = Section(section.boundaries[a : b + 1], section.columns[a:b], section.title, section.outputs)
        first, last = a == 0, b == len(section.columns)
        labels = known if first or known is None else frozenset()
        row = place(part, theme, above, labels, rows=rows, pieces=whole.pieces, ends=not last or known is None)
        row.first, row.last = first, last
        found.append(row)
    return found


def _cuts(placed: Placed, theme: Theme) -> list[int]:
    """The boundaries at which a row ends: as few rows as fit, of widths that are alike."""
    section = placed.section
    count = max(2, round(placed.width / theme.width + 0.35))
    goal = placed.width / count
    cuts, start = [], 0
    for k in range(1, count):
        choices = [i for i in range(start + 1, len(section.columns)) if abs(placed.gaps[i].label - k * goal) < goal / 2]
        if not choices:
            continue
        start = min(choices, key=lambda i: (sum(len(t.slots) for t in section.boundaries[i]) * WIRE
                                            + abs(placed.gaps[i].label - k * goal) / 2, i))  # fmt: skip
        cuts.append(start)
    return cuts
