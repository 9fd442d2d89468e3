"""The logarithm of the gamma function and its derivative, by their series for large x and by reflection.

Abramowitz and Stegun, "Handbook of mathematical functions", 6.1.17, 6.1.41, 6.3.7, 6.3.18. The terms cancel, so all is
computed in float64.
"""

from __future__ import annotations

import math

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.model import Node

SHIFT = 8  # how far an argument is moved up before the series is used
LGAMMA = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
E = "f64"


def _series(ctx: Context, z: str, coefficients: tuple[float, ...]) -> str:
    """Σ c_k z^k, by Horner's rule."""
    total = ctx.number(coefficients[-1], E)
    for coefficient in reversed(coefficients[:-1]):
        total = ctx.node("Add", ctx.node("Mul", total, z), ctx.number(coefficient, E))
    return total


def _operand(ctx: Context, node: Node, args: Args) -> str:
    x = operand(args)
    return x if ctx.elem(ctx.type(node.inputs[0]).elem) == E else ctx.node("Cast", x, to=ONNX[E])


def _result(ctx: Context, node: Node, x: str) -> str:
    elem = ctx.elem(node.outputs[0].type.elem)
    return x if elem == E else ctx.node("Cast", x, to=ONNX[elem])


def _reflected(ctx: Context, x: str) -> tuple[str, str, str]:
    """Whether x is below 1/2; the larger of x and 1 - x; π times what x is beyond the next whole number."""
    left = ctx.node("Less", x, ctx.number(0.5, E))
    turned = ctx.node("Where", left, ctx.node("Sub", ctx.number(1.0, E), x), x)
    rest = ctx.node("Mul", ctx.node("Sub", x, ctx.node("Round", x)), ctx.number(math.pi, E))
    return left, turned, rest


def _shifted(ctx: Context, z: str) -> tuple[str, str, list[str]]:
    """Whether z is small, z or z + 8, and the z, z + 1, ..., z + 7 of a small one."""
    edge = ctx.number(float(SHIFT), E)
    small = ctx.node("Less", z, edge)
    near = ctx.node("Where", small, z, edge)
    steps = [near, *(ctx.node("Add", near, ctx.number(float(step), E)) for step in range(1, SHIFT))]
    return small, ctx.node("Where", small, ctx.node("Add", z, edge), z), steps


def lgamma(ctx: Context, node: Node, args: Args) -> str:
    """Ln Γ(x) = ln Γ(x + 8) - ln x (x + 1) ... (x + 7), and ln Γ(x) = ln π - ln |sin πx| - ln Γ(1 - x)."""
    x = _operand(ctx, node, args)
    left, z, rest = _reflected(ctx, x)
    small, y, steps = _shifted(ctx, z)
    product = steps[0]
    for step in steps[1:]:
        product = ctx.node("Mul", product, step)
    inverse = ctx.node("Reciprocal", y)
    tail = ctx.node("Mul", inverse, _series(ctx, ctx.node("Mul", inverse, inverse), LGAMMA))
    power = ctx.node("Mul", ctx.node("Sub", y, ctx.number(0.5, E)), ctx.node("Log", y))
    main = ctx.node("Add", ctx.node("Sub", power, y), ctx.number(math.log(2 * math.pi) / 2, E))
    down = ctx.node("Where", small, ctx.node("Log", product), ctx.number(0.0, E))
    right = ctx.node("Sub", ctx.node("Add", main, tail), down)
    sine = ctx.node("Log", ctx.node("Abs", ctx.node("Sin", rest)))
    other = ctx.node("Sub", ctx.node("Sub", ctx.number(math.log(math.pi), E), sine), right)
    size_ = ctx.node("Abs", x)
    finite = ctx.node("Less", size_, ctx.number(math.inf, E))
    return _result(ctx, node, ctx.node("Where", finite, ctx.node("Where", left, other, right), size_))


def digamma(ctx: Context, node: Node, args: Args) -> str:
    """ψ(x) = ψ(x + 8) - Σ 1 / (x + k), and ψ(x) = ψ(1 - x) - π / tan πx."""
    x = _operand(ctx, node, args)
    left, z, rest = _reflected(ctx, x)
    small, y, steps = _shifted(ctx, z)
    total = ctx.node("Reciprocal", steps[0])
    for step in steps[1:]:
        total = ctx.node("Add", total, ctx.node("Reciprocal", step))
    inverse = ctx.node("Reciprocal", y)
    square = ctx.node("Mul", inverse, inverse)
    half = ctx.node("Mul", inverse, ctx.number(0.5, E))
    tail = ctx.node("Add", half, ctx.node("Mul", square, _series(ctx, square, DIGAMMA)))
    down = ctx.node("Where", small, total, ctx.number(0.0, E))
    right = ctx.node("Sub", ctx.node("Sub", ctx.node("Log", y), tail), down)
    term = ctx.node("Mul", ctx.number(math.pi, E), ctx.node("Div", ctx.node("Cos", rest), ctx.node("Sin", rest)))
    zero = ctx.number(0.0, E)
    pole = ctx.node("And", ctx.node("Equal", rest, zero), ctx.node("Less", x, zero))
    other = ctx.node("Where", pole, ctx.number(math.nan, E), ctx.node("Sub", right, term))
    return _result(ctx, node, ctx.node("Where", left, other, right))


LOWER: dict[str, Lowering] = {"lgamma": lgamma, "digamma": digamma}
