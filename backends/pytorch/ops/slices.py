"""Slices as Python writes them: `x[:, :n]`, `x[..., -1]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.backends.python_text.expr import (
    ALL,
    DOTS,
    Argument,
    Code,
    attribute,
    binary,
    call,
    cut,
    literal,
    subscript,
    tuple_of,
)
from ogive.backends.python_text.functions.context import Context
from ogive.backends.python_text.functions.operands import Args, operand, type_of
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import Axis
from ogive.compiler.ops.elems import pack_index
from ogive.compiler.sizes import Size, size

PERIOD = 64  # of multiples that are looked for


def sliced(ctx: Context, node: Node, args: Args) -> Code:
    """`x[start:stop:step, index]`."""
    type = type_of(ctx, node.inputs[0])
    pack = pack_index(type)
    items = list(zip(node.attr("items"), type.axes, strict=True))
    short = _cut_back(ctx, items, pack, operand(args))
    if short is not None:
        return short
    index = [DOTS if i == pack else _item(ctx, item, axis.size) for i, (item, axis) in enumerate(items)]
    cuts = [i for i, each in enumerate(index) if each not in (ALL, DOTS)]
    if not cuts:
        return operand(args)
    if pack is None or cuts[-1] < pack:  # behind dots, colons count
        del index[cuts[-1] + 1 :]
    lead = next(i for i, each in enumerate(index) if each != ALL)
    # past the third axis the dots read better than colons
    if pack is None and lead > 2 and len(index) == len(items):
        index = [DOTS, *index[lead:]]
    return subscript(operand(args), *index)


def _cut_back(ctx: Context, items: Sequence[tuple[Any, Axis]], pack: int | None, x: Code) -> Code | None:
    """`F.pad(x, (0, w - x.shape[-1]))` for what was padded to a multiple: an exported slice may not cut nothing off."""
    amounts: list[Size | None] = []
    for at, (item, axis) in enumerate(reversed(items)):
        if item[0] == "all":
            amounts.append(None)
        elif item[0] == "slice" and item[1] == size(0) and item[3] == size(1) and _a_rest(axis.size - item[2]):
            amounts.append(item[2])
        else:
            return None
        if pack is not None and at >= len(items) - 1 - pack and amounts[-1] is not None:
            return None
    while amounts and amounts[-1] is None:
        amounts.pop()
    if not amounts:
        return None
    x = ctx.once(x, "x")
    shape = attribute(x, "shape")
    ends: list[Argument] = []
    for at, stop in enumerate(amounts):
        ends += [0, 0 if stop is None else binary(ctx.size(stop), "-", subscript(shape, -at - 1))]
    return call("F.pad", x, tuple_of(ends))


def _a_rest(more: Size) -> bool:
    """Whether a difference of sizes is that to the next multiple: 0 at times, and bounded."""
    if more.is_number:
        return False
    found = [more.at(dict.fromkeys(more.unknowns, n)) for n in range(1, 2 * PERIOD + 1)]
    return min(found) == 0 < max(found) == max(found[PERIOD:])


def _item(ctx: Context, item: tuple[Any, ...], length: Size) -> Code:
    if item[0] == "all":
        return ALL
    if item[0] == "index":
        return _bound(ctx, item[1], length)
    _, start, stop, step = item
    low = None if start == size(0) else _bound(ctx, start, length)
    high = None if stop == length else _bound(ctx, stop, length)
    return cut(low, high, None if step == size(1) else ctx.size(step))


def _bound(ctx: Context, bound: Size, length: Size) -> Code:
    """The bound, counted from the end where that makes it a number."""
    back = bound - length
    if not bound.is_number and back.is_number and back.number < 0:
        return literal(back.number)
    return ctx.size(bound)
