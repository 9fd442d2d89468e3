"""Padding along one axis."""

from __future__ import annotations

import ast

from ogive.backends.python_text.expr import Argument, Code, attribute, binary, call, literal, method, tuple_of
from ogive.backends.python_text.functions.context import Context
from ogive.backends.python_text.functions.operands import Args, operand, type_of
from ogive.backends.pytorch.ops.dims import dim
from ogive.backends.pytorch.ops.out_of_range import held
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.elems import pack_index
from ogive.compiler.sizes import Size, size

# ranks at which `F.pad` mirrors, repeats or wraps, and how many of the last axes it then takes
SPATIAL = {2: 1, 3: 1, 4: 2, 5: 3}


def pad(ctx: Context, node: Node, args: Args) -> Code:
    """`F.pad(x, (before, after))`."""
    type, axis, mode = type_of(ctx, node.inputs[0]), node.attr("axis"), node.attr("mode")
    back = len(type.axes) - 1 - axis  # axes after this one
    pack = pack_index(type)
    if mode == "constant" and (pack is None or pack < axis):
        amounts = _amounts(ctx, node, back, back + 1)
        return _filled(ctx, node, operand(args), amounts)
    if mode != "constant" and pack is None and type.floating and back < SPATIAL.get(len(type.axes), 0):
        amounts = _amounts(ctx, node, back, SPATIAL[len(type.axes)])
        return call("F.pad", operand(args), amounts, mode=literal(mode))
    if mode == "constant":
        return _beside(ctx, node, args, type)
    return _by_index(ctx, node, args, type)


def _filled(ctx: Context, node: Node, x: Code, amounts: Code) -> Code:
    """By one number; `F.pad` takes it as a float, which rounds large integers."""
    value = node.attr("value")
    if isinstance(value, int) and float(value) != value:
        return call("torch.constant_pad_nd", x, amounts, value)
    filling = None if isinstance(value, int | float) and value == 0 else held(ctx, node, value, ctx.scalar(value))
    return _once(x, amounts, filling) or call("F.pad", x, amounts, value=filling)


def _once(x: Code, amounts: Code, filling: Code | None) -> Code | None:
    """`F.pad(F.pad(x, (0, 0, 1, 1)), (2, 2))` as `F.pad(x, (2, 2, 1, 1))`: other axes of one tensor by one number."""
    match x.node, amounts.node:
        case ast.Call(args=[base, ast.Tuple(elts=inner)], keywords=settings) as made, ast.Tuple(elts=outer):
            longer, shorter = (inner, outer) if len(inner) >= len(outer) else (outer, inner)
            zeros = [literal(0).node] * (len(longer) - len(shorter))
            pairs = list(zip(longer, [*shorter, *zeros], strict=True))
            free = all("0" in (Code(a).text, Code(b).text) for a, b in pairs)
            if (
                not free
                or call(Code(made.func), Code(base), tuple_of([Code(each) for each in inner]), value=filling) != x
            ):
                return None
            if Code(made.func).text != "F.pad" or len(settings) != (filling is not None):
                return None
            sides = [Code(b if Code(a).text == "0" else a) for a, b in pairs]
            return call("F.pad", Code(base), tuple_of(sides), value=filling)
        case _:
            return None


def _amounts(ctx: Context, node: Node, back: int, axes: int) -> Code:
    """Two numbers for each of the last axes, the last axis first."""
    pairs: list[Argument] = [0] * (2 * axes)
    pairs[2 * back] = ctx.size(node.attr("before"))
    pairs[2 * back + 1] = ctx.size(node.attr("after"))
    return tuple_of(pairs)


def _beside(ctx: Context, node: Node, args: Args, type: TensorType) -> Code:
    """Where a pack follows the axis, which `F.pad` counts from the end: move it there and back."""
    at = dim(type, node.attr("axis"))
    last = method(operand(args), "movedim", at, -1)
    return method(_filled(ctx, node, last, _amounts(ctx, node, 0, 1)), "movedim", -1, at)


def _by_index(ctx: Context, node: Node, args: Args, type: TensorType) -> Code:
    """Where `F.pad` has no form: the entries by their numbers -before ... n + after - 1, folded into 0 ... n - 1."""
    x = ctx.once(operand(args), "x")
    at = dim(type, node.attr("axis"))
    length: Size = type.axes[node.attr("axis")].size
    before: Size = node.attr("before")
    last = ctx.size(length - 1)
    start = ctx.size(size(0) - before)
    end = ctx.size(length + node.attr("after"))
    numbers = call("torch.arange", start, end, device=attribute(x, "device"))
    mode = node.attr("mode")
    if mode == "circular":
        index = binary(numbers, "%", ctx.size(length))
    elif mode == "replicate":
        index = method(numbers, "clamp", 0, last)
    else:
        index = binary(last, "-", method(binary(last, "-", method(numbers, "abs")), "abs"))
    return method(x, "index_select", at, index)
