"""Arrows that lead from a row of a wrapped section to the next."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.backends.diagram.figure.geometry import Item, Path, polygon
from ogive.backends.diagram.layout.placement import Placed


def hooks(placed: Placed) -> Iterator[Item]:
    """An arrow out of each tensor that goes on in the next row, one into each that comes from the last."""
    if not placed.last:
        for tensor in (t for t in placed.section.boundaries[-1] if t.tid not in {*placed.kept, *placed.across}):
            x, y, s = placed.width, placed.middle(tensor), -1 if placed.rises else 1
            yield Path((("M", (x + 4, y)), ("C", (x + 10, y, x + 12, y + s * 2, x + 12, y + s * 9))), "thin")
            yield Path(polygon((x + 9, y + s * 7), (x + 12, y + s * 13), (x + 15, y + s * 7)), "solid")
    if not placed.first:
        for tensor in (t for t in placed.section.boundaries[0] if t.tid not in {*placed.read, *placed.across}):
            y, s = placed.middle(tensor), -1 if placed.risen else 1
            yield Path((("M", (-15, y - s * 10)), ("C", (-15, y - s * 2, -13, y, -8, y))), "thin")
            yield Path(polygon((-9, y - 3), (-3, y), (-9, y + 3)), "solid")
