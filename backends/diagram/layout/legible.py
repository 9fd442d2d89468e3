"""Drawings of any view for the page where they are read: in measures in which they fit there and can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ogive.backends.diagram.figure.geometry import Drawing, Item, Text
from ogive.backends.diagram.figure.labels import small, written
from ogive.backends.diagram.figure.page import LEGIBLE, POINTS, denser
from ogive.backends.diagram.figure.theme import Theme


def smallest_text(items: Iterable[Item], theme: Theme) -> float:
    """The size of the smallest text, subscripts too."""
    texts = [item for item in items if isinstance(item, Text)]
    low = [small(t.size, theme.least) for t in texts if any(run.level for run in written(t.text, t.style))]
    return min((*low, *(t.size for t in texts)), default=0.0)


def fitted(made: Callable[[Theme], Drawing], theme: Theme, cut: Callable[[Theme], Drawing]) -> Drawing:
    """A drawing in the first density of its page in which it fits and is legible, else in the best one.

    What fits in none is tried with texts in lines, then `cut` in parts of which a page holds each.
    """
    if theme.page is None:
        return made(theme)
    found: list[tuple[float, bool, float, Drawing]] = []
    for wrap, way in ((False, made), (True, made), (True, cut)):
        for _, dense in denser(replace(theme, wrap=wrap)):
            drawing = way(dense)
            assert dense.page is not None
            scale = dense.scale * min(1.0, dense.page[0] / drawing.width)
            smallest = smallest_text(drawing.items, dense) * scale
            drawing = replace(drawing, scale=scale, smallest=smallest, least=dense.least)
            legible = min(drawing.smallest * POINTS, LEGIBLE * theme.scale)
            if legible == LEGIBLE * theme.scale and drawing.height <= dense.page[1]:
                return drawing
            found.append((legible, way is cut, -drawing.height * scale, drawing))
    return max(found, key=lambda each: each[:3])[3]
