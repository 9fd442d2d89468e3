"""Index operations in ONNX."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import operand, optional, unsqueezed
from ogive.backends.onnx_model.ops.slices import END, scalar
from ogive.backends.onnx_model.ops.values import counted
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import INTS, TensorType
from ogive.compiler.ops.held import BITS
from ogive.compiler.sizes import Size, size


def take(ctx: Context, node: Node, args: Args) -> str:
    """`Gather`."""
    return ctx.node("Gather", operand(args), operand(args, 1), axis=node.attr("axis"))


def gather(ctx: Context, node: Node, args: Args) -> str:
    """`GatherElements`."""
    return ctx.node("GatherElements", operand(args), operand(args, 1), axis=node.attr("axis"))


def put(ctx: Context, node: Node, args: Args) -> str:
    """What stands before, the new entries, what stands behind."""
    x, y, at = operand(args), operand(args, 1), optional(args, 2)
    axis: int = node.attr("axis")
    length = ctx.type(node.inputs[1]).axes[axis].size
    room = ctx.type(node.inputs[0]).axes[axis].size
    start: Size = node.attr("start")
    begin, end = ctx.size(start), ctx.size(start + length)
    if at is not None:
        place = ctx.node("Reshape", at, ctx.array([1]))
        if ctx.type(node.inputs[2]).elem == "i32":
            place = ctx.node("Cast", place, to=ONNX["int"])
        begin, end = ctx.node("Add", place, begin), ctx.node("Add", place, end)
    where = ctx.array([axis])
    parts = [y]
    if at is not None or start != size(0):
        parts.insert(0, ctx.node("Slice", x, ctx.array([0]), begin, where))
    if at is not None or start + length != room:
        parts.append(ctx.node("Slice", x, end, ctx.array([END]), where))
    return ctx.node("Concat", *parts, axis=axis) if len(parts) > 1 else y


def one_hot(ctx: Context, node: Node, args: Args) -> str:
    """Where the index is 0, 1, ..., n - 1: `OneHot` counts negative ones from the end."""
    index, type = operand(args), ctx.type(node.inputs[0])
    index = ctx.node("Cast", index, to=ONNX["int"]) if type.elem == "i32" else index
    same = ctx.node("Equal", unsqueezed(ctx, index, [len(type.axes)]), counted(ctx, node.attr("n")))
    return ctx.node("Cast", same, to=ONNX["int"])


def topk(ctx: Context, node: Node, args: Args) -> tuple[str, ...]:
    """`TopK`."""
    return _sorted(ctx, node, operand(args), ctx.size(node.attr("k")))


def order(ctx: Context, node: Node, args: Args) -> tuple[str, ...]:
    """All entries in order, and where they were: `TopK` of as many as there are."""
    axis: int = node.attr("axis")
    length = ctx.type(node.inputs[0]).axes[axis].size
    return _sorted(ctx, node, operand(args), ctx.size(length), largest=int(bool(node.attr("descending"))))


def _sorted(ctx: Context, node: Node, x: str, count: str, **settings: int) -> tuple[str, ...]:
    values, places = ctx.nodes("TopK", 2, x, count, axis=node.attr("axis"), **settings)
    return values, places


def sort(ctx: Context, node: Node, args: Args) -> str:
    """The entries in order."""
    return order(ctx, node, args)[0]


def argsort(ctx: Context, node: Node, args: Args) -> str:
    """Where the entries were."""
    return order(ctx, node, args)[1]


def arg(name: str) -> Lowering:
    """`ArgMax`, `ArgMin`."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        return ctx.node(name, operand(args), axis=node.attr("axis"), keepdims=0)

    return lower


def cumsum(ctx: Context, node: Node, args: Args) -> str:
    """`CumSum`."""
    return ctx.node("CumSum", operand(args), ctx.number(node.attr("axis"), "int"))


def running(name: str) -> Lowering:
    """`Scan` of a `Mul`, `Max` or `Min`, for which there are no nodes as there is `CumSum`."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        x, type, axis = operand(args), ctx.type(node.inputs[0]), node.attr("axis")
        state = type.with_axes(*type.axes[:axis], *type.axes[axis + 1 :])
        first: float = {"Mul": 1, "Max": -math.inf, "Min": math.inf}[name]
        if type.elem in INTS and name != "Mul":
            first = (-1 if name == "Max" else 1) * 2 ** (BITS[type.elem] - 1) - (name == "Min")

        def step(names: Sequence[str]) -> list[tuple[str, TensorType]]:
            h, a = names
            found = ctx.node(name, h, a)
            return [(found, state), (found, state)]

        start = ctx.node("Expand", ctx.number(first, type.elem), ctx.shape(state.sizes))
        return ctx.scan([start], [x], [("h", state), ("a", state)], step, [axis], [axis], False)[1]

    return lower


def diag(ctx: Context, node: Node, args: Args) -> str:
    """Every (n + 1)-th entry of the rows end to end."""
    *lead, rows = node.outputs[0].type.sizes
    flat = ctx.node("Reshape", operand(args), ctx.shape([*lead, rows * rows]))
    ends = (ctx.array([0]), ctx.array([END]), ctx.array([len(lead)]), ctx.shape([rows + 1]))
    return ctx.node("Slice", flat, *ends)


def triangle(ctx: Context, node: Node, args: Args) -> str:
    """`Trilu`."""
    diagonal: Size = node.attr("diagonal")
    shift = [] if diagonal == size(0) else [scalar(ctx, diagonal)]
    return ctx.node("Trilu", operand(args), *shift, upper=int(node.op == "triu"))


LOWER: dict[str, Lowering] = {
    "take": take,
    "gather": gather,
    "put": put,
    "one_hot": one_hot,
    "topk": topk,
    "sort": sort,
    "argsort": argsort,
    "argmax": arg("ArgMax"),
    "argmin": arg("ArgMin"),
    "cumsum": cumsum,
    "cumprod": running("Mul"),
    "cummax": running("Max"),
    "cummin": running("Min"),
    "diag": diag,
    "tril": triangle,
    "triu": triangle,
}
