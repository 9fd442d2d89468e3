"""Operations on complex numbers where they differ from those on pairs of floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ogive.backends.onnx_model.graph.elems import NUMPY, ONNX
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.complex_pairs import joined, larger, modulus, part, parts, times
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.elementwise import cast
from ogive.backends.onnx_model.ops.layout import pad
from ogive.backends.onnx_model.ops.linear import contracted
from ogive.backends.onnx_model.ops.operands import given, multiplied, operand, optional, unsqueezed
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ops.recipe import AxisPattern
from ogive.compiler.passes.infra.rewrite import number_of

# operations that treat both parts alike
PLAIN = frozenset(
    (
        "rearrange", "expand", "split", "concat", "stack", "flip", "roll", "slice", "take", "sum", "mean", "neg",
        "zeros", "cumsum", "fft", "ifft", "rfft", "irfft", "complex", "real", "imag", "conj",
        "stop_gradient", "grad_as", "linear_scan",
    )
)  # fmt: skip


def scaled(ctx: Context, x: str, factor: str) -> str:
    """Both parts times a real tensor."""
    return ctx.node("Mul", x, unsqueezed(ctx, factor, [-1]))


def mul(ctx: Context, node: Node, args: Args) -> str:
    """The product; a real literal scales both parts."""
    a, b = given(args)
    for x, other in ((a, node.inputs[1]), (b, node.inputs[0])):
        if isinstance(other, Const):
            return ctx.node("Mul", x, ctx.number(other.value, "float"))
    return times(ctx, a, b)


def div(ctx: Context, node: Node, args: Args) -> str:
    """A conj(b) / |b|², of b as a multiple of its larger part: squares overflow and underflow."""
    a, b = given(args)
    if isinstance(node.inputs[1], Const):
        return ctx.node("Div", a, ctx.number(node.inputs[1].value, "float"))
    re, im = parts(ctx, b)
    unit = unsqueezed(ctx, larger(ctx, re, im), [-1])
    share = ctx.node("Div", b, unit)
    square = ctx.node("ReduceSum", ctx.node("Mul", share, share), ctx.array([-1]), keepdims=1)
    product = times(ctx, ctx.node("Div", _pair(ctx, node, a, 0), unit), _conj(ctx, share))
    return ctx.node("Div", product, square)


def _conj(ctx: Context, x: str) -> str:
    return joined(ctx, part(ctx, x, 0), ctx.node("Neg", part(ctx, x, 1)))


def _pair(ctx: Context, node: Node, x: str, at: int) -> str:
    """An operand as a pair: a literal is a real number."""
    if not isinstance(node.inputs[at], Const):
        return x
    zero = ctx.number(0.0, "float")
    return ctx.node("Concat", *(ctx.node("Reshape", y, ctx.array([1])) for y in (x, zero)), axis=0)


def linear_part(name: str) -> Lowering:
    """A sum or difference, in which a literal is a real number."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        a, b = given(args)
        return ctx.node(name, _pair(ctx, node, a, 0), _pair(ctx, node, b, 1))

    return lower


def power(ctx: Context, node: Node, args: Args) -> str:
    """A whole power by squaring."""
    exponent = number_of(node.inputs[1])
    value = int(exponent) if exponent is not None and exponent >= 1 and exponent == int(exponent) else 0
    if value < 1:
        raise OnnxError("`**` of complex numbers has a form in ONNX for whole powers from 1 on")
    result, square = None, operand(args)
    while value:
        if value & 1:
            result = square if result is None else times(ctx, result, square)
        value >>= 1
        square = times(ctx, square, square) if value else square
    assert result is not None
    return result


def exp(ctx: Context, node: Node, args: Args) -> str:
    """e^re (cos im + i sin im)."""
    re, im = parts(ctx, operand(args))
    return scaled(ctx, joined(ctx, ctx.node("Cos", im), ctx.node("Sin", im)), ctx.node("Exp", re))


def sqrt(ctx: Context, node: Node, args: Args) -> str:
    """The root whose real part is not negative: t = √((|z| + |re|) / 2) is its larger part, |im| / 2t the other."""
    x = operand(args)
    re, im = parts(ctx, x)
    half, zero = ctx.number(0.5, "float"), ctx.number(0.0, "float")
    # both halves first, since the sum of two large ones overflows
    size = ctx.node("Add", ctx.node("Mul", modulus(ctx, x), half), ctx.node("Mul", ctx.node("Abs", re), half))
    large = ctx.node("Sqrt", size)
    divisor = ctx.node("Where", ctx.node("Equal", large, zero), ctx.number(1.0, "float"), large)
    small = ctx.node("Div", ctx.node("Mul", ctx.node("Abs", im), half), divisor)
    right, below = ctx.node("GreaterOrEqual", re, zero), ctx.node("Less", im, zero)
    up, side = ctx.node("Where", right, large, small), ctx.node("Where", right, small, large)
    return joined(ctx, up, ctx.node("Where", below, ctx.node("Neg", side), side))


def absolute(ctx: Context, node: Node, args: Args) -> str:
    """√(re² + im²)."""
    return modulus(ctx, operand(args))


def equal(ctx: Context, node: Node, args: Args) -> str:
    """Both parts are equal."""
    a, b = given(args)
    same = ctx.node("Equal", _pair(ctx, node, a, 0), _pair(ctx, node, b, 1))
    whole = ctx.node("ReduceMin", ctx.node("Cast", same, to=ONNX["i32"]), ctx.array([-1]), keepdims=0)
    return ctx.node("Cast", whole, to=ONNX["bool"])


def unequal(ctx: Context, node: Node, args: Args) -> str:
    """Some part differs."""
    return ctx.node("Not", equal(ctx, node, args))


def isfinite(ctx: Context, node: Node, args: Args) -> str:
    """Both parts are."""
    size = ctx.node("ReduceMax", ctx.node("Abs", operand(args)), ctx.array([-1]), keepdims=0)
    return ctx.node("Less", size, ctx.number(float("inf"), "float"))


def kind(name: str) -> Lowering:
    """One part is."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        found = ctx.node("Cast", ctx.node(name, operand(args)), to=ONNX["i32"])
        return ctx.node("Cast", ctx.node("ReduceMax", found, ctx.array([-1]), keepdims=0), to=ONNX["bool"])

    return lower


def select(ctx: Context, node: Node, args: Args) -> str:
    """`Where` on pairs."""
    condition, a, b = given(args)
    return ctx.node("Where", unsqueezed(ctx, condition, [-1]), _pair(ctx, node, a, 1), _pair(ctx, node, b, 2))


def lerp(ctx: Context, node: Node, args: Args) -> str:
    """A + t (b - a)."""
    a, b, t = (_pair(ctx, node, x, at) for at, x in enumerate(given(args)))
    return ctx.node("Add", a, times(ctx, t, ctx.node("Sub", b, a)))


def filled(value: float) -> Lowering:
    """A real number everywhere."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        pair = np.array([node.attr("v", value), 0.0], NUMPY[ctx.elem("float")])
        return ctx.node("Expand", ctx.array(pair), ctx.shape(node.outputs[0].type.sizes))

    return lower


def _bilinear(ctx: Context, a: str, b: str, product: Callable[[str, str], str]) -> str:
    """(a + ib)(c + id) for a product of tensors."""
    (re, im), (re2, im2) = parts(ctx, a), parts(ctx, b)
    return joined(
        ctx,
        ctx.node("Sub", product(re, re2), product(im, im2)),
        ctx.node("Add", product(re, im2), product(im, re2)),
    )


def matmul(ctx: Context, node: Node, args: Args) -> str:
    """Four real products."""
    left, right = (len(ctx.type(x).axes) - 1 for x in node.inputs)
    inner = ctx.type(node.inputs[0]).sizes[-2]
    return _bilinear(ctx, operand(args), operand(args, 1), lambda a, b: multiplied(ctx, a, b, (left, right), inner))


def linear(ctx: Context, node: Node, args: Args) -> str:
    """Four real products, and the bias."""
    type = ctx.type(node.inputs[0])

    def product(x: str, weight: str) -> str:
        turned = ctx.node("Transpose", weight, perm=[1, 0])
        return multiplied(ctx, x, turned, (len(type.axes) - 1, 2), type.sizes[-2])

    y = _bilinear(ctx, operand(args), operand(args, 1), product)
    bias = optional(args, 2)
    return y if bias is None else ctx.node("Add", y, bias)


def einsum(ctx: Context, node: Node, args: Args) -> str:
    """Products of two by four real ones; more operands one after the other."""
    recipe: AxisPattern = node.attr("recipe")
    plain = AxisPattern(tuple(side[:-1] for side in recipe.inputs), tuple(side[:-1] for side in recipe.outputs))
    xs = given(args)
    if len(xs) == 1:
        return joined(ctx, *(contracted(ctx, [x], plain, "float") for x in parts(ctx, xs[0])))
    if len(xs) > 2:
        raise OnnxError("`einsum` of more than two complex tensors is not supported in ONNX; take two at a time")
    return _bilinear(ctx, xs[0], xs[1], lambda a, b: contracted(ctx, [a, b], plain, "float"))


def gather(ctx: Context, node: Node, args: Args) -> str:
    """`GatherElements` of each part."""
    index, axis = operand(args, 1), node.attr("axis")
    return joined(ctx, *(ctx.node("GatherElements", x, index, axis=axis) for x in parts(ctx, operand(args))))


def triangle(ctx: Context, node: Node, args: Args) -> str:
    """`Trilu` of each part."""
    shift = ctx.node("Squeeze", ctx.size(node.attr("diagonal")), ctx.array([0]))
    upper = int(node.op == "triu")
    return joined(ctx, *(ctx.node("Trilu", x, shift, upper=upper) for x in parts(ctx, operand(args))))


def padded(ctx: Context, node: Node, args: Args) -> str:
    """Both parts with zeros or with entries of their own."""
    if node.attr("mode") == "constant" and node.attr("value") != 0:
        raise OnnxError("`pad` of complex numbers by another number than 0 is not supported in ONNX")
    return str(pad(ctx, node, args))


COMPLEX: dict[str, Lowering] = {
    "add": linear_part("Add"),
    "sub": linear_part("Sub"),
    "mul": mul,
    "div": div,
    "pow": power,
    "exp": exp,
    "sqrt": sqrt,
    "abs": absolute,
    "eq": equal,
    "ne": unequal,
    "isfinite": isfinite,
    "isnan": kind("IsNaN"),
    "isinf": kind("IsInf"),
    "select": select,
    "lerp": lerp,
    "cast": cast,
    "ones": filled(1.0),
    "full": filled(0.0),
    "matmul": matmul,
    "linear": linear,
    "einsum": einsum,
    "gather": gather,
    "pad": padded,
    "tril": triangle,
    "triu": triangle,
}
