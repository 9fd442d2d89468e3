"""Softmax, attention, convolutions, pools and resampling in torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import (
    NONE,
    Argument,
    Code,
    attribute,
    binary,
    call,
    conditional,
    literal,
    method,
    name,
    prefix,
    tuple_of,
)
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.pytorch.ops.dims import dim
from ogive.compiler.ir.model import Node, Scalar
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size, size

Args = Sequence[Code | None]


def along(name: str) -> Lowering:
    """`F.softmax(x, dim=-1)`; `masked_softmax(x, -1)` where a row may hold nothing but -∞."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        at = dim(node.outputs[0].type, node.attr("axis"))
        if node.attr("whole"):
            return call(f"F.{name}", args[0], dim=at)
        return call(ctx.helper(f"masked_{name}"), args[0], at)

    return lower


def attention(ctx: Context, node: Node, args: Args) -> Code:
    """`F.scaled_dot_product_attention(q, k, v, mask, scale=...)`, whose `is_causal` aligns the first query and key."""
    q, k, v, mask = args
    assert q is not None
    scale = None if node.attr("scale") is None else ctx.scalar(node.attr("scale"))
    causal: bool = node.attr("causal")
    if causal and (mask is not None or not node.attr("aligned")):
        q = ctx.once(q, "q")
        mask, causal = _causal(ctx, node, q, mask), False
    is_causal = True if causal else None
    p = node.attr("dropout")
    dropout = None if p is None else _rate(ctx, p)
    generator = None if dropout is None else ctx.seeded()
    if generator is not None:
        settings = (mask or NONE, causal, scale or NONE)
        return _applied(ctx, ctx.helper("seeded_attention"), q, k, v, *settings, dropout, generator)
    function = name("F.scaled_dot_product_attention")
    return _applied(ctx, function, q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal, scale=scale)


def _rate(ctx: Context, p: float | Size | Scalar) -> Code:
    """How much attention drops now: what the module says that users find and change."""
    module = ctx.dropper(p)
    if module is None:
        return conditional(ctx.scalar(p), ctx.training(), 0.0)
    return conditional(attribute(module, "p"), attribute(module, "training"), 0.0)


def _applied(ctx: Context, function: Code, *args: Argument | None, **settings: Argument | None) -> Code:
    """The call; inside of `grad` by the kernel that has a second derivative."""
    if ctx.derived():
        return call(ctx.helper("unfused"), function, *args, **settings)
    return call(function, *args, **settings)


def _type(ctx: Context, node: Node, operand: int) -> TensorType:
    type = ctx.type(node.inputs[operand])
    assert type is not None, node
    return type


def _causal(ctx: Context, node: Node, q: Code, mask: Code | None) -> Code:
    """True where a query sees a key, the last query seeing all; joined with another mask."""
    queries, keys = _type(ctx, node, 0).axes[-2].size, _type(ctx, node, 1).axes[-2].size
    ones = call(
        "torch.ones", ctx.size(queries), ctx.size(keys), dtype=name("torch.bool"), device=attribute(q, "device")
    )
    shift = keys - queries
    causal = method(ones, "tril", None if shift == size(0) else ctx.size(shift))
    if mask is None:
        return causal
    if _type(ctx, node, 3).elem == "bool":
        return binary(mask, "&", causal)
    return call("torch.where", causal, mask, literal(float("-inf")))


def setting(ctx: Context, values: Any, default: int | None = None) -> Code | None:
    """A number where all axes agree, else a tuple; None where it is torch's default."""
    if isinstance(values, str):
        return literal(values)
    sizes: tuple[Size, ...] = values
    if default is not None and all(item == size(default) for item in sizes):
        return None
    if len(set(sizes)) == 1:
        return ctx.size(sizes[0])
    return tuple_of([ctx.size(item) for item in sizes])


def ranked(node: Node, x: TensorType, name: str) -> str:
    """`F.conv2d`: torch has the functions for one to three spatial axes."""
    count = len(x.axes) - 2
    if not 1 <= count <= 3:
        raise LoweringError(f"`{node.op}` over {count} spatial axes: torch has it for 1, 2 and 3")
    return f"F.{name.format(n=count)}"


def conv(ctx: Context, node: Node, args: Args) -> Code:
    """`F.conv2d(x, w, b, stride=2, padding=1)`; other paddings than zeros are made before."""
    x, w, b = args
    assert x is not None
    pad, mode = node.attr("pad"), node.attr("pad_mode")
    if mode != "zeros" and pad != "same" and any(item != size(0) for item in pad):
        sides = [ctx.size(item) for item in reversed(pad) for _ in range(2)]
        x, pad = call("F.pad", x, tuple_of(sides), mode=literal(mode)), (size(0),) * len(pad)
    elif mode != "zeros" and pad == "same":
        x = call("F.pad", x, tuple_of(_same_sides(ctx, node)), mode=literal(mode))
        pad = (size(0),) * len(node.attr("stride"))
    return call(
        ranked(node, _type(ctx, node, 0), "conv{n}d"),
        x,
        w,
        b,
        stride=setting(ctx, node.attr("stride"), 1),
        padding=setting(ctx, pad, 0),
        dilation=setting(ctx, node.attr("dilation"), 1),
        groups=setting(ctx, (node.attr("groups"),), 1),
    )


def _same_sides(ctx: Context, node: Node) -> list[Code]:
    """The pads of "same", last axis first; an odd one falls to the right."""
    sides: list[Code] = []
    for dilation, axis in reversed(list(zip(node.attr("dilation"), _type(ctx, node, 1).axes[2:], strict=True))):
        total = dilation * (axis.size - 1)
        sides += [ctx.size(total // 2), ctx.size(total - total // 2)]
    return sides


def conv_transpose(ctx: Context, node: Node, args: Args) -> Code:
    """`F.conv_transpose2d(x, w, b, stride=2)`; in two `grad` padded apart, for torch has no third derivative else."""
    x, w, b = args
    pad, more = node.attr("pad"), node.attr("out_pad")
    none = (size(0),) * len(pad)
    apart = ctx.derived() > 1 and more != none
    y = call(
        ranked(node, _type(ctx, node, 0), "conv_transpose{n}d"),
        x,
        w,
        None if apart else b,
        stride=setting(ctx, node.attr("stride"), 1),
        padding=setting(ctx, none if apart else pad, 0),
        output_padding=setting(ctx, none if apart else more, 0),
        groups=setting(ctx, (node.attr("groups"),), 1),
        dilation=setting(ctx, node.attr("dilation"), 1),
    )
    if not apart:
        return y
    pairs = reversed(list(zip(pad, more, strict=True)))
    sides = [ctx.size(side) for low, high in pairs for side in (size(0) - low, high - low)]
    y = call("F.pad", y, tuple_of(sides))
    return y if b is None else binary(y, "+", method(b, "view", -1, *[1] * len(pad)))


def pool(template: str) -> Lowering:
    """`F.max_pool2d(x, 3, stride=2, padding=1)`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        kernel, stride, x = node.attr("kernel"), node.attr("stride"), args[0]
        counted = node.attr("count_include_pad", True)
        wide = _pads_more_than_torch(node)
        if wide:
            x = call(
                "F.pad",
                x,
                tuple_of([ctx.size(side) for side in _sides(ctx, node)]),
                value=prefix("-", name("torch.inf")),
            )
        return call(
            ranked(node, _type(ctx, node, 0), template),
            x,
            setting(ctx, kernel),
            stride=None if stride == kernel else setting(ctx, stride),
            padding=None if wide else setting(ctx, node.attr("pad"), 0),
            dilation=setting(ctx, node.attr("dilation", (size(1),)), 1),
            ceil_mode=True if node.attr("ceil") and not wide else None,
            count_include_pad=None if counted else False,
        )

    return lower


def _pads_more_than_torch(node: Node) -> bool:
    """Whether it may pad by more than half of its kernel, which torch refuses though a dilated window is wider."""
    spread = any(item != size(1) for item in node.attr("dilation", ()))
    halves = zip(node.attr("pad"), node.attr("kernel"), strict=True)
    return spread and not all(
        pad == size(0) or (pad.is_number and kernel.is_number and 2 * pad.number <= kernel.number)
        for pad, kernel in halves
    )


def _sides(ctx: Context, node: Node) -> list[Size]:
    """The padding of a pool before and after each axis, the last one first: what its windows reach, and no more."""
    found: list[Size] = []
    lengths = [axis.size for axis in _type(ctx, node, 0).axes[2:]]
    outs = [axis.size for axis in node.outputs[0].type.axes[2:]]
    settings = [node.attr(key) for key in ("kernel", "stride", "pad", "dilation")]
    for length, out, kernel, stride, pad, dilation in reversed(list(zip(lengths, outs, *settings, strict=True))):
        found += [pad, (out - 1) * stride + dilation * (kernel - 1) + 1 - length - pad]
    return found


def adaptive(name: str) -> Lowering:
    """`F.adaptive_avg_pool2d(x, 1)`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        return call(ranked(node, _type(ctx, node, 0), name), args[0], setting(ctx, node.attr("size")))

    return lower


def interpolate(ctx: Context, node: Node, args: Args) -> Code:
    """`F.interpolate(x, scale_factor=2, mode="bilinear")`; `smoothed(x, size=4, mode="bilinear")` with `antialias`."""
    mode = node.attr("mode")
    scale = None
    if node.attr("scale") is not None:
        factors = node.attr("scale")
        same = all(factor == factors[0] for factor in factors)
        scale = ctx.scalar(factors[0]) if same else tuple_of([ctx.scalar(factor) for factor in factors])
    target = None if node.attr("size") is None else setting(ctx, node.attr("size"))
    smooth = bool(node.attr("antialias"))
    return call(
        ctx.helper("smoothed") if smooth else "F.interpolate",
        args[0],
        size=target,
        scale_factor=scale,
        mode=None if mode == "nearest" else literal(mode),
        align_corners=True if node.attr("align_corners") else None,
    )


LOWER: dict[str, Lowering] = {
    "softmax": along("softmax"),
    "log_softmax": along("log_softmax"),
    "attention": attention,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": pool("max_pool{n}d"),
    "avg_pool": pool("avg_pool{n}d"),
    "adaptive_avg_pool": adaptive("adaptive_avg_pool{n}d"),
    "adaptive_max_pool": adaptive("adaptive_max_pool{n}d"),
    "interpolate": interpolate,
}
