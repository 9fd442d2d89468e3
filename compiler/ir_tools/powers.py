"""Powers whose exponent was not known in a proof, at the numbers of a model."""

from __future__ import annotations

from collections.abc import Mapping

from ogive.compiler.ir.model import Definition
from ogive.compiler.sizes import Size, Unknown


def without_number(
    definition: Definition, known: Mapping[Unknown, Size], seen: set[tuple[int, tuple[Size, ...]]] | None = None
) -> Size | None:
    """A size of a tensor, here or in a block that is used, that is no number within reason; None where all are."""
    seen = set() if seen is None else seen
    key = (id(definition), tuple(known.values()))
    if key in seen or not definition.powered:
        return None
    seen.add(key)
    for node in definition.graph.walk():
        for axis in (axis for value in node.outputs for axis in value.type.axes):
            if axis.size.powered and _large(axis.size, known):
                return axis.size
        if node.callee is not None:
            for _, behind in node.bindings:
                if behind.powered and _large(behind, known):
                    return behind
            inside = {unknown: behind.subs(known) for unknown, behind in node.bindings}
            found = without_number(node.callee, inside, seen)
            if found is not None:
                return found
    return None


def _large(of: Size, known: Mapping[Unknown, Size]) -> bool:
    try:
        of.subs(known)
    except ZeroDivisionError:
        return True
    return False
