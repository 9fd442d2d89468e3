"""Whether boxes lie on one another, or a line runs through one: then another layout says it better."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

from ogive.backends.diagram.figure.geometry import Group, Item, Path, Text

Rect = tuple[float, float, float, float]
TOUCH = 1.5  # what lies on an edge does not count


def clash(items: Sequence[Item], groups: Sequence[Group]) -> bool:
    """Of the boxes of a drawing and the wires along and across it."""
    boxes = [_inner(group.box) for group in groups if not group.plate]
    if any(_meet(a, b) for a, b in combinations(boxes, 2)):
        return True
    texts = [_inner(item.box) for item in items if isinstance(item, Text)]
    if any(_meet(a, b) for a, b in combinations(texts, 2)):
        return True
    return any(_meet(_inner(line, -TOUCH), box) for line in _lines(items) for box in boxes)


def _inner(rect: Rect, by: float = TOUCH) -> Rect:
    return rect[0] + by, rect[1] + by, rect[2] - by, rect[3] - by


def _meet(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _lines(items: Sequence[Item]) -> list[Rect]:
    """The box around each straight piece of each wire, a little shorter than it."""
    found = []
    for item in items:
        if isinstance(item, Path) and item.style == "wire":
            ends = [(points[-2], points[-1]) for _, points in item.commands if points]
            for (x, y), (u, v) in pairwise(ends):
                found.append(_inner((min(x, u), min(y, v), max(x, u), max(y, v)), TOUCH))
    return found
