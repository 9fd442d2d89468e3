"""Hasse diagrams of posets: larger elements above, a line for each covering pair."""

from __future__ import annotations

from ogive.backends.diagram.figure.geometry import Dot, Drawing, Item, Path, Text, line
from ogive.backends.diagram.figure.metrics import width
from ogive.backends.diagram.figure.theme import Theme
from ogive.compiler.posets.poset import LETTERS, Poset

STEP = 44.0  # between two levels, and between two elements of one


def hasse(poset: Poset, title: str = "poset", theme: Theme | None = None) -> Drawing:
    """The drawing of a poset; `svg` and `tikz` write it."""
    theme = theme or Theme()
    levels = poset.levels
    rows = [[e for e in range(poset.size) if levels[e] == level] for level in range(max(levels, default=0) + 1)]
    wide = max(map(len, rows), default=1)
    places: dict[int, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        start = theme.margin + STEP / 2 + (wide - len(row)) * STEP / 2
        for k, element in enumerate(row):
            places[element] = (start + k * STEP, theme.margin + 10 + (len(rows) - 1 - level) * STEP)
    items: list[Item] = [Path(line(places[a], places[b]), "arc") for a, b in poset.covers]
    for element, (x, y) in places.items():
        name = LETTERS[element] if element < len(LETTERS) else str(element)
        items.append(Dot(x, y, 3.2))
        items.append(Text(x + 7, y + 4, name, theme.label, "name", width(name, theme.label)))
    alt = f"{title}: {poset}"
    height = (len(rows) - 1) * STEP + 2 * theme.margin + 20
    return Drawing(wide * STEP + 2 * theme.margin, height, tuple(items), title, alt)
