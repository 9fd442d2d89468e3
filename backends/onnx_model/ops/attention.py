"""Attention in ONNX: the node of the standard from opset 23 on, else scores, softmax and the sum of values."""

from __future__ import annotations

import math

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context
from ogive.backends.onnx_model.ops.operands import operand, optional, squeezed, unsqueezed
from ogive.backends.onnx_model.ops.slices import scalar
from ogive.backends.onnx_model.ops.values import counted
from ogive.compiler.ir.model import Node, Scalar
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size, size

ATTENTION = 23  # the opset that brought the node
HEADS = 4  # its axes: batch, heads, positions, width


def attention(ctx: Context, node: Node, args: Args) -> str:
    """softmax(scale q kᵀ + mask) v; a query that sees no key gives 0, as in torch."""
    q, k, v = (operand(args, i) for i in range(3))
    types = [ctx.type(operand) for operand in node.inputs[:3]]
    mask, causal = optional(args, 3), bool(node.attr("causal"))
    whole = bool(node.attr("whole"))  # every query sees a key
    plain = mask is None
    queries, keys = types[0].sizes[-2], types[1].sizes[-2]
    boolean = mask is None or ctx.type(node.inputs[3]).elem == "bool"
    if causal and not (plain and queries == keys and _one_node(ctx, types)):
        mask, causal = _causal(ctx, types[0].elem, queries, keys, mask, boolean), False
    if plain and (mask is None or whole) and _one_node(ctx, types):
        return _attention(ctx, node, (q, k, v), types, mask, causal)
    return _scores(ctx, node, (q, k, v), types, mask, boolean, whole)


def _one_node(ctx: Context, types: list[TensorType]) -> bool:
    """Whether `Attention` takes them: it does not broadcast."""
    rank = len(types[0].axes)
    alike = all(len(type.axes) == rank and type.sizes[:-2] == types[0].sizes[:-2] for type in types)
    exact = ctx.elem(types[0].elem) != "f64"  # its scale is a number of float32
    return ctx.opset >= ATTENTION and exact and alike and 2 <= rank <= HEADS


def _attention(
    ctx: Context, node: Node, qkv: tuple[str, str, str], types: list[TensorType], mask: str | None, causal: bool
) -> str:
    extra = list(range(HEADS - len(types[0].axes)))
    inputs = [unsqueezed(ctx, x, extra) for x in qkv] + ([] if mask is None else [mask])
    attrs: dict[str, float | int] = {"is_causal": 1} if causal else {}
    scale = node.attr("scale")
    if scale is not None:
        attrs["scale"] = 1.0 if (known := value_of(scale)) is None else float(known)
        if known is None:
            inputs[0] = ctx.node("Mul", inputs[0], ctx.number(scale, types[0].elem))
    return squeezed(ctx, ctx.node("Attention", *inputs, **attrs), extra)


def _causal(ctx: Context, elem: str, queries: Size, keys: Size, mask: str | None, boolean: bool) -> str:
    """True where a query sees a key, the last query seeing all; joined with another mask."""
    rows, shift = counted(ctx, queries), keys - queries
    if shift != size(0):
        rows = ctx.node("Add", rows, scalar(ctx, shift))
    seen = ctx.node("LessOrEqual", counted(ctx, keys), unsqueezed(ctx, rows, [1]))
    if mask is None:
        return seen
    return ctx.node("And", mask, seen) if boolean else ctx.node("Where", seen, mask, ctx.number(-math.inf, elem))


def _scores(
    ctx: Context,
    node: Node,
    qkv: tuple[str, str, str],
    types: list[TensorType],
    mask: str | None,
    boolean: bool,
    whole: bool,
) -> str:
    q, k, v = qkv
    rank, scale = len(types[1].axes), node.attr("scale")
    if scale is None:
        scale = Scalar("/", (1.0, Scalar("sqrt", (types[0].sizes[-1],))))
    elem = types[0].elem
    turned = ctx.node("Transpose", k, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = ctx.node("MatMul", ctx.node("Mul", q, ctx.number(scale, elem)), turned)
    if mask is not None and boolean:
        scores = ctx.node("Where", mask, scores, ctx.number(-math.inf, elem))
    elif mask is not None:
        scores = ctx.node("Add", scores, mask)
    found = ctx.node("MatMul", ctx.node("Softmax", scores, axis=-1), v)
    if whole or mask is None:
        return found
    if boolean:  # softmax of nothing but -∞ is NaN
        some = ctx.node("ReduceMax", ctx.node("Cast", mask, to=ONNX["i32"]), ctx.array([-1]), keepdims=1)
        empty = ctx.node("Not", ctx.node("Cast", some, to=ONNX["bool"]))
    else:
        empty = empty_rows(ctx, mask, [-1], elem)
    return ctx.node("Where", empty, ctx.number(0.0, elem), found)


def empty_rows(ctx: Context, x: str, axes: list[int], elem: str) -> str:
    """Where a row holds nothing but -∞: its largest number, in which a runtime may overlook NaN, and its sum."""
    where = ctx.array(axes)
    low = ctx.node("Equal", ctx.node("ReduceMax", x, where, keepdims=1), ctx.number(-math.inf, elem))
    total = ctx.node("ReduceSum", x, where, keepdims=1)
    return ctx.node("And", low, ctx.node("Equal", total, total))
