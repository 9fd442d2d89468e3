"""Excalidraw: straight strokes, shapes and texts, those of an operation as a group."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.connectors import (
    Connector,
    Element,
    LineTie,
    connected,
    is_rectangle,
    radius_of,
    rect_of,
)
from ogive.backends.diagram.render.plain_shapes import PlainShape, PlainText

HELVETICA = 2  # the number of the font
HEAD = 9.0  # pixels that a head of an arrow reaches to the side and back
LINE = 1.25  # the height of a line of text, in its size


def excalidraw(drawing: Drawing, theme: Theme) -> str:
    """The file; ids and seeds count the elements, so that it is the same each time."""
    made = {
        "type": "excalidraw", "version": 2, "source": "ogive", "elements": list(_elements(connected(drawing, theme))),
        "appState": {"gridSize": None, "viewBackgroundColor": theme.palette.ground}, "files": {},
    }  # fmt: skip
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _elements(elements: Sequence[Element]) -> Iterator[dict[str, Any]]:
    """Lines with ties are arrows, with a head or without; what none can be tied to has a box that nobody sees."""
    bound: dict[int, list[int]] = {}
    for k, each in enumerate(elements):
        if isinstance(each, Connector):
            for to in dict.fromkeys(tie.to for tie in (each.start, each.end) if tie is not None):
                bound.setdefault(to, []).append(k)
    tips = [each.line.points[-1] for each in elements if isinstance(each, Connector) and each.arrow]
    for k, each in enumerate(elements):
        lines = [{"id": f"e{at + 1}", "type": "arrow"} for at in bound.get(k, ())] or None
        if isinstance(each, Connector):
            yield _arrow(k + 1, each, elements)
        elif isinstance(each, PlainText):
            yield _text(k + 1, _beside(each, tips)) | {"boundElements": lines}
        elif is_rectangle(each):
            yield _box(k + 1, f"e{k + 1}", each, each.stroke, each.fill) | {"boundElements": lines}
        else:
            yield _line(k + 1, each)
            if lines:
                yield _box(k + 1, f"b{k + 1}", each, "", "") | {"boundElements": lines}


def _beside(item: PlainText, tips: Sequence[tuple[float, float]]) -> PlainText:
    """Sizes that stand right of an arrow a little further from it: its heads are wider than ours."""
    left, top, wide, tall = item.box
    near = not item.owner and any(0 < left - x < HEAD and top - 2 * HEAD < y < top + tall + 2 * HEAD for x, y in tips)
    return replace(item, box=(left + HEAD / 2, top, wide, tall)) if near else item


def _common(k: int, kind: str, owner: str, box: tuple[float, float, float, float]) -> dict[str, Any]:
    x, y, wide, tall = (round(value, 1) for value in box)
    return {
        "id": f"e{k}", "type": kind, "x": x, "y": y, "width": wide, "height": tall, "angle": 0, "roughness": 0,
        "opacity": 100, "groupIds": [owner] if owner else [], "frameId": None, "roundness": None, "seed": k,
        "version": 1, "versionNonce": k, "isDeleted": False, "boundElements": None, "updated": 1, "link": None,
        "locked": False,
    }  # fmt: skip


def _look(item: PlainShape, stroke: str, fill: str) -> dict[str, Any]:
    return {
        "strokeColor": stroke or "transparent", "backgroundColor": fill or "transparent", "fillStyle": "solid",
        "strokeWidth": item.width or 1, "strokeStyle": "dashed" if item.dashed else "solid",
    }  # fmt: skip


def _box(k: int, name: str, item: PlainShape, stroke: str, fill: str) -> dict[str, Any]:
    left, top, right, bottom = rect_of(item)
    round_ = abs((right - left) - (bottom - top)) < 0.5 and 2 * radius_of(item) > right - left - 1  # the ring of a sum
    kind = "ellipse" if is_rectangle(item) and round_ else "rectangle"
    made = _common(k, kind, item.owner, (left, top, right - left, bottom - top)) | _look(item, stroke, fill)
    corners = {"type": 3, "value": radius_of(item)} if is_rectangle(item) and stroke and radius_of(item) else None
    return made | {"id": name, "roundness": corners}


def _line(k: int, item: PlainShape) -> dict[str, Any]:
    points = [*item.points, item.points[0]] if item.closed else list(item.points)
    (x, y), xs, ys = points[0], [a for a, _ in points], [b for _, b in points]
    return _common(k, "line", item.owner, (x, y, max(xs) - min(xs), max(ys) - min(ys))) | _look(
        item, item.stroke, item.fill
    ) | {
        "points": [[round(a - x, 1), round(b - y, 1)] for a, b in points], "lastCommittedPoint": None,
        "startBinding": None, "endBinding": None, "startArrowhead": None, "endArrowhead": None,
    }  # fmt: skip


def _arrow(k: int, each: Connector, elements: Sequence[Element]) -> dict[str, Any]:
    ends = {"startBinding": _binding(each.start, elements), "endBinding": _binding(each.end, elements)}
    head = {"endArrowhead": "triangle" if each.arrow else None, "elbowed": False}
    return _line(k, each.line) | {"type": "arrow"} | ends | head


def _binding(tie: LineTie | None, elements: Sequence[Element]) -> dict[str, Any] | None:
    if tie is None:
        return None
    to = elements[tie.to]
    drawn = isinstance(to, PlainText) or (isinstance(to, PlainShape) and is_rectangle(to))
    name = f"e{tie.to + 1}" if drawn else f"b{tie.to + 1}"
    return {"elementId": name, "focus": 0, "gap": 1, "fixedPoint": [tie.x, tie.y]}


def _text(k: int, item: PlainText) -> dict[str, Any]:
    left, top, wide, tall = item.box
    high = item.size * LINE
    align = {"start": "left", "middle": "center", "end": "right"}[item.anchor]
    return _common(k, "text", item.owner, (left, top + tall / 2 - high / 2, wide, high)) | {
        "text": item.text, "originalText": item.text, "fontSize": item.size, "fontFamily": HELVETICA,
        "textAlign": align, "verticalAlign": "top", "containerId": None, "lineHeight": LINE, "autoResize": True,
        "strokeColor": item.colour, "backgroundColor": "transparent", "fillStyle": "solid", "strokeWidth": 1,
        "strokeStyle": "solid",
    }  # fmt: skip
