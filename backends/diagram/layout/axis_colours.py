"""Wires in the colours of their axes: those that are drawn most have one each, and a key names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ogive.backends.diagram.figure.geometry import Item, Path, Text, line
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.palettes import HUES
from ogive.backends.diagram.figure.theme import Theme

BETWEEN = 20.0
OTHERS = "other axes"


def hues_of(items: Iterable[Item]) -> dict[str, str]:
    """By axis its colour: as many axes as there are colours, of these the first in the figure first."""
    count = Counter(item.axis for item in items if isinstance(item, Path) and item.axis)
    chosen = {axis for axis, _ in count.most_common(len(HUES))}
    return dict(zip((axis for axis in count if axis in chosen), HUES, strict=False))


def coloured(items: Iterable[Item], hues: dict[str, str]) -> Iterator[Item]:
    """The items, wires of axes that have a colour in it."""
    for item in items:
        if isinstance(item, Path) and item.style in ("wire", "arc") and item.axis in hues:
            yield replace(item, style=hues[item.axis])
        else:
            yield item


def key_of_axes(
    hues: dict[str, str], others: bool, theme: Theme, x: float, y: float, wide: float
) -> Iterator[Item]:  # fmt: skip
    """A piece of wire and a name for each axis, and one for the `others`; those of one name that are not the same are
    counted.
    """
    at = x
    for axis, hue in hues.items():
        name, _, number = axis.partition("~")
        text = f"{name} ({number})" if number else name
        width = text_width(text, theme.small, theme.least)
        if at > x and at + 26 + width > x + wide:
            at, y = x, y + 16
        yield Path(line((at, y - 3.2), (at + 20, y - 3.2)), hue, axis=axis)
        yield Text(at + 26, y, text, theme.small, "legend", width, axis=axis)
        at += 26 + width + BETWEEN
    if len(hues) == len(HUES) and others:
        width = text_width(OTHERS, theme.small, theme.least)
        if at > x and at + 26 + width > x + wide:
            at, y = x, y + 16
        yield Path(line((at, y - 3.2), (at + 20, y - 3.2)), "wire")
        yield Text(at + 26, y, OTHERS, theme.small, "legend", width)
