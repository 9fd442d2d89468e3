"""Softmax, convolutions and resampling in ONNX."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ogive.backends.onnx_model.ops.attention import attention, empty_rows
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import known, number, numbers, operand, optional, padded, unsqueezed
from ogive.backends.onnx_model.ops.pools import LOWER as POOLS
from ogive.backends.onnx_model.ops.pools import to_size
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.sizes import Size, size

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
RESIZE: dict[str, dict[str, object]] = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "nearest-exact": {
        "mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil",
    },
    "linear": {"mode": "linear"},
    "bilinear": {"mode": "linear"},
    "trilinear": {"mode": "linear"},
    "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.75},
}  # fmt: skip


def along(name: str, nothing: float) -> Lowering:
    """`Softmax` along an axis; where a row may hold nothing but -∞, such a row is `nothing`."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        x, axis = operand(args), node.attr("axis")
        y = ctx.node(name, x, axis=axis)
        if node.attr("whole"):
            return y
        elem = ctx.type(node.inputs[0]).elem
        return ctx.node("Where", empty_rows(ctx, x, [axis], elem), ctx.number(nothing, elem), y)

    return lower


def _kernel(ctx: Context, node: Node) -> list[int]:
    return numbers(ctx.type(node.inputs[1]).sizes[2:], node, "a kernel of")


def _sides(ctx: Context, node: Node) -> tuple[list[Size], list[Size]]:
    """Padding before and after each axis; of "same", an odd one falls to the right."""
    pad = node.attr("pad")
    if pad != "same":
        found = [size(each) for each in pad]
        return found, found
    kernel = ctx.type(node.inputs[1]).sizes[2:]
    reach = [d * (k - 1) for d, k in zip(node.attr("dilation"), kernel, strict=True)]
    return [total // 2 for total in reach], [total - total // 2 for total in reach]


def conv(ctx: Context, node: Node, args: Args) -> str:
    """`Conv`; other paddings than zeros, and those that depend on sizes, are made before."""
    x, before, after = operand(args), *_sides(ctx, node)
    mode, kernel = node.attr("pad_mode"), ctx.type(node.inputs[1]).sizes[2:]
    there = any(each != size(0) for each in (*before, *after))
    if there and (mode != "zeros" or not known((*before, *after))):
        sides = {axis: pair for axis, pair in enumerate(zip(before, after, strict=True), 2)}
        x = padded(ctx, x, 2 + len(before), sides, MODES.get(mode, "constant"))
        before = after = [size(0)] * len(before)
    bias = optional(args, 2)
    return ctx.node(
        "Conv",
        x,
        operand(args, 1),
        *([] if bias is None else [bias]),
        strides=numbers(node.attr("stride"), node, "stride"),
        pads=numbers([*before, *after], node, "pad"),
        dilations=numbers(node.attr("dilation"), node, "dilation"),
        group=number(node.attr("groups"), node, "groups"),
        **({"kernel_shape": _kernel(ctx, node)} if known(kernel) else {}),
    )


def conv_transpose(ctx: Context, node: Node, args: Args) -> str:
    """`ConvTranspose`. The runtime takes no output padding of a stride or more: then less is cut at the end."""
    bias, rank = optional(args, 2), len(node.attr("stride"))
    strides, pads, more = (numbers(node.attr(key), node, key) for key in ("stride", "pad", "out_pad"))
    starts, ends, cut = pads, pads, [0] * 2 * rank
    if any(extra >= stride for extra, stride in zip(more, strides, strict=True)):
        starts, ends, more = pads, [pad - extra for pad, extra in zip(pads, more, strict=True)], [0] * rank
        if any(end < 0 for end in ends):  # beyond what the kernel reaches
            cut, starts, ends = [-side for side in (*starts, *ends)], [0] * rank, [0] * rank
    inside = bias is not None and not any(cut)
    y = ctx.node(
        "ConvTranspose",
        operand(args),
        operand(args, 1),
        *([bias] if bias is not None and inside else []),
        kernel_shape=_kernel(ctx, node),
        strides=strides,
        pads=[*starts, *ends],
        output_padding=more,
        dilations=numbers(node.attr("dilation"), node, "dilation"),
        group=number(node.attr("groups"), node, "groups"),
    )
    if any(cut):
        sides = {axis: (cut[axis - 2], cut[axis - 2 + rank]) for axis in range(2, 2 + rank)}
        y = padded(ctx, y, 2 + rank, sides, "constant")
    return y if bias is None or inside else ctx.node("Add", y, unsqueezed(ctx, bias, list(range(1, rank + 1))))


def interpolate(ctx: Context, node: Node, args: Args) -> str:
    """`Resize` of the spatial axes."""
    x, mode, scale = operand(args), node.attr("mode"), node.attr("scale")
    out = node.outputs[0].type.sizes[2:]
    if mode == "area":
        return to_size(ctx, x, ctx.type(node.inputs[0]).sizes, out, "mean", ctx.type(node.inputs[0]).elem)
    attrs: dict[str, object] = {"coordinate_transformation_mode": "half_pixel", **RESIZE[mode]}
    if node.attr("antialias"):
        attrs |= {"antialias": 1, "exclude_outside": 1}
        attrs |= {"cubic_coeff_a": -0.5} if mode == "bicubic" else {}
    if node.attr("align_corners"):
        attrs["coordinate_transformation_mode"] = "align_corners"
    axes = list(range(2, 2 + len(out)))
    factors_ = [] if scale is None else [value_of(factor) for factor in scale]
    if scale is None or None in factors_:
        return ctx.node("Resize", x, "", "", ctx.shape(_wanted(node, out)), axes=axes, **attrs)
    factors = ctx.array(np.array(factors_, np.float32))
    return ctx.node("Resize", x, "", factors, axes=axes, **attrs)


def _wanted(node: Node, out: Sequence[Size]) -> Sequence[Size]:
    return [size(item) for item in node.attr("size")] if node.attr("size") is not None else out


LOWER: dict[str, Lowering] = {
    "softmax": along("Softmax", 0.0),
    "log_softmax": along("LogSoftmax", -math.inf),
    "attention": attention,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "interpolate": interpolate,
    **POOLS,
}
