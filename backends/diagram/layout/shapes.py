"""The glyphs on which wires end and start, each around the point (0, 0) at its left and in the middle of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.figure import Op
from ogive.backends.diagram.figure.geometry import Command, Item, Path, Text, line, polygon, rectangle
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme


@dataclass(slots=True)
class Area:
    """A glyph: how wide it is, how far from its sides wires reach it, and what it needs over and under its rows."""

    width: float
    items: list[Item] = field(default_factory=list)
    box: tuple[float, float, float, float] | None = None
    enter: float = 0
    leave: float = 0
    above: float = 0
    below: float = 0


Shape = Callable[[Op, int, int, Theme], Area]
HALF = 9.0  # of the height of a glyph on one wire


def _half(lefts: int, rights: int, theme: Theme) -> float:
    return (max(lefts, rights, 1) - 1) * theme.pitch / 2 + HALF


def _text(x: float, text: str, theme: Theme, style: str = "name", size: float | None = None, y: float = 0) -> Text:
    size = size or theme.label
    wide = text_width(text, size, theme.least, style == "bold", plain=True)
    return Text(x, y + size * 0.35, text, size, style, wide, "middle")


def _width(text: str, theme: Theme, bold: bool = False, size: float | None = None) -> float:
    return text_width(text, size or theme.label, theme.least, bold, plain=True)


def nothing(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """Links alone."""
    return Area(8) if not (lefts or rights) else box(op, lefts, rights, theme)


def box(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A labelled box, also for what has no glyph of its own."""
    text = op.text or op.above or op.source
    half = _half(lefts, rights, theme)
    wide = max(24.0, _width(text, theme, op.learned) + 14)
    shape = Path(rectangle(0, -half, wide, 2 * half), "learned" if op.learned else "glyph")
    return Area(wide, [shape, _text(wide / 2, text, theme, "bold" if op.learned else "name")], (0, -half, wide, half))


def linear(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A bold letter in a rectangle with chipped corners."""
    half = _half(lefts, rights, theme)
    wide = max(22.0, _width(op.text, theme, True) + 12)
    outline = _chipped(0, -half, wide, half)
    style = "learned" if op.learned else "glyph"
    return Area(wide, [Path(outline, style), _text(wide / 2, op.text, theme, "bold")], (0, -half, wide, half))


def _chipped(left: float, top: float, right: float, bottom: float, chip: float = 4.0) -> tuple[Command, ...]:
    """The outline of a linear map: its corners on the right are cut."""
    return polygon((left, top), (right - chip, top), (right, top + chip), (right, bottom - chip),
                   (right - chip, bottom), (left, bottom))  # fmt: skip


def norm(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A ring on the axis; bold where it is learned."""
    half = _half(lefts, rights, theme)
    wide = max(2 * HALF, _width(op.text, theme, op.learned, theme.small) + 9)
    ring = Path(rectangle(0, -half, wide, 2 * half, HALF), "learned" if op.learned else "glyph")
    text = _text(wide / 2, op.text, theme, "bold" if op.learned else "name", theme.small)
    return Area(wide, [ring, text], (0, -half, wide, half))


def softmax(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A hollow triangle, its tip where the wire enters."""
    half = _half(lefts, rights, theme) - 1
    return Area(17, [Path(polygon((0, 0), (17, -half), (17, half)), "glyph")], (0, -half, 17, half))


def mask(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A square over queries and keys; the half that is filled is hidden."""
    half = _half(lefts, rights, theme) - 2
    side = 2 * half
    lower = op.text == "triu"
    corner = ((0.0, -half), (side, half), (0.0, half)) if lower else ((0.0, -half), (side, -half), (side, half))
    items: list[Item] = [Path(rectangle(0, -half, side, side), "glyph"), Path(polygon(*corner), "solid")]
    return Area(side, items, (0, -half, side, half))


def _hexagon(x: float, y: float, wide: float) -> tuple[Command, ...]:
    return polygon((x, y), (x + 5, y - 8), (x + wide - 5, y - 8), (x + wide, y), (x + wide - 5, y + 8), (x + 5, y + 8))


def conv(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A window on each axis of space; the taps of all windows and the channels go into a linear map."""
    rows = max(lefts, rights, 2)
    text = op.text or "1"
    wide = max(22.0, _width(text, theme, size=theme.small) + 14)
    start = wide + 16
    letter = ("∗" if op.attr("groups") == "each" else "L") + op.attr("bias")
    parts = f"÷{op.attr('groups')}" if op.attr("groups") not in ("", "each") else ""
    letters = max(22.0, _width(letter, theme, True) + 10, _width(parts, theme, size=theme.least))
    top = -(rows - 1) * theme.pitch / 2
    style = "learned" if op.learned else "glyph"
    items: list[Item] = []
    for row in range(1, rows):
        y = top + row * theme.pitch
        items.append(Path(line((wide, y), (start + letters, y)), "arc"))
        into = start + letters * row / rows
        curve: tuple[Command, ...] = (("M", (wide - 3, y - 4)), ("C", (into, y - 4, into, y - 4, into, top + HALF)))
        items.append(Path(curve, "thin"))
        items += [Path(_hexagon(0, y, wide), "glyph"), _text(wide / 2, text, theme, "name", theme.small, y)]
    items.append(Path(line((0, top), (start, top)), "arc"))
    items += [Path(_chipped(start, top - HALF, start + letters, top + HALF), style),
              _text(start + letters / 2, letter, theme, "bold", y=top)]  # fmt: skip
    if parts:
        items.append(_text(start + letters / 2, parts, theme, "caption", theme.least, top - 14))
    return Area(start + letters, items, (0, top - HALF, start + letters, -top + HALF))


def pool(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A window on each axis of space, and what is done with its taps."""
    rows = max(lefts, rights, 1)
    text = op.text
    wide = max(22.0, _width(text, theme, size=theme.small) + 16)
    top = -(rows - 1) * theme.pitch / 2
    items: list[Item] = []
    for row in range(rows):
        y = top + row * theme.pitch
        items += [Path(_hexagon(0, y, wide), "glyph"), _text(wide / 2, text, theme, "name", theme.small, y)]
    return Area(wide, items, (0, top - HALF, wide, -top + HALF))


def reduce(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """Wires end on a flat side; the other is round."""
    half = _half(lefts, rights, theme)
    wide = max(22.0, _width(op.text, theme) + 14)
    r = min(8.0, half)
    shape: tuple[Command, ...] = (
        ("M", (0, -half)), ("L", (wide - r, -half)), ("C", (wide, -half, wide, -half + r / 2, wide, -half + r)),
        ("L", (wide, half - r)), ("C", (wide, half - r / 2, wide, half, wide - r, half)), ("L", (0, half)), ("Z", ()),
    )  # fmt: skip
    return Area(wide, [Path(shape, "glyph"), _text(wide / 2 - 1, op.text, theme)], (0, -half, wide, half))


def source(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A pentagon that points left: a tensor from nothing, bold where it is learned."""
    half = _half(lefts, rights, theme)
    bold = op.glyph == "weight"
    wide = _width(op.text, theme, bold) + 20
    shape = polygon((0, 0), (9, -half), (wide, -half), (wide, half), (9, half))
    items: list[Item] = [Path(shape, "learned" if bold else "glyph")]
    items.append(_text(wide / 2 + 4, op.text, theme, "bold" if bold else "name"))
    return Area(wide, items, (0, -half, wide, half))


def sink(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A pentagon that points right: what is kept, or looked at."""
    half = _half(lefts, rights, theme)
    wide = _width(op.text, theme) + 20
    shape = polygon((0, -half), (wide - 9, -half), (wide, 0), (wide - 9, half), (0, half))
    return Area(wide, [Path(shape, "glyph"), _text(wide / 2 - 4, op.text, theme)], (0, -half, wide, half))


def slab(op: Op, lefts: int, rights: int, theme: Theme) -> Area:
    """A collapsed block: a box with depth, its name on its front."""
    half, depth = _half(lefts, rights, theme), 4.0
    wide = max(30.0, _width(op.text, theme, op.learned) + 18)
    sides = polygon((0, -half), (depth, -half - depth), (wide + depth, -half - depth), (wide + depth, half - depth),
                    (wide, half), (wide, -half))  # fmt: skip
    style = (op.attr("role") if theme.kinds else "") or "slab"
    items: list[Item] = [Path(sides, "shade"), Path(rectangle(0, -half, wide, 2 * half), style)]
    items.append(_text(wide / 2, op.text, theme, "bold" if op.learned else "name"))
    return Area(wide + depth, items, (0, -half - depth, wide + depth, half), leave=depth / 2)


SHAPES: dict[str, Shape] = {
    "wires": nothing, "float": box, "join": box, "box": box, "linear": linear, "norm": norm, "softmax": softmax,
    "mask": mask, "conv": conv, "pool": pool, "reduce": reduce, "source": source, "weight": source, "sink": sink,
    "slab": slab, "copy": nothing, "drop": nothing,
}  # fmt: skip
