"""Slices and indices in ONNX: one `Slice` for all ranges, one `Gather` for each index."""

from __future__ import annotations

from typing import Any

from ogive.backends.onnx_model.ops.context import Args, Context
from ogive.backends.onnx_model.ops.operands import operand, squeezed
from ogive.compiler.ir.model import Node
from ogive.compiler.sizes import Size, size

END = 2**63 - 1


def sliced(ctx: Context, node: Node, args: Args) -> str:
    """`x[start:stop:step, index]`."""
    items = list(enumerate(zip(node.attr("items"), ctx.type(node.inputs[0]).sizes, strict=True)))
    x = operand(args)
    ranges = [(axis, item, length) for axis, (item, length) in items if item[0] == "slice"]
    ranges = [entry for entry in ranges if not _whole(*entry[1:])]
    if ranges:
        starts = [item[1] for _, item, _ in ranges]
        stops = [END if item[2] == length else item[2] for _, item, length in ranges]
        steps = [item[3] for _, item, _ in ranges]
        bounds = [_vector(ctx, starts), _vector(ctx, stops), ctx.array([axis for axis, _, _ in ranges])]
        if any(step != size(1) for step in steps):
            bounds.append(ctx.shape(steps))
        x = ctx.node("Slice", x, *bounds)
    for axis, (item, _) in reversed(items):
        if item[0] == "index":
            x = ctx.node("Gather", x, scalar(ctx, item[1]), axis=axis)
    return x


def _whole(item: tuple[Any, ...], length: Size) -> bool:
    return bool(item[1] == size(0) and item[2] == length and item[3] == size(1))


def _vector(ctx: Context, bounds: list[Size | int]) -> str:
    """Bounds as one vector; the end of an axis is no size."""
    if all(isinstance(bound, int) or bound.is_number for bound in bounds):
        return ctx.array([bound if isinstance(bound, int) else bound.number for bound in bounds])
    parts = [ctx.array([bound]) if isinstance(bound, int) else ctx.size(bound) for bound in bounds]
    return parts[0] if len(parts) == 1 else ctx.node("Concat", *parts, axis=0)


def scalar(ctx: Context, value: Size) -> str:
    """A size without axes."""
    return ctx.number(value, "int") if value.is_number else squeezed(ctx, ctx.size(value), [0])
