"""Lines that end at boxes, for editors in which a box is moved and its lines follow it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ogive.backends.diagram.figure.geometry import Drawing, Group
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.plain_shapes import PlainShape, PlainText, plain_shapes

Rect = tuple[float, float, float, float]  # left, top, right, bottom
NEAR = 2.5  # from the end of a line to the box of an operation that it reaches
CLOSE, BESIDE = 5.0, 16.0  # from there to a shape of it, or to its text where it has none
TIP = 1.0  # from the end of a line to the tip of its arrow


@dataclass(frozen=True, slots=True)
class LineTie:
    """What an end of a line is attached to: the number of a shape or text, and where on it, in parts of its sides."""

    to: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Connector:
    """A line with what its ends are attached to, and whether it ends in an arrow."""

    line: PlainShape
    start: LineTie | None
    end: LineTie | None
    arrow: bool


Element = PlainShape | PlainText | Connector


def connected(drawing: Drawing, theme: Theme) -> list[Element]:
    """The shapes of a drawing; ties speak of their places in the list. Arrows that end a line are part of it."""
    shapes = list(plain_shapes(drawing, theme))
    arrows = {
        k: shape.points[1] for k, shape in enumerate(shapes) if isinstance(shape, PlainShape) and _is_arrow(shape)
    }
    ends = {_rounded(shape.points[-1]) for shape in shapes if isinstance(shape, PlainShape) and _is_line(shape)}
    taken = {k for k, tip in arrows.items() if any(_rounded(tip, dx, dy) in ends for dx in (0, 1) for dy in (0, 1))}
    tips = [arrows[k] for k in taken]
    kept = [shape for k, shape in enumerate(shapes) if k not in taken]
    finder = _Finder(drawing, kept)
    found: list[Element] = []
    for shape in kept:
        if not isinstance(shape, PlainShape) or not _is_line(shape) or len(shape.points) < 2:
            found.append(shape)
            continue
        start, end = finder.tie(shape.points[0]), finder.tie(shape.points[-1])
        (x, y) = shape.points[-1]
        arrow = any(abs(x - a) <= TIP and abs(y - b) <= TIP for a, b in tips)
        found.append(Connector(shape, start, end, arrow) if start or end or arrow else shape)
    return found


def _is_line(shape: PlainShape) -> bool:
    return not shape.closed and not shape.owner and bool(shape.stroke) and not shape.dashed


def _is_arrow(shape: PlainShape) -> bool:
    return shape.closed and not shape.stroke and len(shape.points) == 3


def _rounded(point: tuple[float, float], dx: float = 0, dy: float = 0) -> tuple[int, int]:
    return int(point[0] + dx), int(point[1] + dy)


class _Finder:
    """What stands where a line ends."""

    def __init__(self, drawing: Drawing, shapes: Sequence[PlainShape | PlainText]) -> None:
        by = drawing.scale
        self.groups = sorted(((_scaled(group, by), group) for group in drawing.groups), key=lambda each: _area(each[0]))
        self.shapes: dict[str, list[tuple[int, PlainShape | PlainText]]] = {}
        for k, shape in enumerate(shapes):
            if shape.owner and (isinstance(shape, PlainText) or shape.closed):
                self.shapes.setdefault(shape.owner, []).append((k, shape))

    def tie(self, point: tuple[float, float]) -> LineTie | None:
        """The shape of the smallest operation, or else frame, on whose edge a point lies."""
        for plates in (False, True):
            for box, group in self.groups:
                if group.plate == plates and _on_edge(point, box):
                    found = self._of(point, group.owner)
                    if found is not None:
                        return found
        return None

    def _of(self, point: tuple[float, float], owner: str) -> LineTie | None:
        near = []
        for k, shape in self.shapes.get(owner, ()):
            rect, text = rect_of(shape), isinstance(shape, PlainText)
            away = _distance(point, rect)
            if away <= (BESIDE if text else CLOSE):
                near.append((text, away, -_area(rect), k, rect))
        if not near:
            return None
        *_, k, (left, top, right, bottom) = min(near)
        parts = ((point[0] - left) / max(right - left, 0.1), (point[1] - top) / max(bottom - top, 0.1))
        return LineTie(k, *(round(min(max(part, 0.0), 1.0), 3) for part in parts))


def rect_of(shape: PlainShape | PlainText) -> Rect:
    """The box around a shape or a text."""
    if isinstance(shape, PlainText):
        left, top, wide, tall = shape.box
        return left, top, left + wide, top + tall
    return bounds(shape.points)


def bounds(points: Iterable[tuple[float, float]]) -> Rect:
    """The box around some places."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def is_rectangle(shape: PlainShape) -> bool:
    """Whether a polygon is a box along the axes, with round corners or without."""
    left, top, right, bottom = bounds(shape.points)
    if not shape.closed or min(right - left, bottom - top) < 4:
        return False
    sides = {(x in (left, right), y in (top, bottom)) for x, y in shape.points}
    if len(shape.points) == 4:
        return sides == {(True, True)}
    return len(shape.points) > 12 and all(_distance((x, y), (left, top, right, bottom)) < 10 for x, y in shape.points)


def radius_of(shape: PlainShape) -> float:
    """How round the corners of a rectangle are."""
    left, top, *_ = bounds(shape.points)
    return min((x - left for x, y in shape.points if y == top), default=0.0)


def anchored(tie: LineTie, rect: Rect) -> tuple[float, float]:
    """The place of a tie."""
    left, top, right, bottom = rect
    return left + tie.x * (right - left), top + tie.y * (bottom - top)


def line_of(each: Element) -> PlainShape | PlainText:
    """The shape or text that an element is."""
    return each.line if isinstance(each, Connector) else each


def _scaled(group: Group, by: float) -> Rect:
    left, top, right, bottom = (by * value for value in group.box)
    return left, top, right, bottom


def _area(rect: Rect) -> float:
    return (rect[2] - rect[0]) * (rect[3] - rect[1])


def _on_edge(point: tuple[float, float], rect: Rect) -> bool:
    (x, y), (left, top, right, bottom) = point, rect
    inside = left - NEAR <= x <= right + NEAR and top - NEAR <= y <= bottom + NEAR
    return inside and min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom)) <= NEAR


def _distance(point: tuple[float, float], rect: Rect) -> float:
    (x, y), (left, top, right, bottom) = point, rect
    return max(left - x, x - right, 0.0) + max(top - y, y - bottom, 0.0)
