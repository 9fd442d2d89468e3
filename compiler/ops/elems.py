"""What shape rules say about operands: their types as readers know them, and their element types."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ops.spec import ShapeError
from ogive.compiler.types import Axis, TensorType


def name_of(axis: Axis) -> str:
    """The axis as a reader knows it: its label, or else its size."""
    return f"*{axis.pack}" if axis.pack is not None else axis.label or str(axis.size)


def shown(type: TensorType) -> str:
    """The type with axes by their labels: `[b, n, d]`."""
    body = f"[{', '.join(map(name_of, type.axes))}]"
    return body if type.elem == "float" else type.elem + body


def pack_index(type: TensorType) -> int | None:
    """The place of the pack among the axes."""
    return next((i for i, axis in enumerate(type.axes) if axis.pack is not None), None)


def tensors(types: Sequence[object]) -> list[TensorType]:
    """The operands of an operation that takes tensors alone."""
    assert all(isinstance(type, TensorType) for type in types), types
    return [type for type in types if isinstance(type, TensorType)]


def same_elem(types: Sequence[TensorType], what: str) -> str:
    """The element type that all operands share: types never mix silently."""
    first = types[0].elem
    for i, type in enumerate(types[1:], start=1):
        if type.elem != first:
            text = f"{what} needs one element type, not `{first}` and `{type.elem}`"
            raise ShapeError(text, code="E0501", operand=i, help=f"cast[{first}](...)")
    return first


def need_elem(type: TensorType, allowed: Sequence[str], what: str, operand: int = 0, cast: str = "float") -> None:
    """Refuse element types for which the operation has no meaning."""
    if type.elem not in allowed:
        text = f"{what} takes {_either(allowed)} elements, not `{type.elem}`"
        raise ShapeError(text, code="E0501", operand=operand, help=f"cast[{cast}](...)")


def _either(elems: Sequence[str]) -> str:
    return " or ".join(f"`{kind}`" for kind in ("float", "int", "bool", "complex") if kind in elems)
