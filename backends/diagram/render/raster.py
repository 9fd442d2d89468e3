"""PNG and PDF from the SVG, by optional libraries: resvg carries its own renderer, cairosvg uses cairo."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from ogive.backends.diagram.figure.errors import DiagramError

SCALE = 2  # of a PNG, for screens with fine pixels
DATE = re.compile(rb"(?<=/CreationDate )\(D:\d{14}[^)]*\)")
EXTRA = "pip install 'ogive[draw]'"


def png(svg: str) -> bytes:
    """The pixels of an SVG, at twice its size."""
    resvg = _library("resvg_py")
    return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=SCALE))


def pdf(svg: str) -> bytes:
    """One page, vectors all through."""
    cairosvg = _library("cairosvg")
    made = bytes(cairosvg.svg2pdf(bytestring=svg.encode()))
    # the same bytes at every hour; of the same length, so that the offsets hold
    return DATE.sub(lambda found: b"(D:20000101000000Z".ljust(len(found[0]) - 1) + b")", made)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except (ImportError, OSError):  # cairosvg needs the cairo library of the system
        raise DiagramError(f"{name} is not installed: {EXTRA}") from None
