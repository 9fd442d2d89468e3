"""Parts of a figure side by side as far as a page is wide, in rows from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable

from ogive.backends.diagram.figure.geometry import Group, Item, carried, extent, moved
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.pages import room

APART = 24.0  # between two parts side by side, and between two rows of them
Painted = tuple[list[Item], list[Group]]


def size_of(painted: Painted) -> tuple[float, float]:
    """How wide and how high it is."""
    left, top, right, bottom = extent(painted[0])
    return right - left, bottom - top


def packed(parts: Iterable[Painted], theme: Theme, *, feet: bool = True) -> Painted:
    """Parts in their order, those of a row level at their feet, or at their heads."""
    wide = room(theme)[0]
    rows: list[list[Painted]] = []
    x = 0.0
    for each in parts:
        width = size_of(each)[0]
        if not rows or x + width > wide:
            rows.append([])
            x = 0.0
        rows[-1].append(each)
        x += width + APART
    items: list[Item] = []
    groups: list[Group] = []
    y = 0.0
    for row in rows:
        tall = max(size_of(each)[1] for each in row)
        x = 0.0
        for painted, grouped in row:
            left, top, right, bottom = extent(painted)
            dx, dy = x - left, y + (tall - bottom if feet else -top)
            items += [moved(item, dx, dy) for item in painted]
            groups += [carried(group, dx, dy) for group in grouped]
            x += right - left + APART
        y += tall + APART
    return items, groups
