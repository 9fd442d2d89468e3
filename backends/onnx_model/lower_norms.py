"""Normalizations in ONNX: one node where the standard has one at this opset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ogive.backends.onnx_model.elems import NUMPY
from ogive.backends.onnx_model.lowering import Args, Context, Lowering
from ogive.backends.onnx_model.operands import known, moved_last, number, operand, optional, permuted, unsqueezed
from ogive.compiler.ir import Node
from ogive.compiler.sizes import Size, size
from ogive.compiler.types import TensorType

RMS_NORM, GROUP_NORM = 23, 21  # the opsets that brought these nodes in the form used here


def filled(ctx: Context, sizes: Sequence[Size], value: float, elem: str) -> str:
    """A tensor of one number."""
    if known(sizes):
        return ctx.array(np.full([item.number for item in sizes], value, NUMPY[ctx.elem(elem)]))
    return ctx.node("Expand", ctx.number(value, elem), ctx.shape(sizes))


def layer_norm(ctx: Context, node: Node, args: Args) -> str:
    """`LayerNormalization` over the last axes."""
    type, axes = ctx.type(node.inputs[0]), node.attr("axes")
    x, back = moved_last(ctx, operand(args), type, axes)
    weight = optional(args, 1) or filled(ctx, [type.axes[axis].size for axis in axes], 1.0, type.elem)
    bias = optional(args, 2)
    y = ctx.node("LayerNormalization", x, weight, *_there(bias), axis=-len(axes), epsilon=float(node.attr("eps")))
    return permuted(ctx, y, back)


def _there(bias: str | None) -> list[str]:
    return [] if bias is None else [bias]


def rms_norm(ctx: Context, node: Node, args: Args) -> str:
    """`RMSNormalization`; before that was in the standard, x / √(mean x² + eps) · weight."""
    type, axes, eps = ctx.type(node.inputs[0]), node.attr("axes"), float(node.attr("eps"))
    x, back = moved_last(ctx, operand(args), type, axes)
    weight = optional(args, 1)
    if ctx.opset >= RMS_NORM:
        weight = weight or filled(ctx, [type.axes[axis].size for axis in axes], 1.0, type.elem)
        y = ctx.node("RMSNormalization", x, weight, axis=-len(axes), epsilon=eps)
        return permuted(ctx, y, back)
    where = ctx.array(list(range(-len(axes), 0)))
    spread = ctx.node("ReduceMean", ctx.node("Mul", x, x), where, keepdims=1)
    root = ctx.node("Sqrt", ctx.node("Add", spread, ctx.number(eps, type.elem)))
    y = ctx.node("Div", x, root)
    return permuted(ctx, y if weight is None else ctx.node("Mul", y, weight), back)


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
    return ctx.node("BatchNormalization", x, weight, bias, mean, variance, epsilon=float(node.attr("eps")))


def batch_norm_train(ctx: Context, node: Node, args: Args) -> tuple[str, ...]:
    """By the statistics of x itself; then its mean and its unbiased variance."""
    x, type = operand(args), ctx.type(node.inputs[0])
    axes = [axis for axis in range(len(type.axes)) if axis != 1]
    where = ctx.array(axes)
    mean = ctx.node("ReduceMean", x, where, keepdims=0)
    gap = ctx.node("Sub", x, by_channel(ctx, mean, type))
    variance = ctx.node("ReduceMean", ctx.node("Mul", gap, gap), where, keepdims=0)
    weight = optional(args, 1) or filled(ctx, [type.axes[1].size], 1.0, type.elem)
    bias = optional(args, 2) or filled(ctx, [type.axes[1].size], 0.0, type.elem)
    y = ctx.node("BatchNormalization", x, weight, bias, mean, variance, epsilon=float(node.attr("eps")))
    count = size(1)
    for axis in axes:
        count = count * type.axes[axis].size
    whole = ctx.number(count, type.elem)
    rest = ctx.node("Sub", whole, ctx.number(1.0, type.elem))
    return y, mean, ctx.node("Mul", variance, ctx.node("Div", whole, rest))


def group_norm(ctx: Context, node: Node, args: Args) -> str:
    """`GroupNormalization`; before it scaled channels, `InstanceNormalization` of the groups."""
    x, type = operand(args), ctx.type(node.inputs[0])
    groups = number(node.attr("groups"), node, "groups")
    weight, bias = optional(args, 1), optional(args, 2)
    channels = [type.axes[1].size]
    eps = float(node.attr("eps"))
    if ctx.opset >= GROUP_NORM and len(type.axes) > 2:
        weight = weight or filled(ctx, channels, 1.0, type.elem)
        bias = bias or filled(ctx, channels, 0.0, type.elem)
        return ctx.node("GroupNormalization", x, weight, bias, num_groups=groups, epsilon=eps)
    flat = ctx.node("Reshape", x, ctx.array([0, groups, -1]))
    one, zero = filled(ctx, [size(groups)], 1.0, type.elem), filled(ctx, [size(groups)], 0.0, type.elem)
    y = ctx.node("InstanceNormalization", flat, one, zero, epsilon=eps)
    y = ctx.reshape(y, [type.axes[0].size], type.sizes)
    y = y if weight is None else ctx.node("Mul", y, by_channel(ctx, weight, type))
    return y if bias is None else ctx.node("Add", y, by_channel(ctx, bias, type))


LOWER: dict[str, Lowering] = {
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "batch_norm": batch_norm,
    "batch_norm_train": batch_norm_train,
    "group_norm": group_norm,
}
