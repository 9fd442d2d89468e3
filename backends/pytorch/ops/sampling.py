"""Windows and samples in torch."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.expr import Code, call, literal, method, tuple_of
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.python_text.functions.operands import Args, operand, type_of
from ogive.compiler.ir.model import Node
from ogive.compiler.sizes import Size, size

ONE, NONE = size(1), size(0)


def _windows(ctx: Context, node: Node) -> dict[str, Code | None]:
    """The settings of `F.unfold`, which are of two axes."""
    found: dict[str, Code | None] = {}
    for key, name, usual in (("dilation", "dilation", ONE), ("pad", "padding", NONE), ("stride", "stride", ONE)):
        values: tuple[Size, ...] = node.attr(key)
        found[name] = None if all(each == usual for each in values) else _pair(ctx, values, usual)
    return found


def _pair(ctx: Context, values: Sequence[Size], usual: Size = ONE) -> Code:
    both = (*values, usual)[:2]
    return ctx.size(both[0]) if both[0] == both[1] else tuple_of([ctx.size(each) for each in both])


def unfold(ctx: Context, node: Node, args: Args) -> Code:
    """`F.unfold(x, 3, padding=1)` with its axes apart; one spatial axis is of two the first."""
    x, single = operand(args), len(node.attr("kernel")) == 1
    if single:
        x = method(x, "unsqueeze", -1)
    kernel: tuple[Size, ...] = node.attr("kernel")
    windows = call("F.unfold", x, _pair(ctx, kernel), **_windows(ctx, node))
    axes = [axis.size for axis in node.outputs[0].type.axes]
    return method(windows, "view", *ctx.shape(axes))


def fold(ctx: Context, node: Node, args: Args) -> Code:
    """`F.fold(x, (h, w), 3, padding=1)` of windows with their axes joined."""
    type, single = type_of(ctx, node.inputs[0]), len(node.attr("kernel")) == 1
    x = operand(args)
    joined = method(x, "flatten", 1, 2) if single else method(method(x, "flatten", -2), "flatten", 1, 3)
    wanted: tuple[Size, ...] = node.attr("size")
    shape = tuple_of([ctx.size(each) for each in (*wanted, ONE)[:2]])
    assert type.rank is not None
    y = call("F.fold", joined, shape, _pair(ctx, node.attr("kernel")), **_windows(ctx, node))
    return method(y, "squeeze", -1) if single else y


def grid_sample(ctx: Context, node: Node, args: Args) -> Code:
    """`F.grid_sample(x, grid)`; torch has no second derivative of it."""
    x, grid = operand(args), operand(args, 1)
    mode, beyond, corners = node.attr("mode"), node.attr("pad_mode"), node.attr("align_corners")
    if ctx.derived():
        return call(ctx.helper("grid_sampled"), x, grid, literal(mode), literal(beyond), literal(corners))
    return call(
        "F.grid_sample",
        x,
        grid,
        mode=None if mode == "bilinear" else literal(mode),
        padding_mode=None if beyond == "zeros" else literal(beyond),
        align_corners=literal(corners),
    )


LOWER: dict[str, Lowering] = {"unfold": unfold, "fold": fold, "grid_sample": grid_sample}
