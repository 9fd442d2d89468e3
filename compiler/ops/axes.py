"""Axes in brackets: a label or a position becomes an index into the axes of a type."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.elems import shown
from ogive.compiler.ops.spec import Checker, ShapeError
from ogive.compiler.sizes import Size

AxisName = str | int | Size


def resolve(type: TensorType, axis: AxisName, *, operand: int = 0, static: str = "axis") -> int:
    """The index of the axis; E0305: a label is missing or appears twice, E0304: a position is out of range."""
    if isinstance(axis, str):
        return _labelled(type, axis, operand, static)
    position = axis.number if isinstance(axis, Size) else int(axis)
    count = len(type.axes)
    index = position if position >= 0 else count + position
    if type.rank is None:
        pack = next(i for i, entry in enumerate(type.axes) if entry.pack is not None)
        if 0 <= index < count and (index < pack if position >= 0 else index > pack):
            return index
        text = f"position {position} of {type} counts across `{type.axes[pack]}`, which may be any number of axes"
        raise ShapeError(text, code="E0304", operand=operand, static=static, axis=position)
    if not 0 <= index < count:
        text = f"there is no axis {position} in {type}, which has {count}"
        raise ShapeError(text, code="E0304", operand=operand, static=static, axis=position)
    return index


def resolve_all(
    type: TensorType, axes: Sequence[AxisName], *, operand: int = 0, static: str = "axes"
) -> tuple[int, ...]:
    """The indices of several axes, in the order given; the same axis twice is E0305."""
    found = tuple(resolve(type, axis, operand=operand, static=static) for axis in axes)
    for place, index in enumerate(found):
        if index in found[:place]:
            text = f"axis `{axes[place]}` of {type} is named twice"
            raise ShapeError(text, code="E0305", operand=operand, static=static)
    return found


def _labelled(type: TensorType, label: str, operand: int, static: str) -> int:
    found = [i for i, axis in enumerate(type.axes) if axis.label == label]
    if len(found) == 1:
        return found[0]
    if found:
        text = f"label `{label}` stands {len(found)} times in {type}; a position says which"
    else:
        known = [f"`{axis.label}`" for axis in type.axes if axis.label is not None]
        has = f"its labels are {', '.join(known)}" if known else "it has no labels"
        text = f"no axis of {type} is labelled `{label}`: {has}"
    raise ShapeError(text, code="E0305", operand=operand, static=static, axis=label)


def beside(checker: Checker, x: TensorType, other: TensorType, at: int, operand: int) -> list[Axis]:
    """The axes of `other`, which has those of `x` but for the one at `at`."""
    if len(x.axes) != len(other.axes):
        text = f"`{shown(other)}` has another number of axes than `{shown(x)}`"
        raise ShapeError(text, code="E0303", operand=operand)
    axes = []
    for i, (a, b) in enumerate(zip(x.axes, other.axes, strict=True)):
        text = f"lays `{b.named}` beside `{a.named}`"
        if i == at:
            axes.append(b if b.label is not None else b.labelled(a.label))
        elif a.pack is not None or b.pack is not None:
            if a.pack is None or b.pack is None or a.size != b.size:
                raise ShapeError(f"{text}: a pack meets only itself", operand=operand)
            axes.append(a)
        else:
            axes.append(checker.meet(a, b, text, operand))
    return axes
