"""What the operations over spatial axes share: settings per axis, and the channels-first layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.empty import some
from ogive.compiler.ops.spec import Checker, ShapeError
from ogive.compiler.sizes import Size, size


def per_axis(value: Any, count: int, static: str, *, low: int | None = None) -> tuple[Size, ...]:
    """A number for all axes, or a list with one for each; where known, at least `low`."""
    items = tuple(value) if isinstance(value, tuple | list) else (value,) * count
    if len(items) != count:
        text = f"`{static}` lists {len(items)} numbers, and there are {plural(count, 'spatial axis', 'spatial axes')}"
        raise ShapeError(text, code="E0408", static=static)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | Size):
            raise ShapeError(f"`{static}` is a number or a list of numbers, not {item}", code="E0404", static=static)
    found = tuple(size(item) for item in items)
    for item in found:
        if low is not None and item.is_number and item.number < low:
            raise ShapeError(f"`{static}` is at least {low}, not {item}", code="E0408", static=static)
    return found


def spatial(checker: Checker, name: str, x: TensorType) -> tuple[Axis, Axis, tuple[Axis, ...]]:
    """Batch, channels and spatial axes of a channels-first tensor of known rank. The batch alone may be empty."""
    if x.rank is None:
        pack = next(axis.pack for axis in x.axes if axis.pack is not None)
        text = f"`{name}` must know its spatial axes; `*{pack}` may be any number of axes"
        raise ShapeError(text, code="E0303", operand=0)
    if len(x.axes) < 3:
        text = f"`{name}` takes [batch, channels, ...] with at least one spatial axis, not {x}"
        raise ShapeError(text, code="E0303", operand=0)
    batch, channels, *rest = x.axes
    for axis in (channels, *rest):
        some(checker, axis, name)
    return batch, channels, tuple(rest)


def place(axis: Axis, index: int) -> str:
    """A spatial axis as a message calls it: its label, or its position."""
    return f"axis `{axis.label}`" if axis.label is not None else f"axis {index}"


def plural(count: int, one: str, many: str) -> str:
    """A count and its noun: `1 axis`, `2 axes`."""
    return f"{count} {one if count == 1 else many}"


def known(sizes: Sequence[Size]) -> bool:
    """Whether all of them are numbers."""
    return all(item.is_number for item in sizes)
