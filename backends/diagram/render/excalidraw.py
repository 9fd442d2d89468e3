"""Excalidraw: straight strokes, shapes and texts, those of an operation as a group."""

from __future__ import annotations

import json
from typing import Any

from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.plain_shapes import PlainShape, PlainText, plain_shapes

HELVETICA = 2  # the number of the font
LINE = 1.25  # the height of a line of text, in its size


def excalidraw(drawing: Drawing, theme: Theme) -> str:
    """The file; ids and seeds count the elements, so that it is the same each time."""
    shapes = enumerate(plain_shapes(drawing, theme), start=1)
    elements = [_shape(k, item) if isinstance(item, PlainShape) else _text(k, item) for k, item in shapes]
    made = {
        "type": "excalidraw", "version": 2, "source": "ogive", "elements": elements,
        "appState": {"gridSize": None, "viewBackgroundColor": theme.palette.ground}, "files": {},
    }  # fmt: skip
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _common(k: int, kind: str, owner: str, box: tuple[float, float, float, float]) -> dict[str, Any]:
    x, y, wide, tall = (round(value, 1) for value in box)
    return {
        "id": f"e{k}", "type": kind, "x": x, "y": y, "width": wide, "height": tall, "angle": 0, "roughness": 0,
        "opacity": 100, "groupIds": [owner] if owner else [], "frameId": None, "roundness": None, "seed": k,
        "version": 1, "versionNonce": k, "isDeleted": False, "boundElements": None, "updated": 1, "link": None,
        "locked": False,
    }  # fmt: skip


def _shape(k: int, item: PlainShape) -> dict[str, Any]:
    points = [*item.points, item.points[0]] if item.closed else list(item.points)
    (x, y), xs, ys = points[0], [a for a, _ in points], [b for _, b in points]
    return _common(k, "line", item.owner, (x, y, max(xs) - min(xs), max(ys) - min(ys))) | {
        "points": [[round(a - x, 1), round(b - y, 1)] for a, b in points],
        "strokeColor": item.stroke or "transparent", "backgroundColor": item.fill or "transparent",
        "fillStyle": "solid", "strokeWidth": item.width or 1, "strokeStyle": "dashed" if item.dashed else "solid",
        "lastCommittedPoint": None, "startBinding": None, "endBinding": None, "startArrowhead": None,
        "endArrowhead": None,
    }  # fmt: skip


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
