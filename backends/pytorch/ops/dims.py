"""Positions of axes as the `dim` arguments of torch."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import Code, literal, tuple_of
from ogive.compiler.ir.types import TensorType


def dim(type: TensorType, axis: int) -> int:
    """The axis counted from the left; from the right for the last one, or where a pack stands before it."""
    packs = [i for i, entry in enumerate(type.axes) if entry.pack is not None]
    if packs and axis in packs:
        raise LoweringError(f"axis `{type.axes[axis]}` may be any number of axes, which torch cannot name")
    if axis == len(type.axes) - 1 or (packs and axis > packs[0]):
        return axis - len(type.axes)
    return axis


def dims(type: TensorType, axes: Sequence[int]) -> Code:
    """One number, or a tuple of several."""
    found = [dim(type, axis) for axis in axes]
    return literal(found[0]) if len(found) == 1 else tuple_of(found)
