"""Slices as Python writes them: `x[:, :n]`, `x[..., -1]`."""

from __future__ import annotations

from typing import Any

from ogive.backends.python_text.expr import ATOM, Code
from ogive.backends.pytorch.ops.context import Context
from ogive.backends.pytorch.ops.operands import Args, operand, type_of
from ogive.compiler.ir.model import Node
from ogive.compiler.ops.elems import pack_index
from ogive.compiler.sizes import Size, size


def sliced(ctx: Context, node: Node, args: Args) -> Code:
    """`x[start:stop:step, index]`."""
    type = type_of(ctx, node.inputs[0])
    pack = pack_index(type)
    items = list(zip(node.attr("items"), type.axes, strict=True))
    texts = ["..." if i == pack else _item(ctx, item, axis.size) for i, (item, axis) in enumerate(items)]
    kept = sum(text == ":" for text in texts)
    if kept + (pack is not None) == len(texts):
        return operand(args)
    last = max(i for i, text in enumerate(texts) if text not in (":", "..."))
    if pack is None or last < pack:  # behind dots, colons count
        del texts[last + 1 :]
    lead = next(i for i, text in enumerate(texts) if text != ":")
    # past the third axis the dots read better than colons
    if pack is None and lead > 2 and len(texts) == len(items):
        texts = ["...", *texts[lead:]]
    return Code(f"{operand(args).at(ATOM)}[{', '.join(texts)}]")


def _item(ctx: Context, item: tuple[Any, ...], length: Size) -> str:
    if item[0] == "all":
        return ":"
    if item[0] == "index":
        return _bound(ctx, item[1], length)
    _, start, stop, step = item
    low = "" if start == size(0) else _bound(ctx, start, length)
    high = "" if stop == length else _bound(ctx, stop, length)
    by = "" if step == size(1) else f":{ctx.size(step)}"
    return f"{low}:{high}{by}"


def _bound(ctx: Context, bound: Size, length: Size) -> str:
    """The bound, counted from the end where that makes it a number."""
    back = bound - length
    if not bound.is_number and back.is_number and back.number < 0:
        return str(back.number)
    return str(ctx.size(bound))
