"""Quotients rounded down, remainders, powers and angles in ONNX, whose own nodes divide and raise otherwise."""

from __future__ import annotations

import math

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import elem_of, given, operand
from ogive.compiler.ir.model import Const, Node, Operand
from ogive.compiler.ir.types import FLOATS
from ogive.compiler.sizes import Size


def _number(operand: Operand) -> int | float | None:
    """A literal operand that is a number of its own."""
    value = operand.value if isinstance(operand, Const) else None
    if isinstance(value, Size):
        return value.number if value.is_number else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _sign(operand: Operand) -> int:
    """1 or -1 where the operand is known to be above or below 0, else 0."""
    number = _number(operand)
    if number is not None:
        return (number > 0) - (number < 0)
    value = operand.value if isinstance(operand, Const) else None
    low = value.range[0] if isinstance(value, Size) else None
    return int(low is not None and low > 0)


def _crosses(ctx: Context, rest: str, divisor: str, sign: int, elem: str) -> str:
    """Whether the remainder of a division towards zero lies on the other side of 0 than its divisor."""
    zero = ctx.number(0, elem)
    below = ctx.node("Less", rest, zero)
    if sign:
        return below if sign > 0 else ctx.node("Greater", rest, zero)
    apart = ctx.node("Xor", below, ctx.node("Less", divisor, zero))
    return ctx.node("And", ctx.node("Not", ctx.node("Equal", rest, zero)), apart)


def floordiv(ctx: Context, node: Node, args: Args) -> str:
    """The quotient rounded down, as the quotient is and not as a floating-point division rounds it."""
    a, b = given(args)
    elem, sign = elem_of(ctx, node), _sign(node.inputs[1])
    return quotient(ctx, a, b, elem, sign) if elem in FLOATS else _whole_quotient(ctx, node, a, b, elem)


def quotient(ctx: Context, a: str, b: str, elem: str, sign: int = 0) -> str:
    """Of floats: by the remainder, with the sign of the divisor where that is known."""
    rest = ctx.node("Mod", a, b, fmod=1)
    whole = ctx.node("Div", ctx.node("Sub", a, rest), b)
    less = ctx.node("Cast", _crosses(ctx, rest, b, sign, elem), to=ONNX[ctx.elem(elem)])
    found = ctx.node("Round", ctx.node("Sub", whole, less))
    if sign:
        return found
    return ctx.node("Where", ctx.node("Equal", b, ctx.number(0, elem)), ctx.node("Div", a, b), found)


def _whole_quotient(ctx: Context, node: Node, a: str, b: str, elem: str) -> str:
    """Of integers: `Div` goes towards zero, and one too far where `Mod` is not the remainder that this leaves."""
    sign, literal = _sign(node.inputs[1]), _number(node.inputs[1])
    if literal == -1:
        return ctx.node("Neg", a)
    rest = _remainder(ctx, node, a, b, elem)
    divisor = b
    if not sign:  # runtimes die of a division by 0, which `Mod` refuses
        unsafe = ctx.node("Or", ctx.node("Equal", b, ctx.number(0, elem)), _minus_one(ctx, b, elem))
        divisor = ctx.node("Where", unsafe, ctx.number(1, elem), b)
    found = ctx.node("Div", a, divisor)
    exact = ctx.node("Equal", ctx.node("Sub", a, ctx.node("Mul", found, divisor)), rest)
    found = ctx.node("Sub", found, ctx.node("Cast", ctx.node("Not", exact), to=ONNX[ctx.elem(elem)]))
    return found if sign else ctx.node("Where", _minus_one(ctx, b, elem), ctx.node("Neg", a), found)


def mod(ctx: Context, node: Node, args: Args) -> str:
    """The remainder that belongs to it, which has the sign of the divisor: `Mod`, which is so for integers alone."""
    a, b = given(args)
    elem = elem_of(ctx, node)
    sign = _sign(node.inputs[1])
    return remainder(ctx, a, b, elem, sign) if elem in FLOATS else _remainder(ctx, node, a, b, elem)


def remainder(ctx: Context, a: str, b: str, elem: str, sign: int = 0) -> str:
    """Of floats: that of a division towards zero, brought to the side of the divisor."""
    rest = ctx.node("Mod", a, b, fmod=1)
    return ctx.node("Where", _crosses(ctx, rest, b, sign, elem), ctx.node("Add", rest, b), rest)


def _remainder(ctx: Context, node: Node, a: str, b: str, elem: str) -> str:
    """Of integers: by -1 as by 1, since runtimes die where the smallest integer is divided by -1."""
    if _sign(node.inputs[1]) == 0 or _number(node.inputs[1]) == -1:
        b = ctx.node("Where", _minus_one(ctx, b, elem), ctx.number(1, elem), b)
    return ctx.node("Mod", a, b)


def _minus_one(ctx: Context, divisor: str, elem: str) -> str:
    return ctx.node("Equal", divisor, ctx.number(-1, elem))


def power(ctx: Context, node: Node, args: Args) -> str:
    """a^b: squares, roots, and products for whole powers of integers, which `Pow` takes by way of floats."""
    a, b = given(args)
    value = _number(node.inputs[1])
    if value == 2:
        return ctx.node("Mul", a, a)
    if elem_of(ctx, node) not in FLOATS and isinstance(value, int) and value > 0:
        return _multiplied(ctx, a, value)
    if value == 0.5:
        return ctx.node("Sqrt", a)
    if value == -0.5:
        return ctx.node("Reciprocal", ctx.node("Sqrt", a))
    return ctx.node("Pow", a, b)


def _multiplied(ctx: Context, x: str, times: int) -> str:
    """x^times, by squares of squares."""
    found: str | None = None
    while True:
        if times % 2:
            found = x if found is None else ctx.node("Mul", found, x)
        times //= 2
        if not times:
            assert found is not None
            return found
        x = ctx.node("Mul", x, x)


def trunc(ctx: Context, node: Node, args: Args) -> str:
    """⌊|x|⌋ sign x; an integer as it is."""
    x = operand(args)
    if elem_of(ctx, node) not in FLOATS:
        return x
    return ctx.node("Mul", ctx.node("Floor", ctx.node("Abs", x)), ctx.node("Sign", x))


def atan2(ctx: Context, node: Node, args: Args) -> str:
    """The angle of the right half plane, and what it lacks to π on the left; below the axis the other way round.

    1 / x tells -0.0, which lies on the left or below, from 0.0. Of (0, 0) the angle is 0, of (∞, ∞) π/4.
    """
    a, b = given(args)
    elem = elem_of(ctx, node)
    zero, quarter = ctx.number(0.0, elem), ctx.number(math.pi / 4, elem)
    up, right = ctx.node("Abs", a), ctx.node("Abs", b)
    on = ctx.node("Where", ctx.node("Equal", up, zero), zero, quarter)
    angle = ctx.node("Where", ctx.node("Equal", up, right), on, ctx.node("Atan", ctx.node("Div", up, right)))
    left = ctx.node("Sub", ctx.number(math.pi, elem), angle)
    angle = ctx.node("Where", _negative(ctx, b, zero), left, angle)
    return ctx.node("Where", _negative(ctx, a, zero), ctx.node("Neg", angle), angle)


def _negative(ctx: Context, x: str, zero: str) -> str:
    """Below 0, or -0.0."""
    inverse = ctx.node("Less", ctx.node("Reciprocal", x), zero)
    return ctx.node("Or", ctx.node("Less", x, zero), inverse)


LOWER: dict[str, Lowering] = {"floordiv": floordiv, "mod": mod, "pow": power, "trunc": trunc, "atan2": atan2}
