"""A key of the glyphs of a figure, for readers who see such a drawing for the first time."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.backends.diagram.figure.figure import Figure, Op
from ogive.backends.diagram.figure.geometry import Dot, Item, Path, Text, extent, line, moved
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.shapes import SHAPES

MEANT = {
    "linear": "a learned linear map", "norm": "a norm over the axes through it", "softmax": "softmax along the axis",
    "mask": "a mask: the filled half is hidden", "conv": "windows along an axis", "pool": "windows, reduced",
    "reduce": "a reduction of the axes that end", "source": "a tensor from nothing", "weight": "a learned tensor",
    "E": "a table of vectors", "slab": "a block, closed", "box": "an operation by its name",
}  # fmt: skip
LINKS = {"cup": "a sum of products", "join": "one axis of several tensors", "split": "a copy"}
ROW = 40.0
WIDE = 250.0


def glyph_key(figure: Figure, theme: Theme, x: float, y: float, wide: float) -> Iterator[Item]:
    """Each kind of glyph once, with what it means, in columns."""
    ops = list(figure.walk())
    first: dict[str, Op] = {}
    for op in ops:
        if op.glyph in MEANT:
            first.setdefault(op.text if op.text == "E" else op.glyph, op)
    links = {link.kind for op in ops for link in op.links}
    entries: list[tuple[list[Item], str]] = []
    for glyph, op in first.items():
        area = SHAPES[op.glyph](op, 1, 1, theme)
        entries.append(([Path(line((-8, 0), (area.enter, 0)), "wire"), *area.items], MEANT[glyph]))
    for kind, text in LINKS.items():
        if kind in links:
            entries.append(([Path(line((0, 0), (28, 0)), "wire"), Dot(14, 0)] if kind != "cup" else [_cup()], text))
    columns = max(1, int(wide // WIDE))
    for k, (items, text) in enumerate(entries):
        left, top, right, bottom = extent(items)
        at, middle = x + k % columns * WIDE, y + ROW * (k // columns) + ROW / 2
        scale = 44 - (right - left)
        yield from (moved(item, at - left + max(scale, 0) / 2, middle - (top + bottom) / 2) for item in items)
        width = text_width(text, theme.small, theme.least, plain=True)
        yield Text(at + max(44.0, right - left) + 12, middle + 3, text, theme.small, "caption", width)


def _cup() -> Path:
    return Path((("M", (4, -8)), ("C", (24, -8, 24, 8, 4, 8))), "wire")
