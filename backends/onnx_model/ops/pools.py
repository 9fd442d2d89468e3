"""Pools in ONNX."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ogive.backends.onnx_model.graph.elems import NUMPY, ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import numbers, operand, padded, unsqueezed
from ogive.backends.onnx_model.ops.slices import scalar
from ogive.backends.onnx_model.ops.values import counted
from ogive.compiler.ir.model import Node
from ogive.compiler.sizes import Size, size

LOWEST = {"f16": -65504.0, "bf16": -3.3895313892515355e38, "f32": -3.4028234663852886e38, "f64": -sys.float_info.max}


def windowed(name: str) -> Lowering:
    """`MaxPool`, `AveragePool`."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        attrs: dict[str, object] = {
            "kernel_shape": numbers(node.attr("kernel"), node, "kernel"),
            "strides": numbers(node.attr("stride"), node, "stride"),
            "pads": numbers(node.attr("pad"), node, "pad") * 2,
        }
        if node.attr("ceil"):
            attrs["ceil_mode"] = 1
        if name == "AveragePool":
            attrs["count_include_pad"] = int(bool(node.attr("count_include_pad")))
        elif any(item != size(1) for item in node.attr("dilation")):
            attrs["dilations"] = numbers(node.attr("dilation"), node, "dilation")
            return _dilated(ctx, node, operand(args), attrs)
        return ctx.node(name, operand(args), **attrs)

    return lower


def _dilated(ctx: Context, node: Node, x: str, attrs: dict[str, Any]) -> str:
    """`MaxPool` with spread windows. They may meet padding alone, where the runtime gives its lowest number, not -∞."""
    type, pads = ctx.type(node.inputs[0]), attrs["pads"]
    kind = NUMPY[ctx.elem(type.elem)]
    if not any(pads):
        return ctx.node("MaxPool", x, **attrs)
    if any(pad >= kernel for pad, kernel in zip(pads, attrs["kernel_shape"] * 2, strict=True)):  # it takes no more
        names = ("kernel_shape", "strides", "dilations", "pads")
        settings = zip(*(attrs[name][: len(type.sizes) - 2] for name in names), strict=True)
        spatial = zip(settings, type.sizes[2:], node.outputs[0].type.sizes[2:], strict=True)
        ends = [(out - 1) * stride + step * (kernel - 1) + 1 - length - pad
                for (kernel, stride, step, pad), length, out in spatial]  # fmt: skip
        sides = {axis: (low, high) for axis, (low, high) in enumerate(zip(pads, ends, strict=False), 2)}
        x = padded(ctx, x, len(type.axes), sides, "constant", ctx.array(np.array(-math.inf, kind)))
        attrs = {**attrs, "pads": [0] * len(pads), "ceil_mode": 0}
    y = ctx.node("MaxPool", x, **attrs)
    lowest = ctx.array(np.array(LOWEST[ctx.elem(type.elem)], kind))
    return ctx.node("Where", ctx.node("LessOrEqual", y, lowest), ctx.array(np.array(-math.inf, kind)), y)


def adaptive(op: str) -> Lowering:
    """A pool to a given size."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        type = ctx.type(node.inputs[0])
        return to_size(ctx, operand(args), type.sizes, [size(item) for item in node.attr("size")], op, type.elem)

    return lower


def to_size(ctx: Context, x: str, have: Sequence[Size], want: Sequence[Size], op: str, elem: str) -> str:
    """Windows that cover each spatial axis: all of it, equal ones, or those of a matrix."""
    if all(item == size(1) for item in want):
        return ctx.node("GlobalAveragePool" if op == "mean" else "GlobalMaxPool", x)
    pairs = list(zip(have[2:], want, strict=True))
    if all(a.is_number and b.is_number and a.number % b.number == 0 for a, b in pairs):
        steps = [a.number // b.number for a, b in pairs]
        return ctx.node("AveragePool" if op == "mean" else "MaxPool", x, kernel_shape=steps, strides=steps)
    rank = len(have)
    for axis, (length, wanted) in enumerate(pairs, 2):
        if length == wanted:
            continue
        order = [*range(axis), *range(axis + 1, rank), axis]
        turned = x if axis == rank - 1 else ctx.node("Transpose", x, perm=order)
        y = _mean(ctx, turned, length, wanted, elem) if op == "mean" else _max(ctx, turned, length, wanted, elem, rank)
        back = [order.index(i) for i in range(rank)]
        x = y if axis == rank - 1 else ctx.node("Transpose", y, perm=back)
    return x


def inside(ctx: Context, length: Size, wanted: Size) -> str:
    """Bool [wanted, length]: window i is ⌊i n / w⌋ ... ⌈(i + 1) n / w⌉ - 1."""
    if length.is_number and wanted.is_number:
        n, w = length.number, wanted.number
        i, j = np.arange(w)[:, None], np.arange(n)
        return ctx.array((j >= i * n // w) & (j < -(-(i + 1) * n // w)))
    n_, w_ = scalar(ctx, length), scalar(ctx, wanted)
    one = ctx.number(1, "int")
    i_, j_ = unsqueezed(ctx, counted(ctx, wanted), [1]), counted(ctx, length)
    start = ctx.node("Div", ctx.node("Mul", i_, n_), w_)
    top = ctx.node("Add", ctx.node("Mul", ctx.node("Add", i_, one), n_), ctx.node("Sub", w_, one))
    return ctx.node("And", ctx.node("GreaterOrEqual", j_, start), ctx.node("Less", j_, ctx.node("Div", top, w_)))


def _mean(ctx: Context, x: str, length: Size, wanted: Size, elem: str) -> str:
    """The last axis by a matrix product."""
    kind = ctx.elem(elem)
    there = ctx.node("Cast", inside(ctx, length, wanted), to=ONNX[kind])
    share = ctx.node("Div", there, ctx.node("ReduceSum", there, ctx.array([1]), keepdims=1))
    return ctx.node("MatMul", x, ctx.node("Transpose", share, perm=[1, 0]))


def _max(ctx: Context, x: str, length: Size, wanted: Size, elem: str, rank: int) -> str:
    """The last axis against all windows, what lies outside at -∞."""
    low = ctx.array(np.array(-math.inf, NUMPY[ctx.elem(elem)]))
    spread = ctx.node("Where", inside(ctx, length, wanted), unsqueezed(ctx, x, [rank - 1]), low)
    return ctx.node("ReduceMax", spread, ctx.array([rank]), keepdims=0)


LOWER: dict[str, Lowering] = {
    "max_pool": windowed("MaxPool"),
    "avg_pool": windowed("AveragePool"),
    "adaptive_avg_pool": adaptive("mean"),
    "adaptive_max_pool": adaptive("max"),
}
