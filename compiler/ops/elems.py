"""Operands as readers of a message know them."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.types import Axis, TensorType


def name_of(axis: Axis) -> str:
    """The axis by its size, and by its label where that says something else: `n`, `h = 2*n`."""
    named = axis.pack is None and axis.label is not None and axis.label != str(axis.size)
    return f"{axis.label} = {axis}" if named and not str(axis.label).startswith("*") else str(axis)


def shown(type: TensorType) -> str:
    """The type with the sizes of its axes: `[b, n, d]`."""
    body = f"[{', '.join(map(str, type.axes))}]"
    return body if type.elem == "float" else type.elem + body


def pack_index(type: TensorType) -> int | None:
    """The place of the pack among the axes."""
    return next((i for i, axis in enumerate(type.axes) if axis.pack is not None), None)


def tensors(types: Sequence[object]) -> list[TensorType]:
    """The operands of an operation that takes tensors alone."""
    assert all(isinstance(type, TensorType) for type in types), types
    return [type for type in types if isinstance(type, TensorType)]
