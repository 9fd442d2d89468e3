"""How the entries of a weight are drawn as it starts."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.analysis.signals.field import DrawnWeight
from ogive.compiler.analysis.initial.moments import entry_moments
from ogive.compiler.ir.model import Init


def drawn_weight(path: str, init: Init, shape: Sequence[int]) -> DrawnWeight | None:
    """How it is drawn; None where an expression makes it, or where a setting is no number."""
    found = entry_moments(init, shape)
    return None if found is None else DrawnWeight(path, *found, unit=init.name == "eye")
