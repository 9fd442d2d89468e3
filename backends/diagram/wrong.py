"""Diagrams of blocks that do not type-check: what is understood of them, and the wires at fault marked."""

from __future__ import annotations

from typing import Any

from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.compiler.driver.partial_graphs import sketches
from ogive.compiler.driver.workspace import CheckedProgram


def broken_diagrams(program: CheckedProgram, name: str | None, **settings: Any) -> dict[str, Diagram]:
    """By name, the blocks with errors; all of them, or the one that is asked for."""
    found = {sketch.name: sketch.definition for sketch in sketches(program) if name in (None, sketch.name)}
    return {key: diagram(definition, **settings) for key, definition in found.items()}
