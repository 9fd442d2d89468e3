"""Diagrams beyond `Model.diagram()`: several side by side, differences, Hasse diagrams of posets."""

from __future__ import annotations

from ogive.backends.diagram.diagram import Diagram, beside
from ogive.backends.diagram.diff import Difference
from ogive.backends.diagram.layout.hasse import hasse
from ogive.backends.diagram.render.svg import svg

__all__ = ["Diagram", "Difference", "beside", "hasse", "svg"]
