"""Windows and samples in ONNX."""

from __future__ import annotations

import numpy as np

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import numbers, operand, padded, unsqueezed
from ogive.backends.onnx_model.ops.slices import scalar
from ogive.backends.onnx_model.ops.values import counted
from ogive.compiler.ir.model import Node
from ogive.compiler.sizes import Size, size


def unfold(ctx: Context, node: Node, args: Args) -> str:
    """`Gather` of the places [k, p] of each axis, then the kernel before the positions."""
    x, pad, type = operand(args), node.attr("pad"), ctx.type(node.inputs[0])
    count, out = len(pad), node.outputs[0].type.sizes
    if any(each != size(0) for each in pad):
        x = padded(ctx, x, len(type.axes), {axis: (each, each) for axis, each in enumerate(pad, 2)}, "constant")
    for i in range(count):
        settings = (out[2 + i], out[2 + count + i], node.attr("stride")[i], node.attr("dilation")[i])
        x = ctx.node("Gather", x, _places(ctx, *settings), axis=2 + 2 * i)
    return x if count == 1 else ctx.node("Transpose", x, perm=[0, 1, 2, 4, 3, 5])


def _places(ctx: Context, kernel: Size, positions: Size, stride: Size, dilation: Size) -> str:
    """Int [k, p]: dilation k + stride p."""
    if all(each.is_number for each in (kernel, positions, stride, dilation)):
        k, p = np.arange(kernel.number)[:, None], np.arange(positions.number)
        return ctx.array(k * dilation.number + p * stride.number)
    window, starts = unsqueezed(ctx, counted(ctx, kernel), [1]), counted(ctx, positions)
    window = window if dilation == size(1) else ctx.node("Mul", window, scalar(ctx, dilation))
    starts = starts if stride == size(1) else ctx.node("Mul", starts, scalar(ctx, stride))
    return ctx.node("Add", window, starts)


def fold(ctx: Context, node: Node, args: Args) -> str:
    """`Col2Im` of windows with their axes joined."""
    sizes = ctx.type(node.inputs[0]).sizes
    count = len(sizes) // 2 - 1
    rows, places = sizes[1], size(1)
    for each in sizes[2 : 2 + count]:
        rows = rows * each
    for each in sizes[2 + count :]:
        places = places * each
    joined = ctx.node("Reshape", operand(args), ctx.shape([sizes[0], rows, places]))
    pad = numbers(node.attr("pad"), node, "pad")
    return ctx.node(
        "Col2Im",
        joined,
        ctx.shape(node.attr("size")),
        ctx.shape(node.attr("kernel")),
        dilations=numbers(node.attr("dilation"), node, "dilation"),
        pads=[*pad, *pad],
        strides=numbers(node.attr("stride"), node, "stride"),
    )


def grid_sample(ctx: Context, node: Node, args: Args) -> str:
    """`GridSample`; of halves in float32, since a place among many entries has more digits than they hold."""
    mode = {"bilinear": "linear"}.get(node.attr("mode"), node.attr("mode"))
    corners, elem = int(node.attr("align_corners")), ctx.elem(ctx.type(node.inputs[0]).elem)
    x, grid = operand(args), operand(args, 1)
    halves = elem in ("f16", "bf16")
    if halves:
        x, grid = (ctx.node("Cast", each, to=ONNX["f32"]) for each in (x, grid))
    y = ctx.node("GridSample", x, grid, mode=mode, padding_mode=node.attr("pad_mode"), align_corners=corners)
    return ctx.node("Cast", y, to=ONNX[elem]) if halves else y


LOWER: dict[str, Lowering] = {"unfold": unfold, "fold": fold, "grid_sample": grid_sample}
