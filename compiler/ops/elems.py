"""Operands as readers of a message know them."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir.types import TensorType


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
