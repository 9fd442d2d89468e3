"""What an index writes into a tensor, in ONNX: `ScatterElements`."""

from __future__ import annotations

import math

from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import INTS
from ogive.compiler.ops.held import BITS

NODES = {"sum": "add", "mean": "add", "max": "max", "min": "min", "prod": "mul"}


def _index(ctx: Context, node: Node, args: Args) -> str:
    """The index; one of one axis spread over the others."""
    index, axis = operand(args, 1), node.attr("axis")
    if not node.attr("along"):
        return index
    shape = ctx.type(node.inputs[2]).sizes
    behind = list(range(1, len(shape) - axis))
    index = ctx.node("Unsqueeze", index, ctx.array(behind)) if behind else index
    return ctx.node("Expand", index, ctx.shape(shape))


def scatter_add(ctx: Context, node: Node, args: Args) -> str:
    """One node that adds."""
    index = _index(ctx, node, args)
    return ctx.node("ScatterElements", operand(args), index, operand(args, 2), axis=node.attr("axis"), reduction="add")


def scatter(ctx: Context, node: Node, args: Args) -> str:
    """One node; what stands there and does not count is first written over by what changes nothing.

    A mean is the sum divided by how many entries there are.
    """
    x, src, index, axis = operand(args), operand(args, 2), _index(ctx, node, args), node.attr("axis")
    op, elem = node.attr("op"), ctx.type(node.inputs[0]).elem
    if op is None:
        return ctx.node("ScatterElements", x, index, src, axis=axis)
    sizes = ctx.shape(ctx.type(node.inputs[2]).sizes)
    if not node.attr("include_self"):
        neutral = ctx.node("Expand", ctx.number(_neutral(op, elem), elem), sizes)
        x = ctx.node("ScatterElements", x, index, neutral, axis=axis)
    y = ctx.node("ScatterElements", x, index, src, axis=axis, reduction=NODES[op])
    if op != "mean":
        return y
    one = ctx.number(1.0, elem)
    counts = ctx.node("Expand", one, ctx.shape(ctx.type(node.inputs[0]).sizes))
    ones = ctx.node("Expand", one, sizes)
    if not node.attr("include_self"):
        nothing = ctx.node("Expand", ctx.number(0.0, elem), sizes)
        counts = ctx.node("ScatterElements", counts, index, nothing, axis=axis)
    counts = ctx.node("ScatterElements", counts, index, ones, axis=axis, reduction="add")
    return ctx.node("Div", y, counts)


def _neutral(op: str, elem: str) -> float:
    """What changes nothing that it is joined with."""
    if op in ("sum", "mean", "prod"):
        return float(op == "prod")
    low = -(2 ** (BITS[elem] - 1)) if elem in INTS else -math.inf
    return low if op == "max" else -low - (elem in INTS)


LOWER: dict[str, Lowering] = {"scatter_add": scatter_add, "scatter": scatter}
