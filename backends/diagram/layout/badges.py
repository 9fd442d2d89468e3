"""Marks of what changed, beside what they mark and over no text; and the key of their colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ogive.backends.diagram.figure.figure import Change
from ogive.backends.diagram.figure.geometry import Item, Path, Text, rectangle
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.metrics import width
from ogive.backends.diagram.figure.theme import Theme

SIGNS: dict[Change, str] = {"added": "+", "removed": "−", "changed": "~"}
RADIUS = 5.5
ORDER: tuple[Change, ...] = ("added", "removed", "changed")
BETWEEN = 18.0  # two entries of the key


def badge(change: Change, x: float, y: float, theme: Theme, owner: str = "") -> Iterator[Item]:
    """A ring with a sign, around a place."""
    if change not in SIGNS:
        return
    sign, size = SIGNS[change], theme.least
    yield Path(rectangle(x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS, RADIUS), "glyph", owner, change=change)
    yield Text(x, y + 0.36 * size, sign, size, "bold", width(sign, size, True), "middle", owner, change=change)


def changes_of(items: Iterable[Item]) -> list[Change]:
    """The kinds of changes that a drawing has."""
    found = {item.change for item in items}
    return [change for change in ORDER if change in found]


def key_of_changes(changes: Iterable[Change], theme: Theme, x: float, y: float) -> Iterator[Item]:
    """A badge and a word for each kind of change."""
    for change in changes:
        yield from badge(change, x + RADIUS, y - 3.2, theme)
        wide = text_width(change, theme.small, theme.least, plain=True)
        yield Text(x + 16, y, change, theme.small, "caption", wide)
        x += 16 + wide + BETWEEN
