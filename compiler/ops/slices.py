"""The shape rule of `x[...]`: bounds are sizes, and must lie inside for every size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.elems import pack_index, shown, tensors
from ogive.compiler.ops.spec import Checker, ShapeError
from ogive.compiler.sizes import Size, ceil_div, ge, le, lt, size

# in the node, one for each axis: ("all",) | ("index", at) | ("slice", start, stop, step); no bound is negative
Item = tuple[Any, ...]


def rule(
    checker: Checker, statics: Mapping[str, Any], types: Sequence[object]
) -> tuple[tuple[TensorType, ...], Mapping[str, Any]]:
    """`items` are ("index", i), ("slice", start, stop, step) with None for what is left out, or "..."."""
    operand = tensors(types)[0]
    entries = _beside(statics["items"], operand)
    axes: list[Axis] = []
    items: list[Item] = []
    for axis, entry in zip(operand.axes, entries, strict=True):
        if entry is None or entry == ("slice", None, None, None):
            axes.append(axis)
            items.append(("all",))
        elif entry[0] == "index":
            items.append(("index", _index(checker, axis, size(entry[1]))))
        else:
            item, length = _slice(checker, axis, *entry[1:])
            axes.append(Axis(length, axis.label))
            items.append(item)
    return (operand.with_axes(*axes),), {"items": tuple(items)}


def _beside(given: Sequence[Any], type: TensorType) -> list[Any]:
    """An entry for each axis, None for those that are kept whole."""
    given = list(given)
    count = len(type.axes)
    dots = [i for i, entry in enumerate(given) if entry == "..."]
    if len(dots) > 1:
        raise ShapeError("`...` appears twice in one slice", code="E0303", operand=0)
    before, after = (given, []) if not dots else (given[: dots[0]], given[dots[0] + 1 :])
    many = len(before) + len(after)
    if many > count:
        text = f"{many} indices for `{shown(type)}`, which has {count} {'axis' if count == 1 else 'axes'}"
        raise ShapeError(text, code="E0303", operand=0)
    found = [*before, *[None] * (count - many), *after]
    pack = pack_index(type)
    if pack is not None and not len(before) <= pack < count - len(after):
        text = f"an index stands where `{type.axes[pack]}` is, which is any number of axes"
        raise ShapeError(text, code="E0303", operand=0, help="x[..., i] counts from the end")
    return found


def _from_start(checker: Checker, bound: Size, length: Size) -> Size:
    """A bound counted from the start: as in Python, what is surely negative counts from the end."""
    negative = bound.number < 0 if bound.is_number else checker.proves(lt(bound, size(0)))
    return length + bound if negative else bound


def entries_of(length: Size) -> str:
    """How many entries an axis has, as a message says it."""
    one = length.is_number and length.number == 1
    return f"there {'is' if one else 'are'} `{length}` {'entry' if one else 'entries'}"


def _index(checker: Checker, axis: Axis, at: Size) -> Size:
    found = _from_start(checker, at, axis.size)
    text = f"index `{at}` of `{axis.named}`"
    _not_negative(checker, found, text)
    checker.inside(lt(found, axis.size), f"{text} is out of range: {entries_of(axis.size)}")
    return found


def _slice(checker: Checker, axis: Axis, start: Any, stop: Any, step: Any) -> tuple[Item, Size]:
    length = axis.size
    low = size(0) if start is None else _from_start(checker, size(start), length)
    high = length if stop is None else _from_start(checker, size(stop), length)
    stride = size(1) if step is None else size(step)
    if stride.is_number and stride.number < 1:
        raise ShapeError(f"a slice steps by at least 1, not {stride}", code="E0304", operand=0, help="flip[axis](x)")
    written = f"`{'' if start is None else start}:{'' if stop is None else stop}`"
    text = f"slice {written} of `{axis.named}`"
    _not_negative(checker, low, text)
    if stop is not None:
        checker.inside(le(high, length), f"{text} is out of range: {entries_of(length)}")
    if not stride.is_number:
        checker.inside(ge(stride, size(1)), f"{text} steps by `{stride}`")
    extent = ceil_div(high - low, stride)
    if not (_plain(extent) or (start is None and stop is None)):  # of all entries some are left, if there are any
        checker.positive(extent, f"{text} keeps `{extent}`")
    return ("slice", low, high, stride), extent


def _plain(extent: Size) -> bool:
    """Whether it is an unknown itself: such a one may be 0 on purpose (a cache at the first step)."""
    return len(extent.unknowns) == 1 and extent == size(next(iter(extent.unknowns)))


def _not_negative(checker: Checker, bound: Size, text: str) -> None:
    if not (bound.is_number and bound.number >= 0):
        checker.inside(ge(bound, size(0)), f"{text} reaches before its first entry")
