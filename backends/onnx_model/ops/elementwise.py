"""Element-wise operations in ONNX."""

from __future__ import annotations

import math
from typing import Any

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import elem_of, given, operand, setting
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ir.types import FLOATS


def op(name: str, **attrs: float | int | str) -> Lowering:
    """One node on all operands."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        return ctx.node(name, *given(args), **attrs)

    return lower


def chain(*names: str) -> Lowering:
    """Nodes one after another: `Not(Equal(a, b))`."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        x = ctx.node(names[-1], *given(args))
        for name in reversed(names[:-1]):
            x = ctx.node(name, x)
        return x

    return lower


def constant(ctx: Context, node: Node, value: float) -> str:
    """A number that joins the operands."""
    return ctx.number(value, elem_of(ctx, node))


def lerp(ctx: Context, node: Node, args: Args) -> str:
    """A + t (b - a)."""
    a, b, t = given(args)
    return ctx.node("Add", a, ctx.node("Mul", t, ctx.node("Sub", b, a)))


def select(ctx: Context, node: Node, args: Args) -> str:
    """`Where`; of bools, for which runtimes lack it, (c and a) or (not c and b), and less of it beside a literal."""
    c, a, b = given(args)
    if node.outputs[0].type.elem != "bool":
        return ctx.node("Where", c, a, b)
    known = [x.value if isinstance(x, Const) else None for x in node.inputs[1:]]
    if known[1] is False or known[0] is False:
        return ctx.node("And", c, a) if known[1] is False else ctx.node("And", ctx.node("Not", c), b)
    if known[0] is True or known[1] is True:
        return ctx.node("Or", c, b) if known[0] is True else ctx.node("Or", ctx.node("Not", c), a)
    return ctx.node("Or", ctx.node("And", c, a), ctx.node("And", ctx.node("Not", c), b))


def expm1(ctx: Context, node: Node, args: Args) -> str:
    """e^x - 1 = tanh(x / 2) (e^x + 1), exact near 0 too."""
    return _expm1(ctx, node, operand(args))


def _expm1(ctx: Context, node: Node, x: str) -> str:
    half = ctx.node("Tanh", ctx.node("Mul", x, constant(ctx, node, 0.5)))
    return ctx.node("Mul", half, ctx.node("Add", ctx.node("Exp", x), constant(ctx, node, 1.0)))


def log1p(ctx: Context, node: Node, args: Args) -> str:
    """ln(1 + x) = ln u · x / (u - 1) for u = 1 + x as it is rounded, which is exact near 0 too (Kahan)."""
    x, one = operand(args), constant(ctx, node, 1.0)
    u = ctx.node("Add", x, one)
    log, gap = ctx.node("Log", u), ctx.node("Sub", u, one)
    exact = ctx.node("Mul", log, ctx.node("Div", x, gap))
    near = ctx.node("Where", ctx.node("Equal", gap, constant(ctx, node, 0.0)), x, exact)
    return ctx.node("Where", ctx.node("Greater", x, one), log, near)


def logarithm(base: int) -> Lowering:
    """The quotient ln x / ln base."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        return ctx.node("Div", ctx.node("Log", operand(args)), constant(ctx, node, math.log(base)))

    return lower


def elu(ctx: Context, node: Node, args: Args) -> str:
    """X, or alpha (e^x - 1) below 0. Of the node `Elu`, runtimes subtract 1 from e^x, which leaves nothing near 0."""
    x = operand(args)
    below = _expm1(ctx, node, x)
    alpha = node.attr("alpha")
    below = below if alpha == 1 else ctx.node("Mul", below, ctx.number(alpha, elem_of(ctx, node)))
    return ctx.node("Where", ctx.node("Greater", x, constant(ctx, node, 0.0)), x, below)


def isfinite(ctx: Context, node: Node, args: Args) -> str:
    """Neither infinite nor NaN: |x| < ∞."""
    x = operand(args)
    if elem_of(ctx, node) not in FLOATS:
        return ctx.node("Equal", x, x)
    return ctx.node("Less", ctx.node("Abs", x), constant(ctx, node, math.inf))


def kind(name: str) -> Lowering:
    """`IsNaN`, `IsInf`; no integer is."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        x = operand(args)
        return ctx.node(name, x) if elem_of(ctx, node) in FLOATS else ctx.node("Less", x, x)

    return lower


def bounded(low: str, high: str) -> Lowering:
    """`Clip` between two settings; an infinite bound is none."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        return clipped(ctx, node, operand(args), node.attr(low), node.attr(high))

    return lower


def clipped(ctx: Context, node: Node, x: str, low: Any, high: Any) -> str:
    """min(max(x, low), high). A bound of floats that is left out is their largest number: infinity is told."""
    elem = elem_of(ctx, node)
    open_ = [isinstance(end, float) and math.isinf(end) for end in (low, high)]
    if all(open_):
        return x
    told = elem in FLOATS
    if ctx.elem(elem) == "f64":  # ONNX Runtime fails where it joins a `Clip` of float64 with `Relu`
        for name, end, free in (("Max", low, open_[0]), ("Min", high, open_[1])):
            x = x if free else ctx.node(name, x, ctx.number(end, elem))
        return x
    ends = ["" if free and not told else ctx.number(end, elem) for end, free in zip((low, high), open_, strict=True)]
    return ctx.node("Clip", x, *(ends if ends[1] else ends[:1]))


def cast(ctx: Context, node: Node, args: Args) -> str:
    """`Cast`; a real number becomes a complex one with an imaginary part of 0."""
    x, target, source = operand(args), ctx.elem(node.attr("type")), ctx.elem(elem_of(ctx, node))
    if ctx.paired(node.inputs[0]):
        return x
    if ONNX[source] != ONNX[target]:
        x = ctx.node("Cast", x, to=ONNX[target])
    if node.attr("type") != "complex":
        return x
    last = ctx.array([-1])
    zero = ctx.node("Mul", x, ctx.number(0.0, "float"))
    return ctx.node("Concat", ctx.node("Unsqueeze", x, last), ctx.node("Unsqueeze", zero, last), axis=-1)


def relu(ctx: Context, node: Node, args: Args) -> str:
    """`Relu`, which runtimes know for floats."""
    if elem_of(ctx, node) in FLOATS:
        return ctx.node("Relu", operand(args))
    return ctx.node("Max", operand(args), constant(ctx, node, 0))


def whole(name: str) -> Lowering:
    """Rounding, which leaves integers as they are."""

    def lower(ctx: Context, node: Node, args: Args) -> str:
        return ctx.node(name, operand(args)) if elem_of(ctx, node) in FLOATS else operand(args)

    return lower


def silu(ctx: Context, node: Node, args: Args) -> str:
    """X σ(x)."""
    x = operand(args)
    return ctx.node("Mul", x, ctx.node("Sigmoid", x))


def gelu(ctx: Context, node: Node, args: Args) -> str:
    """`Gelu`, whose function has numbers of float32; in float64 x (1 + erf(x / √2)) / 2."""
    x, elem = operand(args), elem_of(ctx, node)
    if ctx.elem(elem) != "f64":
        return ctx.node("Gelu", x)
    inner = ctx.node("Erf", ctx.node("Mul", x, ctx.number(math.sqrt(0.5), elem)))
    return _half(ctx, node, x, inner)


def gelu_tanh(ctx: Context, node: Node, args: Args) -> str:
    """`Gelu` by tanh; in float64 x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2."""
    x, elem = operand(args), elem_of(ctx, node)
    if ctx.elem(elem) != "f64":
        return ctx.node("Gelu", x, approximate="tanh")
    cube = ctx.node("Mul", ctx.node("Mul", x, x), ctx.node("Mul", x, ctx.number(0.044715, elem)))
    inner = ctx.node("Mul", ctx.node("Add", x, cube), ctx.number(math.sqrt(2 / math.pi), elem))
    return _half(ctx, node, x, ctx.node("Tanh", inner))


def _half(ctx: Context, node: Node, x: str, inner: str) -> str:
    half = ctx.node("Mul", x, constant(ctx, node, 0.5))
    return ctx.node("Mul", half, ctx.node("Add", inner, constant(ctx, node, 1.0)))


def leaky_relu(ctx: Context, node: Node, args: Args) -> str:
    """`LeakyRelu`, which runtimes have not in float64: x, or slope x below 0."""
    x, elem = operand(args), elem_of(ctx, node)
    if ctx.elem(elem) != "f64":
        return ctx.node("LeakyRelu", x, alpha=setting(node, "slope"))
    below = ctx.node("Mul", x, ctx.number(node.attr("slope"), elem))
    return ctx.node("Where", ctx.node("Greater", x, constant(ctx, node, 0.0)), x, below)


def hardsigmoid(ctx: Context, node: Node, args: Args) -> str:
    """`HardSigmoid`; in float64 min(max(x + 3, 0), 6) / 6."""
    x = operand(args)
    if ctx.elem(elem_of(ctx, node)) != "f64":
        return ctx.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    return _gate(ctx, node, x)


def hardswish(ctx: Context, node: Node, args: Args) -> str:
    """`HardSwish`; in float64 x min(max(x + 3, 0), 6) / 6."""
    x = operand(args)
    if ctx.elem(elem_of(ctx, node)) != "f64":
        return ctx.node("HardSwish", x)
    return ctx.node("Mul", x, _gate(ctx, node, x))


def _gate(ctx: Context, node: Node, x: str) -> str:
    raised = clipped(ctx, node, ctx.node("Add", x, constant(ctx, node, 3.0)), 0.0, 6.0)
    return ctx.node("Div", raised, constant(ctx, node, 6.0))


def softplus(ctx: Context, node: Node, args: Args) -> str:
    """ln(1 + e^(beta x)) / beta."""
    x, beta = operand(args), node.attr("beta")
    if beta == 1:
        return ctx.node("Softplus", x)
    scale = ctx.number(beta, elem_of(ctx, node))
    return ctx.node("Div", ctx.node("Softplus", ctx.node("Mul", x, scale)), scale)


def relu6(ctx: Context, node: Node, args: Args) -> str:
    """min(max(x, 0), 6)."""
    return clipped(ctx, node, operand(args), 0.0, 6.0)


LOWER: dict[str, Lowering] = {
    "add": op("Add"),
    "sub": op("Sub"),
    "mul": op("Mul"),
    "div": op("Div"),
    "neg": op("Neg"),
    "eq": op("Equal"),
    "ne": chain("Not", "Equal"),
    "lt": op("Less"),
    "le": op("LessOrEqual"),
    "gt": op("Greater"),
    "ge": op("GreaterOrEqual"),
    "minimum": op("Min"),
    "maximum": op("Max"),
    "select": select,
    "lerp": lerp,
    "logical_and": op("And"),
    "logical_or": op("Or"),
    "logical_not": op("Not"),
    "exp": op("Exp"),
    "expm1": expm1,
    "log": op("Log"),
    "log1p": log1p,
    "log2": logarithm(2),
    "log10": logarithm(10),
    "sqrt": op("Sqrt"),
    "rsqrt": chain("Reciprocal", "Sqrt"),
    "sin": op("Sin"),
    "cos": op("Cos"),
    "tan": op("Tan"),
    "asin": op("Asin"),
    "acos": op("Acos"),
    "atan": op("Atan"),
    "sinh": op("Sinh"),
    "cosh": op("Cosh"),
    "tanh": op("Tanh"),
    "asinh": op("Asinh"),
    "acosh": op("Acosh"),
    "atanh": op("Atanh"),
    "erf": op("Erf"),
    "abs": op("Abs"),
    "sign": op("Sign"),
    "floor": whole("Floor"),
    "ceil": whole("Ceil"),
    "round": whole("Round"),
    "isfinite": isfinite,
    "isnan": kind("IsNaN"),
    "isinf": kind("IsInf"),
    "clamp": bounded("lo", "hi"),
    "cast": cast,
    "relu": relu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "silu": silu,
    "sigmoid": op("Sigmoid"),
    "softplus": softplus,
    "elu": elu,
    "leaky_relu": leaky_relu,
    "hardswish": hardswish,
    "hardsigmoid": hardsigmoid,
    "hardtanh": bounded("lo", "hi"),
    "mish": op("Mish"),
    "relu6": relu6,
}
