"""What a careful eye would find in a drawing: overlaps, wires through glyphs, things outside the frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ogive.backends.diagram.figure.geometry import Drawing, Path, Text, extent

Rect = tuple[float, float, float, float]
MARGIN = 8.0


def faults(drawing: Drawing, margin: float = MARGIN) -> list[str]:
    """All faults, in words."""
    found = [*texts_apart(drawing), *texts_off_wires(drawing), *texts_off_glyphs(drawing), *wires_off_glyphs(drawing)]
    return [*found, *inside(drawing, margin), *plates(drawing)]


def inside(drawing: Drawing, margin: float = MARGIN) -> Iterator[str]:
    """Everything, control points included, keeps its distance from the frame."""
    left, top, right, bottom = extent(drawing.items)
    if min(left, top, drawing.width - right, drawing.height - bottom) < margin - 0.2:
        yield f"extent {left:.1f} {top:.1f} {right:.1f} {bottom:.1f} in {drawing.width} x {drawing.height}"


def texts_apart(drawing: Drawing) -> Iterator[str]:
    """No two texts overlap."""
    texts = sorted((item for item in drawing.items if isinstance(item, Text)), key=lambda t: t.box[0])
    for i, a in enumerate(texts):
        for b in texts[i + 1 :]:
            if b.box[0] > a.box[2]:
                break
            if overlap(shrunk(a.box), shrunk(b.box)):
                yield f"texts `{a.text}` and `{b.text}` overlap at {a.x:.0f}, {a.y:.0f}"


def texts_off_wires(drawing: Drawing) -> Iterator[str]:
    """No wire runs through a text that floats or labels."""
    texts = [item for item in drawing.items if isinstance(item, Text) and item.style in ("label", "float", "caption")]
    for wire in wires(drawing):
        for a, b in segments(wire):
            for text in texts:
                if crosses(a, b, shrunk(text.box)):
                    yield f"a wire of {wire.axis} crosses the text `{text.text}` at {text.x:.0f}, {text.y:.0f}"


def texts_off_glyphs(drawing: Drawing) -> Iterator[str]:
    """No label stands on a glyph, but its own text does."""
    cores = [group.core for group in drawing.groups if group.core]
    for item in drawing.items:
        if isinstance(item, Text) and item.style in ("label", "float", "caption") and not item.owner:
            for core in cores:
                if overlap(shrunk(item.box), shrunk(core)):
                    yield f"text `{item.text}` stands on a glyph at {item.x:.0f}, {item.y:.0f}"


def wires_off_glyphs(drawing: Drawing) -> Iterator[str]:
    """Wires end at glyphs; none runs into one."""
    cores = [(group.name, shrunk(group.core, 2.6)) for group in drawing.groups if group.core]
    for wire in wires(drawing):
        for a, b in segments(wire):
            for name, core in cores:
                if crosses(a, b, core):
                    yield f"a wire of {wire.axis} runs into {name} at {core[0]:.0f}, {core[1]:.0f}"


def plates(drawing: Drawing) -> Iterator[str]:
    """Plates nest or are disjoint."""
    boxes = [group.box for group in drawing.groups if group.plate]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            if overlap(shrunk(a), shrunk(b)) and not (holds(a, b) or holds(b, a)):
                yield f"plates at {a[0]:.0f}, {a[1]:.0f} and {b[0]:.0f}, {b[1]:.0f} overlap"


def wires(drawing: Drawing) -> list[Path]:
    """The wires of axes, and bundles of them."""
    return [item for item in drawing.items if isinstance(item, Path) and item.style in ("wire", "bundle")]


def segments(path: Path) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The path as straight lines, curves in eight pieces."""
    at = (0.0, 0.0)
    for name, points in path.commands:
        if name == "C":
            corners = list(curve(at, points))
            yield from pairwise([at, *corners])
        elif name == "L":
            yield at, (points[0], points[1])
        at = (points[-2], points[-1]) if points else at


def curve(start: tuple[float, float], points: tuple[float, ...]) -> Iterator[tuple[float, float]]:
    """Eight points on a cubic."""
    xs, ys = (start[0], *points[::2]), (start[1], *points[1::2])
    for k in range(1, 9):
        t = k / 8
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        yield sum(w * x for w, x in zip(weights, xs, strict=True)), sum(w * y for w, y in zip(weights, ys, strict=True))


def shrunk(rect: Rect, by: float = 0.8) -> Rect:
    """A little smaller: touching is no overlap."""
    return rect[0] + by, rect[1] + by, rect[2] - by, rect[3] - by


def overlap(a: Rect, b: Rect) -> bool:
    """Whether two boxes share an area."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def holds(a: Rect, b: Rect) -> bool:
    """Whether the second box lies in the first."""
    return a[0] <= b[0] + 0.1 and a[1] <= b[1] + 0.1 and a[2] >= b[2] - 0.1 and a[3] >= b[3] - 0.1


def crosses(a: tuple[float, float], b: tuple[float, float], rect: Rect) -> bool:
    """Whether a straight line meets a box: it is clipped side by side."""
    (x, y), (u, v) = a, b
    if max(x, u) <= rect[0] or min(x, u) >= rect[2] or max(y, v) <= rect[1] or min(y, v) >= rect[3]:
        return False
    low, high = 0.0, 1.0
    for start, delta, least, most in ((x, u - x, rect[0], rect[2]), (y, v - y, rect[1], rect[3])):
        if abs(delta) < 1e-9:
            continue
        t0, t1 = sorted(((least - start) / delta, (most - start) / delta))
        low, high = max(low, t0), min(high, t1)
    return low < high
