"""PNG and PDF from the SVG, by optional libraries: resvg carries its own renderer, cairosvg uses cairo."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ogive.backends.diagram.errors import DiagramError

SCALE = 2  # of a PNG, for screens with fine pixels
EXTRA = "pip install 'ogive[draw]'"


def png(svg: str) -> bytes:
    """The pixels of an SVG, at twice its size."""
    resvg = _library("resvg_py")
    return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=SCALE))


def pdf(svg: str) -> bytes:
    """One page, vectors all through."""
    cairosvg = _library("cairosvg")
    return bytes(cairosvg.svg2pdf(bytestring=svg.encode()))


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except (ImportError, OSError):  # cairosvg needs the cairo library of the system
        raise DiagramError(f"{name} is not installed: {EXTRA}") from None
