"""Index operations in torch."""

from __future__ import annotations

import ast

from ogive.backends.python_text.expr import (
    ALL,
    DOTS,
    FALSE,
    NONE,
    Argument,
    Code,
    attribute,
    binary,
    call,
    is_place,
    literal,
    method,
    name,
    subscript,
)
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.python_text.functions.operands import Args, operand, type_of
from ogive.backends.pytorch.ops.dims import dim
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.elems import pack_index
from ogive.compiler.sizes import Size, size


def take(ctx: Context, node: Node, args: Args) -> Code:
    """`F.embedding(i, x)` for rows of a table, `x[:, i]`, `x.index_select(1, i)` for one axis of numbers."""
    type, index = type_of(ctx, node.inputs[0]), type_of(ctx, node.inputs[1])
    axis: int = node.attr("axis")
    x, i = operand(args), operand(args, 1)
    if axis == 0 and len(type.axes) == 2 and type.floating:
        return call("F.embedding", i, x)
    at = dim(type, axis)
    if index.rank == 1:
        return method(x, "index_select", at, i)
    if index.rank == 0:  # in brackets a scalar would be read out at once; with an axis of 1 it can be batched
        return method(method(x, "index_select", at, method(i, "view", 1)), "squeeze", at)
    pack = pack_index(type)
    if pack is not None and pack < axis:
        lead = [DOTS]
        tail = [ALL] * (len(type.axes) - 1 - axis)
    else:
        lead, tail = [ALL] * axis, []
    return subscript(x, *lead, i, *tail)


def _long(code: Code, type: TensorType) -> Code:
    """Numbers as `gather` and `scatter_add` want them."""
    return method(code, "long") if type.elem == "i32" else code


def gather(ctx: Context, node: Node, args: Args) -> Code:
    """`x.gather(1, i)`."""
    index = _long(operand(args, 1), type_of(ctx, node.inputs[1]))
    return method(operand(args), "gather", dim(type_of(ctx, node.inputs[0]), node.attr("axis")), index)


def put(ctx: Context, node: Node, args: Args) -> Code:
    """`x.slice_scatter(y, 1, start, end)`; at a place known at run time, `x.index_copy(1, places, y)`."""
    type, axis = type_of(ctx, node.inputs[0]), node.attr("axis")
    length: Size = type_of(ctx, node.inputs[1]).axes[axis].size
    start: Size = node.attr("start")
    at = dim(type, axis)
    if len(args) < 3 or args[2] is None:
        room = type.axes[axis].size
        end = None if start + length == room else ctx.size(start + length)
        begin = None if end is None and start == size(0) else ctx.size(start)
        return method(operand(args), "slice_scatter", operand(args, 1), at, begin, end)
    place = operand(args, 2)
    if start != size(0):
        place = binary(place, "+", ctx.size(start))
    if length == size(1):
        places = method(method(place, "reshape", 1), "long")
    else:
        device = attribute(operand(args), "device")
        numbers = call("torch.arange", ctx.size(length), device=device)
        places = binary(place, "+", numbers)  # whole ones in 64 bits
    return method(operand(args), "index_copy", at, places, operand(args, 1))


def scatter_add(ctx: Context, node: Node, args: Args) -> Code:
    """`src.new_zeros(n).scatter_add(1, i, src)`, or `x.index_add(1, i, src)` for an index of one axis.

    Both must have one type, which autocast does not see to: constants take that of what is added, which else takes x's.
    """
    x, added, at = _written(ctx, node, args)
    if node.attr("along"):
        return method(x, "index_add", at, operand(args, 1), added)
    return method(x, "scatter_add", at, _long(operand(args, 1), type_of(ctx, node.inputs[1])), added)


def _written(ctx: Context, node: Node, args: Args) -> tuple[Code, Code, int]:
    """What is written into and what is written, of one type, and along which axis."""
    type = type_of(ctx, node.inputs[0])
    x, added = operand(args), operand(args, 2)
    if type.floating and like(x, added) is not None:
        added = ctx.once(added, "added")
        x = like(x, added) or x
    elif type.floating:
        x = ctx.once(x, "x")
        added = method(added, "type_as", x)
    return x, added, dim(type, node.attr("axis"))


REDUCED = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin", "prod": "prod"}


def scatter(ctx: Context, node: Node, args: Args) -> Code:
    """`x.scatter_reduce(1, i, src, "amax")`, `x.scatter(1, i, src)`, `x.index_copy(1, i.long(), src)` for one axis."""
    index, op = _long(operand(args, 1), type_of(ctx, node.inputs[1])), node.attr("op")
    if op is not None and node.attr("along"):
        args = (*args[:2], ctx.once(operand(args, 2), "src"))
        index = _spread(index, operand(args, 2), type_of(ctx, node.inputs[2]), node.attr("axis"))
    x, src, at = _written(ctx, node, args)
    if op is None and node.attr("along"):  # alone among these it refuses numbers of 32 bits, as any input may have
        return method(x, "index_copy", at, method(operand(args, 1), "long"), src)
    if op is None:
        return method(x, "scatter", at, index, src)
    included = None if node.attr("include_self") else FALSE
    return method(x, "scatter_reduce", at, index, src, literal(REDUCED[op]), include_self=included)


def _spread(index: Code, src: Code, type: TensorType, axis: int) -> Code:
    """An index of one axis, for all entries of `src`."""
    behind = type.axes[axis + 1 :]
    if any(each.pack is not None for each in behind):
        turned = method(index, "expand_as", method(src, "movedim", axis, -1))
        return method(turned, "movedim", -1, axis)
    index = subscript(index, ALL, *[NONE] * len(behind)) if behind else index
    return method(index, "expand_as", src)


def like(x: Code, other: Code) -> Code | None:
    """A tensor of equal numbers that was made like another, `b.new_zeros(n)`, made like `other`; else None."""
    match x.node:
        case ast.Call(func=ast.Attribute(value=base, attr=attr), args=args, keywords=settings):
            if attr not in ("new_zeros", "new_ones", "new_full"):
                inner = like(Code(base), other)
            else:
                inner = other if is_place(Code(base)) else None
            return None if inner is None else Code(ast.Call(attribute(inner, attr).node, args, settings))
        case _:
            return None


def one_hot(ctx: Context, node: Node, args: Args) -> Code:
    """`one_hot(i, n)`: `F.one_hot` refuses what lies beyond n."""
    return call(ctx.helper("one_hot"), operand(args), ctx.size(node.attr("n")))


def topk(ctx: Context, node: Node, args: Args) -> Code:
    """`x.topk(k, dim=1)`."""
    return method(operand(args), "topk", ctx.size(node.attr("k")), **_unless_last(ctx, node))


def _unless_last(ctx: Context, node: Node) -> dict[str, int]:
    """`dim=1`, left out where it is the last one, which is torch's default."""
    at = dim(type_of(ctx, node.inputs[0]), node.attr("axis"))
    return {} if at == -1 else {"dim": at}


def _order(ctx: Context, node: Node, args: Args, name: str) -> Code:
    settings: dict[str, Argument] = {**_unless_last(ctx, node)}
    if node.attr("descending"):
        settings["descending"] = True
    return method(operand(args), name, **settings)


def sort(ctx: Context, node: Node, args: Args) -> Code:
    """`x.sort(dim=1).values`."""
    return attribute(_order(ctx, node, args, "sort"), "values")


def argsort(ctx: Context, node: Node, args: Args) -> Code:
    """`x.argsort(dim=1)`."""
    return _order(ctx, node, args, "argsort")


def arg(ctx: Context, node: Node, args: Args) -> Code:
    """`x.argmax(1)`."""
    return method(operand(args), node.op, dim(type_of(ctx, node.inputs[0]), node.attr("axis")))


def cumulative(ctx: Context, node: Node, args: Args) -> Code:
    """`x.cumsum(1)`; torch would widen small integers."""
    type = type_of(ctx, node.inputs[0])
    dtype = name("torch.int32") if type.elem == "i32" else None
    return method(operand(args), node.op, dim(type, node.attr("axis")), dtype=dtype)


def running(ctx: Context, node: Node, args: Args) -> Code:
    """`x.cummax(1).values`."""
    return attribute(method(operand(args), node.op, dim(type_of(ctx, node.inputs[0]), node.attr("axis"))), "values")


def diag(ctx: Context, node: Node, args: Args) -> Code:
    """`x.diagonal(dim1=-2, dim2=-1)`."""
    return method(
        operand(args), "diagonal", **({} if len(node.outputs[0].type.axes) == 1 else {"dim1": -2, "dim2": -1})
    )


def triangle(ctx: Context, node: Node, args: Args) -> Code:
    """`x.tril(-1)`."""
    diagonal: Size = node.attr("diagonal")
    return method(operand(args), node.op, None if diagonal == size(0) else ctx.size(diagonal))


LOWER: dict[str, Lowering] = {
    "take": take,
    "gather": gather,
    "put": put,
    "scatter_add": scatter_add,
    "scatter": scatter,
    "one_hot": one_hot,
    "topk": topk,
    "sort": sort,
    "argsort": argsort,
    "argmax": arg,
    "argmin": arg,
    "cumsum": cumulative,
    "cumprod": cumulative,
    "cummax": running,
    "cummin": running,
    "diag": diag,
    "tril": triangle,
    "triu": triangle,
}
