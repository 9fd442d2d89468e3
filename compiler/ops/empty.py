"""Axes without entries: an operation that means nothing over them adds the condition that there are some."""

from __future__ import annotations

from collections.abc import Iterable

from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.spec import Checker
from ogive.compiler.sizes import Size, ge


def may_be_empty(size: Size) -> bool:
    """Whether a size may be 0: only where it is declared that a size may be (`where p >= 0`, `k: nat`)."""
    low = size.range[0]
    if low is not None and low >= 1:
        return False
    return size.is_number or any(unknown.low is None or unknown.low < 1 for unknown in size.unknowns)


def some(checker: Checker, axis: Axis, name: str) -> None:
    """There is no largest of nothing, and no mean: an axis that may be empty adds its condition."""
    if may_be_empty(axis.size) and not checker.proves(ge(axis.size, 1)):
        checker.positive(axis.size, f"`{name}` over `{axis}`")


def inhabited(checker: Checker, name: str, types: Iterable[object]) -> None:
    """No axis of these tensors is empty."""
    for type in types:
        for axis in type.axes if isinstance(type, TensorType) else ():
            some(checker, axis, name)
