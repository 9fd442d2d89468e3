"""Rows no wider than a page, cut where the fewest wires are alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from math import inf

from ogive.backends.diagram.figure.figure import Section
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.place import place
from ogive.backends.diagram.layout.placement import Placed

# what a cut costs: each wire that goes on, each row, and each pixel of a row beyond the page or short of it
WIRE, ROW, OVER, UNDER = 30.0, 60.0, 4.0, 0.2


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
        part = replace(section, boundaries=section.boundaries[a : b + 1], columns=section.columns[a:b])
        first, last = a == 0, b == len(section.columns)
        labels = known if first or known is None else frozenset()
        row = place(part, theme, above, labels, rows=rows, pieces=whole.pieces, ends=not last or known is None)
        row.first, row.last = first, last
        found.append(row)
    return found


def _cuts(placed: Placed, theme: Theme) -> list[int]:
    """The boundaries at which a row ends, so that the sum of all costs is least: dynamic programming over them."""
    gaps, boundaries = placed.gaps, placed.section.boundaries
    last = len(gaps) - 1
    wires = [sum(len(t.slots) for t in boundary) * WIRE for boundary in boundaries]
    best: list[tuple[float, int]] = [(0.0, 0)]
    for b in range(1, last + 1):
        least = (inf, 0)
        for a in reversed(range(b)):
            wide = gaps[b].bend - gaps[a].start
            over, under = max(wide - theme.width, 0.0), max(theme.width - wide, 0.0)
            if ROW + OVER * over > least[0]:
                break  # and what begins earlier is wider still
            cost = best[a][0] + ROW + OVER * over + (UNDER * under + wires[b] if b < last else 0.0)
            least = min(least, (cost, a))
        best.append(least)
    cuts, at = [], best[last][1]
    while at:
        cuts.append(at)
        at = best[at][1]
    return cuts[::-1]
