"""Element-wise operations in torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ogive.backends.python_text.expr import Code, attribute, binary, call, literal, method, name, tuple_of
from ogive.backends.python_text.expr import prefix as signed
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.pytorch.ops.out_of_range import clamped, computed, operand_held, summed
from ogive.compiler.ir.model import Const, Node
from ogive.compiler.ops.held import lost, number_of

Args = Sequence[Code | None]


def given(args: Args) -> list[Code]:
    """The operands of an operation that has no optional ones."""
    assert all(arg is not None for arg in args)
    return [arg for arg in args if arg is not None]


def operator(sign: str) -> Lowering:
    """`a + b`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        left, right = given(args)
        return binary(left, sign, right)

    return lower


def prefix(sign: str) -> Lowering:
    """`-x`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        (x,) = given(args)
        return signed(sign, x)

    return lower


def function(name: str, **fixed: str) -> Lowering:
    """`F.gelu(x, approximate="tanh")`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        return call(name, *given(args), **{key: literal(value) for key, value in fixed.items()})

    return lower


def floordiv(ctx: Context, node: Node, args: Args) -> Code:
    """`a // b`; for floats `torch.div(a, b, rounding_mode="floor")`, which is the same with a derivative, 0."""
    a, b = given(args)
    numbers = all(ctx.plain(x) for x in node.inputs)
    if numbers or not node.outputs[0].type.floating:
        return binary(a, "//", b)
    return call("torch.div", *_tensors(ctx, node, a, b), rounding_mode=literal("floor"))


def mod(ctx: Context, node: Node, args: Args) -> Code:
    """`a % b`."""
    a, b = given(args)
    numbers = all(ctx.plain(x) for x in node.inputs)
    if numbers or not node.outputs[0].type.floating:
        return binary(a, "%", b)
    a, b = _tensors(ctx, node, a, b)
    return binary(a, "%", b)


def _tensors(ctx: Context, node: Node, a: Code, b: Code) -> tuple[Code, Code]:
    """Both operands; a number before a tensor as one too, since torch has no derivative of what divides a number."""
    if not ctx.plain(node.inputs[0]):
        return a, b
    b = ctx.once(b, "divisor")
    return method(b, "new_full", tuple_of(()), a), b


def hardsigmoid(ctx: Context, node: Node, args: Args) -> Code:
    """`F.hardsigmoid(x)`; torch has no second derivative of it."""
    (x,) = given(args)
    if ctx.derived():
        return binary(call("F.relu6", binary(x, "+", 3)), "/", 6)
    return call("F.hardsigmoid", x)


def atan2(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.atan2(a, b)`, which takes tensors alone."""
    a, b = given(args)
    numbers = [ctx.plain(x) for x in node.inputs]
    if all(numbers):
        return call("math.atan2", a, b)
    if numbers[0]:
        a, b = _tensors(ctx, node, a, b)
    elif numbers[1]:
        a = ctx.once(a, "a")
        b = method(a, "new_full", tuple_of(()), b)
    return call("torch.atan2", a, b)


def settings(name: str, defaults: dict[str, float], rename: dict[str, str] | None = None) -> Lowering:
    """`F.elu(x, alpha=0.5)`: settings that equal torch's defaults are left out."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        named = {
            (rename or {}).get(key, key): ctx.scalar(value)
            for key, value in node.attrs
            if not (isinstance(value, int | float) and value == defaults.get(key))
        }
        return call(name, *given(args), **named)

    return lower


def power(ctx: Context, node: Node, args: Args) -> Code:
    """`x ** 2`, `x.sqrt()` for a half."""
    base, exponent = given(args)
    right = node.inputs[1]
    if isinstance(right, Const) and right.value == 0.5:
        return call("torch.sqrt", base)
    return binary(base, "**", exponent)


def bound(name: str) -> Lowering:
    """`torch.minimum(a, b)`, with a number `x.clamp(max=c)`."""

    def lower(ctx: Context, node: Node, args: Args) -> Code:
        for x, number in (args, node.inputs[1:]), (args[1:], node.inputs):
            if isinstance(number[0], Const) and x[0] is not None:
                low, high = (None, number[0].value) if name == "minimum" else (number[0].value, None)
                return clamped(ctx, node, x[0], low, high, _between)
        return call(f"torch.{name}", *given(args))

    return lower


def _between(x: Code, low: Code | None, high: Code | None) -> Code:
    if low is None or high is None:
        return method(x, "clamp", min=low, max=high)
    return method(x, "clamp", low, high)


def clamp(ctx: Context, node: Node, args: Args) -> Code:
    """`x.clamp(lo, hi)`; an infinite bound is none."""
    (x,) = given(args)
    low, high = (None if abs_infinite(node.attr(key)) else node.attr(key) for key in ("lo", "hi"))
    return x if low is None and high is None else clamped(ctx, node, x, low, high, _between)


def abs_infinite(bound: object) -> bool:
    """Whether a bound is none."""
    return isinstance(bound, float) and math.isinf(bound)


def hardtanh(ctx: Context, node: Node, args: Args) -> Code:
    """`F.hardtanh(x, lo, hi)`."""
    (x,) = given(args)

    def between(x: Code, low: Code, high: Code) -> Code:
        ends = {"min_val": (low, -1.0, "lo"), "max_val": (high, 1.0, "hi")}
        named = {key: code for key, (code, usual, name) in ends.items() if node.attr(name) != usual}
        return call("F.hardtanh", x, **named)

    return clamped(ctx, node, x, node.attr("lo"), node.attr("hi"), between)


def select(ctx: Context, node: Node, args: Args) -> Code:
    """`torch.where(c, a, b)`; of two numbers one is a tensor of the model's float type, since torch takes its own."""
    arms = [operand_held(ctx, node, x, arg) for x, arg in zip(node.inputs, args, strict=True)]
    numbers = [number_of(x) for x in node.inputs[1:] if isinstance(x, Const)]
    if len(numbers) < 2 or not node.outputs[0].type.floating:
        return call("torch.where", *given(arms))
    held = [number is not None and lost(float(number), "f16") is None for number in numbers]
    if not any(held):  # halves may not hold them
        arms[1] = method(ctx.anchor(), "new_full", tuple_of(()), arms[1], dtype=name("torch.double"))
        return method(call("torch.where", *given(arms)), "to", attribute(ctx.anchor(), "dtype"))
    at = held.index(True) + 1
    arms[at] = method(ctx.anchor(), "new_full", tuple_of(()), arms[at])
    return call("torch.where", *given(arms))


def lerp(ctx: Context, node: Node, args: Args) -> Code:
    """`a + t * (b - a)`, which autocast may promote where torch.lerp refuses two types."""
    a, b, t = given(args)
    start = a if isinstance(node.inputs[0], Const) else ctx.once(a, "start")
    return binary(start, "+", binary(t, "*", binary(b, "-", start)))


CASTS = {
    "int": "long", "i64": "long", "i32": "int", "bool": "bool",
    "f16": "half", "bf16": "bfloat16", "f32": "float", "f64": "double",
}  # fmt: skip


def cast(ctx: Context, node: Node, args: Args) -> Code:
    """`x.long()`; the float type of the model is that of another tensor."""
    (x,) = given(args)
    target = node.attr("type")
    source = ctx.type(node.inputs[0])
    if source is not None and source.elem == target:
        return x
    if target == "float":
        return method(x, "to", attribute(ctx.anchor(), "dtype"))
    if target == "complex":
        part = x if source is not None and source.elem == "float" else method(x, "to", attribute(ctx.anchor(), "dtype"))
        part = ctx.once(part, "re")
        return call("torch.complex", part, call("torch.zeros_like", part))
    return method(x, CASTS[target])


LOWER: dict[str, Lowering] = {
    "add": summed(operator("+")),
    "sub": summed(operator("-")),
    "mul": computed(operator("*"), halves=True),
    "div": computed(operator("/"), halves=True),
    "floordiv": computed(floordiv, halves=False),
    "mod": computed(mod, halves=False),
    "pow": computed(power, halves=False),
    "neg": prefix("-"),
    "eq": computed(operator("=="), halves=False),
    "ne": computed(operator("!="), halves=False),
    "lt": computed(operator("<"), halves=False),
    "le": computed(operator("<="), halves=False),
    "gt": computed(operator(">"), halves=False),
    "ge": computed(operator(">="), halves=False),
    "minimum": bound("minimum"),
    "maximum": bound("maximum"),
    "select": select,
    "lerp": computed(lerp, halves=False),
    "logical_and": operator("&"),
    "logical_or": operator("|"),
    "logical_not": prefix("~"),
    "bitwise_and": operator("&"),
    "bitwise_or": operator("|"),
    "bitwise_xor": operator("^"),
    "bitwise_not": prefix("~"),
    "shift_left": operator("<<"),
    "shift_right": operator(">>"),
    "exp": function("torch.exp"),
    "expm1": function("torch.expm1"),
    "log": function("torch.log"),
    "log1p": function("torch.log1p"),
    "log2": function("torch.log2"),
    "log10": function("torch.log10"),
    "sqrt": function("torch.sqrt"),
    "rsqrt": function("torch.rsqrt"),
    "sin": function("torch.sin"),
    "cos": function("torch.cos"),
    "tan": function("torch.tan"),
    "asin": function("torch.asin"),
    "acos": function("torch.acos"),
    "atan": function("torch.atan"),
    "atan2": computed(atan2, halves=False),
    "sinh": function("torch.sinh"),
    "cosh": function("torch.cosh"),
    "tanh": function("torch.tanh"),
    "asinh": function("torch.asinh"),
    "acosh": function("torch.acosh"),
    "atanh": function("torch.atanh"),
    "erf": function("torch.erf"),
    "lgamma": function("torch.lgamma"),
    "digamma": function("torch.digamma"),
    "abs": function("torch.abs"),
    "sign": function("torch.sign"),
    "floor": function("torch.floor"),
    "ceil": function("torch.ceil"),
    "trunc": function("torch.trunc"),
    "round": function("torch.round"),
    "isfinite": function("torch.isfinite"),
    "isnan": function("torch.isnan"),
    "isinf": function("torch.isinf"),
    "clamp": clamp,
    "cast": cast,
    "relu": function("F.relu"),
    "gelu": function("F.gelu"),
    "gelu_tanh": function("F.gelu", approximate="tanh"),
    "silu": function("F.silu"),
    "sigmoid": function("torch.sigmoid"),
    "softplus": settings("F.softplus", {"beta": 1.0}),
    "elu": settings("F.elu", {"alpha": 1.0}),
    "leaky_relu": settings("F.leaky_relu", {"slope": 0.01}, {"slope": "negative_slope"}),
    "hardswish": function("F.hardswish"),
    "hardsigmoid": hardsigmoid,
    "hardtanh": hardtanh,
    "mish": function("F.mish"),
    "relu6": function("F.relu6"),
}
