"""The logarithm of the gamma function and its derivative, by their series for large x (Abramowitz, Stegun 6.1, 6.3)."""

from __future__ import annotations

import math

from ogive.backends.onnx_model.lowering import Args, Context, Lowering
from ogive.backends.onnx_model.operands import operand
from ogive.compiler.ir import Node

SHIFT = 8  # how far an argument is moved up before the series is used
LGAMMA = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)
DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240)


def _series(ctx: Context, z: str, coefficients: tuple[float, ...], elem: str) -> str:
    """Σ c_k z^k, by Horner's rule."""
    total = ctx.number(coefficients[-1], elem)
    for coefficient in reversed(coefficients[:-1]):
        total = ctx.node("Add", ctx.node("Mul", total, z), ctx.number(coefficient, elem))
    return total


def lgamma(ctx: Context, node: Node, args: Args) -> str:
    """Ln Γ(x) = ln Γ(x + 8) - ln |x (x + 1) ... (x + 7)|; for x below -8 the series does not hold."""
    x, elem = operand(args), "float"
    product = x
    for step in range(1, SHIFT):
        product = ctx.node("Mul", product, ctx.node("Add", x, ctx.number(float(step), elem)))
    y = ctx.node("Add", x, ctx.number(float(SHIFT), elem))
    inverse = ctx.node("Reciprocal", y)
    tail = ctx.node("Mul", inverse, _series(ctx, ctx.node("Mul", inverse, inverse), LGAMMA, elem))
    power = ctx.node("Mul", ctx.node("Sub", y, ctx.number(0.5, elem)), ctx.node("Log", y))
    main = ctx.node("Add", ctx.node("Sub", power, y), ctx.number(math.log(2 * math.pi) / 2, elem))
    return ctx.node("Sub", ctx.node("Add", main, tail), ctx.node("Log", ctx.node("Abs", product)))


def digamma(ctx: Context, node: Node, args: Args) -> str:
    """ψ(x) = ψ(x + 8) - Σ 1 / (x + k); for x below -8 the series does not hold."""
    x, elem = operand(args), "float"
    total = ctx.node("Reciprocal", x)
    for step in range(1, SHIFT):
        total = ctx.node("Add", total, ctx.node("Reciprocal", ctx.node("Add", x, ctx.number(float(step), elem))))
    y = ctx.node("Add", x, ctx.number(float(SHIFT), elem))
    inverse = ctx.node("Reciprocal", y)
    square = ctx.node("Mul", inverse, inverse)
    half = ctx.node("Mul", inverse, ctx.number(0.5, elem))
    tail = ctx.node("Add", half, ctx.node("Mul", square, _series(ctx, square, DIGAMMA, elem)))
    return ctx.node("Sub", ctx.node("Sub", ctx.node("Log", y), tail), total)


LOWER: dict[str, Lowering] = {"lgamma": lgamma, "digamma": digamma}
