"""Text as shapes, for formats that must look the same on machines without any font.

`outlines.json` has the characters of Liberation Sans 2.1.5 (upright, bold and slanted), and of DejaVu Sans what that
font lacks, as paths in 1/1000 em with y downwards; their licenses stand in `outlines.md`. Their widths are those of
`figure/metrics.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from ogive.backends.diagram.figure.metrics import width

Face = Literal["regular", "bold", "italic"]


@cache
def _faces() -> dict[str, dict[str, str]]:
    faces: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("outlines.json").read_text("utf-8"))
    return faces


def outline(char: str, face: Face) -> str | None:
    """The path of a character; none where it is not known."""
    faces = _faces()
    return faces[face].get(char, faces["regular"].get(char))


def placed(text: str, x: float, size: float, face: Face) -> Iterator[tuple[float, str, str | None]]:
    """Each character that has ink, with its place on the line and its path."""
    for char in text:
        if not char.isspace():
            yield x, char, outline(char, face)
        x += width(char, size, face == "bold")
