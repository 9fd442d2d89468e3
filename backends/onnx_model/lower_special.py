"""The logarithm of the gamma function and its derivative, by their series for large x (Abramowitz, Stegun 6.1, 6.3)."""

from __future__ import annotations

import math
from collections.abc import Callable

from ogive.backends.onnx_model.elems import ONNX
from ogive.backends.onnx_model.lowering import Args, Context, Lowering
from ogive.backends.onnx_model.operands import elem_of, operand
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


def _lgamma(ctx: Context, x: str, elem: str) -> str:
    """For x above 0: ln Γ(x + 8) - ln(x (x + 1) ... (x + 7)), and the series at once for x above 8."""
    top = ctx.number(float(SHIFT), elem)
    large = ctx.node("Greater", x, top)
    product = small = ctx.node("Min", x, top)  # what is not used may not overflow
    for step in range(1, SHIFT):
        product = ctx.node("Mul", product, ctx.node("Add", small, ctx.number(float(step), elem)))
    y = ctx.node("Where", large, x, ctx.node("Add", x, top))
    inverse = ctx.node("Reciprocal", y)
    tail = ctx.node("Mul", inverse, _series(ctx, ctx.node("Mul", inverse, inverse), LGAMMA, elem))
    less = ctx.node("Sub", ctx.node("Log", y), ctx.number(1.0, elem))
    main = ctx.node("Mul", ctx.node("Sub", y, ctx.number(0.5, elem)), less)
    main = ctx.node("Add", main, ctx.number((math.log(2 * math.pi) - 1) / 2, elem))
    moved = ctx.node("Where", large, ctx.number(0.0, elem), ctx.node("Log", product))
    return ctx.node("Sub", ctx.node("Add", main, tail), moved)


def _digamma(ctx: Context, x: str, elem: str) -> str:
    """For x above 0: ψ(x + 8) - Σ 1 / (x + k)."""
    total = ctx.node("Reciprocal", x)
    for step in range(1, SHIFT):
        total = ctx.node("Add", total, ctx.node("Reciprocal", ctx.node("Add", x, ctx.number(float(step), elem))))
    y = ctx.node("Add", x, ctx.number(float(SHIFT), elem))
    inverse = ctx.node("Reciprocal", y)
    square = ctx.node("Mul", inverse, inverse)
    half = ctx.node("Mul", inverse, ctx.number(0.5, elem))
    tail = ctx.node("Add", half, ctx.node("Mul", square, _series(ctx, square, DIGAMMA, elem)))
    return ctx.node("Sub", ctx.node("Sub", ctx.node("Log", y), tail), total)


def _reflected(above: Callable[[Context, str, str], str], below: Callable[[Context, str, str, str], str]) -> Lowering:
    """The function above 1/2, and below it by what it is at 1 - x; halves are too narrow for the steps."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        x, elem = operand(args), ctx.elem(elem_of(ctx, node))
        wide = "f32" if elem in ("f16", "bf16") else elem
        x = x if wide == elem else ctx.node("Cast", x, to=ONNX[wide])
        left = ctx.node("Less", x, ctx.number(0.5, wide))
        right = above(ctx, ctx.node("Where", left, ctx.node("Sub", ctx.number(1.0, wide), x), x), wide)
        # the part behind the point: what is periodic stays exact far from 0
        angle = ctx.node("Mul", ctx.node("Sub", x, ctx.node("Round", x)), ctx.number(math.pi, wide))
        found = ctx.node("Where", left, below(ctx, right, angle, wide), right)
        return found if wide == elem else ctx.node("Cast", found, to=ONNX[elem])

    return lower


def _lgamma_below(ctx: Context, right: str, angle: str, elem: str) -> str:
    """Ln |Γ(x)| = ln π - ln |sin πx| - ln Γ(1 - x)."""
    sine = ctx.node("Log", ctx.node("Abs", ctx.node("Sin", angle)))
    return ctx.node("Sub", ctx.node("Sub", ctx.number(math.log(math.pi), elem), sine), right)


def _digamma_below(ctx: Context, right: str, angle: str, elem: str) -> str:
    """ψ(x) = ψ(1 - x) - π / tan πx."""
    cotangent = ctx.node("Div", ctx.node("Cos", angle), ctx.node("Sin", angle))
    return ctx.node("Sub", right, ctx.node("Mul", cotangent, ctx.number(math.pi, elem)))


LOWER: dict[str, Lowering] = {
    "lgamma": _reflected(_lgamma, _lgamma_below),
    "digamma": _reflected(_digamma, _digamma_below),
}
