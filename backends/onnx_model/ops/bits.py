"""Operations on the bits of integers in ONNX, whose shifts are those of integers without a sign."""

from __future__ import annotations

from ogive.backends.onnx_model.graph.elems import ONNX, UNSIGNED
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.elementwise import op
from ogive.backends.onnx_model.ops.operands import elem_of, given
from ogive.compiler.ir.model import Node


def shift_left(ctx: Context, node: Node, args: Args) -> str:
    """By the same bits without a sign."""
    x, places = given(args)
    return _shifted(ctx, x, places, ctx.elem(elem_of(ctx, node)), "LEFT")


def shift_right(ctx: Context, node: Node, args: Args) -> str:
    """Of a negative x the bits are turned before and behind, so that those that come in are its sign."""
    x, places = given(args)
    elem = ctx.elem(elem_of(ctx, node))
    below = ctx.node("Less", x, ctx.number(0, elem))
    bits = ctx.node("Where", below, ctx.node("BitwiseNot", x), x)
    found = _shifted(ctx, bits, places, elem, "RIGHT")
    return ctx.node("Where", below, ctx.node("BitwiseNot", found), found)


def _shifted(ctx: Context, x: str, places: str, elem: str, direction: str) -> str:
    bits, count = (ctx.node("Cast", each, to=UNSIGNED[elem]) for each in (x, places))
    return ctx.node("Cast", ctx.node("BitShift", bits, count, direction=direction), to=ONNX[elem])


LOWER: dict[str, Lowering] = {
    "bitwise_and": op("BitwiseAnd"),
    "bitwise_or": op("BitwiseOr"),
    "bitwise_xor": op("BitwiseXor"),
    "bitwise_not": op("BitwiseNot"),
    "shift_left": shift_left,
    "shift_right": shift_right,
}
