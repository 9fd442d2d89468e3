"""Complex numbers as pairs of floats on a last axis."""

from __future__ import annotations

import math

from ogive.backends.onnx_model.ops.context import Context


def part(ctx: Context, x: str, which: int) -> str:
    """The real parts (0) or the imaginary ones (1)."""
    return ctx.node("Gather", x, ctx.number(which, "int"), axis=-1)


def joined(ctx: Context, re: str, im: str) -> str:
    """Pairs of two tensors of one shape."""
    last = ctx.array([-1])
    return ctx.node("Concat", ctx.node("Unsqueeze", re, last), ctx.node("Unsqueeze", im, last), axis=-1)


def parts(ctx: Context, x: str) -> tuple[str, str]:
    """Both parts."""
    return part(ctx, x, 0), part(ctx, x, 1)


def times(ctx: Context, a: str, b: str) -> str:
    """The product of pairs."""
    (re, im), (re2, im2) = parts(ctx, a), parts(ctx, b)
    return joined(
        ctx,
        ctx.node("Sub", ctx.node("Mul", re, re2), ctx.node("Mul", im, im2)),
        ctx.node("Add", ctx.node("Mul", re, im2), ctx.node("Mul", im, re2)),
    )


def larger(ctx: Context, re: str, im: str) -> str:
    """The larger of |re| and |im|, or 1 where it is 0 or infinite: what both are divided by before they are squared."""
    top = ctx.node("Max", ctx.node("Abs", re), ctx.node("Abs", im))
    above = ctx.node("Less", ctx.number(0.0, "float"), top)
    usual = ctx.node("And", above, ctx.node("Less", top, ctx.number(math.inf, "float")))
    return ctx.node("Where", usual, top, ctx.number(1.0, "float"))


def modulus(ctx: Context, x: str) -> str:
    """√(re² + im²)."""
    re, im = parts(ctx, x)
    unit = larger(ctx, re, im)
    squares = [ctx.node("Mul", share, share) for share in (ctx.node("Div", each, unit) for each in (re, im))]
    return ctx.node("Mul", ctx.node("Sqrt", ctx.node("Add", *squares)), unit)
