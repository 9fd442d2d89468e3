"""Normalizations in ONNX: one node where the standard has one at this opset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ogive.backends.onnx_model.graph.elems import NUMPY
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import (
    in_attributes,
    known,
    moved_last,
    narrowed,
    number,
    operand,
    optional,
    permuted,
    setting,
    squeezed,
    unsqueezed,
    widened,
)
from ogive.backends.onnx_model.ops.reduce import centred
from ogive.compiler.ir.model import Node, Scalar
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size, size

RMS_NORM = 23  # the opset that brought the node


def filled(ctx: Context, sizes: Sequence[Size], value: float, elem: str) -> str:
    """A tensor of one number."""
    if known(sizes):
        return ctx.array(np.full([item.number for item in sizes], value, NUMPY[ctx.elem(elem)]))
    return ctx.node("Expand", ctx.number(value, elem), ctx.shape(sizes))


def layer_norm(ctx: Context, node: Node, args: Args) -> str:
    """`LayerNormalization` over the last axes."""
    type, axes = ctx.type(node.inputs[0]), node.attr("axes")
    x, back = moved_last(ctx, operand(args), type, axes)
    weight, bias, eps = optional(args, 1), optional(args, 2), setting(node, "eps")
    if not in_attributes(ctx, type.elem, eps):
        y = _divided(ctx, centred(ctx, x, last := ctx.array(list(range(-len(axes), 0))))[0], last, eps, type.elem)
        y = y if weight is None else ctx.node("Mul", y, weight)
        return permuted(ctx, y if bias is None else ctx.node("Add", y, bias), back)
    weight = weight or filled(ctx, [type.axes[axis].size for axis in axes], 1.0, type.elem)
    y = ctx.node("LayerNormalization", x, weight, *_there(bias), axis=-len(axes), epsilon=eps)
    return permuted(ctx, y, back)


def _there(bias: str | None) -> list[str]:
    return [] if bias is None else [bias]


def rms_norm(ctx: Context, node: Node, args: Args) -> str:
    """`RMSNormalization`; before that was in the standard, x / √(mean x² + eps) · weight."""
    type, axes, eps = ctx.type(node.inputs[0]), node.attr("axes"), setting(node, "eps")
    x, back = moved_last(ctx, operand(args), type, axes)
    weight = optional(args, 1)
    if ctx.opset >= RMS_NORM and in_attributes(ctx, type.elem, eps):
        weight = weight or filled(ctx, [type.axes[axis].size for axis in axes], 1.0, type.elem)
        y = ctx.node("RMSNormalization", x, weight, axis=-len(axes), epsilon=eps)
        return permuted(ctx, y, back)
    x, wide = widened(ctx, x, type.elem)
    y = narrowed(ctx, _divided(ctx, x, ctx.array(list(range(-len(axes), 0))), eps, wide), type.elem)
    return permuted(ctx, y if weight is None else ctx.node("Mul", y, weight), back)


def _divided(ctx: Context, x: str, where: str, eps: float, elem: str) -> str:
    """Divides: x / √(mean x² + eps)."""
    spread = ctx.node("ReduceMean", ctx.node("Mul", x, x), where, keepdims=1)
    return ctx.node("Div", x, ctx.node("Sqrt", ctx.node("Add", spread, ctx.number(eps, elem))))


def by_channel(ctx: Context, x: str, type: TensorType) -> str:
    """One number for each channel, beside axis 1 of a tensor."""
    return unsqueezed(ctx, x, list(range(1, len(type.axes) - 1)))


def batch_norm(ctx: Context, node: Node, args: Args) -> str:
    """`BatchNormalization` by given statistics."""
    type = ctx.type(node.inputs[0])
    channels = type.axes[1:2]
    weight = optional(args, 3) or filled(ctx, [axis.size for axis in channels], 1.0, type.elem)
    bias = optional(args, 4) or filled(ctx, [axis.size for axis in channels], 0.0, type.elem)
    x, mean, variance = (operand(args, i) for i in range(3))
    return _normed(ctx, node, [x, weight, bias, mean, variance], type.elem)


def _normed(ctx: Context, node: Node, operands: list[str], elem: str) -> str:
    """`BatchNormalization`; what its epsilon, an attribute, does not hold of ours is added to the variance."""
    *others, variance = operands
    eps = setting(node, "eps")
    if not in_attributes(ctx, elem, eps):
        held = float(np.float32(eps))
        variance, eps = ctx.node("Add", variance, ctx.number(eps - held, elem)), held
    return ctx.node("BatchNormalization", *others, variance, epsilon=eps)


def batch_norm_train(ctx: Context, node: Node, args: Args) -> tuple[str, ...]:
    """By the statistics of x itself; then its mean and its unbiased variance."""
    type = ctx.type(node.inputs[0])
    axes = [axis for axis in range(len(type.axes)) if axis != 1]
    where = ctx.array(axes)
    gap, mean = centred(ctx, operand(args), where)
    variance = ctx.node("ReduceMean", ctx.node("Mul", gap, gap), where, keepdims=0)
    weight = optional(args, 1) or filled(ctx, [type.axes[1].size], 1.0, type.elem)
    bias = optional(args, 2) or filled(ctx, [type.axes[1].size], 0.0, type.elem)
    zero = filled(ctx, [type.axes[1].size], 0.0, type.elem)
    y = _normed(ctx, node, [gap, weight, bias, zero, variance], type.elem)
    count = size(1)
    for axis in axes:
        count = count * type.axes[axis].size
    unbiased = ctx.node("Mul", variance, ctx.number(Scalar("/", (count, count - 1)), type.elem))
    return y, squeezed(ctx, mean, axes), unbiased


def group_norm(ctx: Context, node: Node, args: Args) -> str:
    """`InstanceNormalization` of the groups, less their means.

    `GroupNormalization` is defined by E[x²] - E[x]² from opset 21 on, of which nothing is left where the mean is large.
    Halves are computed in float32, as that node does.
    """
    type = ctx.type(node.inputs[0])
    groups, eps = number(node.attr("groups"), node, "groups"), setting(node, "eps")
    flat, wide = widened(ctx, ctx.node("Reshape", operand(args), ctx.array([0, groups, -1])), type.elem)
    y = narrowed(ctx, _instances(ctx, flat, groups, eps, wide), type.elem)
    y = ctx.reshape(y, [type.axes[0].size], type.sizes)
    weight, bias = optional(args, 1), optional(args, 2)
    y = y if weight is None else ctx.node("Mul", y, by_channel(ctx, weight, type))
    return y if bias is None else ctx.node("Add", y, by_channel(ctx, bias, type))


def _instances(ctx: Context, x: str, groups: int, eps: float, elem: str) -> str:
    """(x - E[x]) / √(Var[x] + eps) along the last of three axes; runtimes have the node for float32 alone."""
    last = ctx.array([2])
    if ctx.elem(elem) == "f64":
        return _divided(ctx, centred(ctx, x, last)[0], last, eps, elem)
    gap = ctx.node("Sub", x, ctx.node("ReduceMean", x, last, keepdims=1))
    one, zero = filled(ctx, [size(groups)], 1.0, elem), filled(ctx, [size(groups)], 0.0, elem)
    return ctx.node("InstanceNormalization", gap, one, zero, epsilon=eps)


LOWER: dict[str, Lowering] = {
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "batch_norm": batch_norm,
    "batch_norm_train": batch_norm_train,
    "group_norm": group_norm,
}
