"""A drawing as plain shapes, for programs in which figures are edited: polygons, lines and texts with their colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ogive.backends.diagram.figure.geometry import PATHS, Command, Dot, Drawing, Path, Text, scaled
from ogive.backends.diagram.figure.palettes import Palette
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.svg import WIDTHS

PIECES = 6  # straight lines for a curve
ROUND = 12  # corners of a dot


@dataclass(frozen=True, slots=True)
class PlainShape:
    """A line through places, or a polygon; "" is no colour."""

    points: tuple[tuple[float, float], ...]
    closed: bool
    stroke: str
    width: float
    fill: str
    dashed: bool
    owner: str


@dataclass(frozen=True, slots=True)
class PlainText:
    """A line of text in its box: left, top, width, height."""

    box: tuple[float, float, float, float]
    text: str
    size: float
    colour: str
    bold: bool
    italic: bool
    anchor: str
    owner: str


def plain_shapes(drawing: Drawing, theme: Theme) -> Iterator[PlainShape | PlainText]:
    """The items of a drawing, from back to front."""
    palette = theme.palette
    for item in (scaled(item, drawing.scale) for item in drawing.items):
        if isinstance(item, Path):
            yield _shape(item, palette)
        elif isinstance(item, Dot):
            yield _dot(item, palette)
        else:
            yield _text(item, palette)


def _shape(item: Path, palette: Palette) -> PlainShape:
    width, stroke, fill, dashes = PATHS[item.style]
    colour = getattr(palette, item.change or stroke) if stroke else ""
    inside = getattr(palette, item.change if item.change and fill == "ink" else fill) if fill else ""
    dashed = bool(dashes) or item.change == "removed" or item.wrong
    points = tuple((round(x, 1), round(y, 1)) for x, y in _points(item.commands))
    closed = item.commands[-1][0] == "Z"
    return PlainShape(points, closed, colour, WIDTHS.get(width, 0.0), inside, dashed, item.owner)


def _points(commands: tuple[Command, ...]) -> Iterator[tuple[float, float]]:
    at = (0.0, 0.0)
    for name, points in commands:
        if name == "C":
            xs, ys = (at[0], *points[::2]), (at[1], *points[1::2])
            for k in range(1, PIECES + 1):
                t = k / PIECES
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                x, y = (sum(w * v for w, v in zip(weights, side, strict=True)) for side in (xs, ys))
                yield x, y
        elif points:
            yield points[0], points[1]
        at = (points[-2], points[-1]) if points else at


def _dot(item: Dot, palette: Palette) -> PlainShape:
    x, y, r = item.x, item.y, item.radius
    corners = [(0.0, -1.0), (0.5, -0.866), (0.866, -0.5)]
    turned = [(a, b) for a, b in corners]
    for _ in range(3):
        corners = [(-b, a) for a, b in corners]
        turned += corners
    points = tuple((round(x + r * a, 1), round(y + r * b, 1)) for a, b in turned)
    return PlainShape(points, True, "", 0.0, getattr(palette, item.change or "ink"), False, item.owner)


def _text(item: Text, palette: Palette) -> PlainText:
    left, top, right, bottom = item.box
    colour = getattr(palette, item.change or ("muted" if item.style in ("caption", "legend") else "ink"))
    box = round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)
    bold, italic = item.style in ("bold", "title"), item.style in ("label", "float")
    return PlainText(box, item.text, item.size, colour, bold, italic, item.anchor, item.owner)
