"""Derivatives of element-wise operations beside those of calculus: bounds, remainders, powers, casts, activations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ogive.backends.onnx_model.autodiff.steps import Flow, Rule, Steps, fitted, sides, slope
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.ops.operands import operand
from ogive.compiler.ir.model import Const
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import FLOATS

ZERO = Const(0.0)


def bound(op: str) -> Rule:
    """To the operand that is taken. Of two equal tensors each gets half; a number that is met lets it through."""

    def rule(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
        strictly, loosely = ("lt", "le") if op == "minimum" else ("gt", "ge")
        a, b = sides(noted)
        if isinstance(a, Const) or isinstance(b, Const):
            x, number = (b, a) if isinstance(a, Const) else (a, b)
            flow = s.where(s.asked(loosely, x, number), g, ZERO, g)
            return fitted(s, noted, [flow, flow])
        shared = s.where(s.asked("eq", a, b), s.mul(g, 0.5), ZERO, g)
        found = [s.where(s.asked(strictly, x, y), g, shared, g) for x, y in ((a, b), (b, a))]
        return fitted(s, noted, found)

    return rule


def between(low: str, high: str) -> Rule:
    """Where an entry is not beyond its bounds, which are settings of these names."""

    def rule(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
        return [inside(s, operand(noted.args), noted.node.attr(low), noted.node.attr(high), g)]

    return rule


def inside(s: Steps, x: str, low: Any, high: Any, g: str) -> str:
    """Where low <= x <= high; an infinite bound is none."""
    for op, end in (("ge", low), ("le", high)):
        if value_of(end) is None or not math.isinf(float(value_of(end) or 0)):
            g = s.where(s.asked(op, x, Const(end)), g, ZERO, g)
    return g


def remainder(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is to a, times -floor(a / b) to b."""
    a, b = sides(noted)
    steps = g if isinstance(b, Const) else s.map("neg", s.mul(g, s.both("floordiv", a, b)))
    return fitted(s, noted, [g, steps])


def power(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """B a^(b-1) to a, 0 where b is 0; a^b ln a to b, 0 where a is 0."""
    a, b = sides(noted)
    to_a: Flow = None
    to_b: Flow = None
    n = value_of(b.value) if isinstance(b, Const) else None
    if n == 0:
        to_a = s.mul(g, 0.0)
    elif n is not None:
        to_a = s.mul(g, s.mul(a if n == 2 else s.both("pow", a, float(n - 1)), float(n)))
    elif not isinstance(a, Const):
        less = s.both("sub", b, 1.0) if not isinstance(b, Const) else s.both("sub", s.mul(s.filled(1.0, a), b), 1.0)
        product = s.mul(s.both("pow", a, less), b)
        to_a = s.mul(g, product if isinstance(b, Const) else s.where(s.asked("eq", b, ZERO), ZERO, product, product))
    if not isinstance(b, Const):
        base = s.mul(s.filled(1.0, b), a) if isinstance(a, Const) else a
        product = s.mul(noted.results[0], s.map("log", base))
        to_b = s.mul(g, s.where(s.asked("eq", base, ZERO), ZERO, product, product))
    return fitted(s, noted, [to_a, to_b])


def angle(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To a g b / (a² + b²), to b -g a / (a² + b²)."""
    a, b = (s.filled(1.0, noted.results[0]) if isinstance(x, Const) else x for x in sides(noted))
    numbers = [x if isinstance(x, Const) else None for x in sides(noted)]
    a, b = (x if number is None else s.mul(x, number) for x, number in zip((a, b), numbers, strict=True))
    share = s.both("div", g, s.both("add", s.mul(a, a), s.mul(b, b)))
    return fitted(s, noted, [s.mul(share, b), s.map("neg", s.mul(share, a))])


def _asin(s: Steps, x: str, y: str, noted: Noted) -> str:
    """1 / √(1 - x²)."""
    return s.map("rsqrt", s.both("sub", 1.0, s.mul(x, x)))


def cast(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """Back to the type of the operand, where it is one of floats."""
    x = operand(noted.args)
    kind = s.type(x).elem
    if kind not in FLOATS or noted.node.attr("type") not in FLOATS:
        return [None]
    return [s.apply("cast", (g,), s.type(x), type=kind)]


def leaky(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is above 0, times the slope elsewhere."""
    above = s.asked("gt", operand(noted.args), ZERO)
    return [s.where(above, g, s.mul(g, Const(noted.node.attr("slope"))), g)]


def elu(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """As it is above 0, times y + alpha elsewhere."""
    above = s.asked("gt", operand(noted.args), ZERO)
    return [s.where(above, g, s.mul(g, s.both("add", noted.results[0], Const(noted.node.attr("alpha")))), g)]


def _gelu_tanh(s: Steps, x: str, y: str, noted: Noted) -> str:
    """(1 + t) / 2 + x (1 - t²) u' / 2 for t = tanh u, u = √(2/π) (x + 0.044715 x³)."""
    square = s.mul(x, x)
    scale = math.sqrt(2 / math.pi)
    t = s.map("tanh", s.mul(s.mul(x, s.both("add", s.mul(square, 0.044715), 1.0)), scale))
    inner = s.mul(s.both("add", s.mul(square, 3 * 0.044715), 1.0), scale)
    bend = s.mul(s.mul(x, s.both("sub", 1.0, s.mul(t, t))), inner)
    return s.mul(s.both("add", s.both("add", t, 1.0), bend), 0.5)


def _mish(s: Steps, x: str, y: str, noted: Noted) -> str:
    """T + x (1 - t²) σ(x) for t = tanh(softplus x)."""
    t = s.map("tanh", s.map("softplus", x, beta=1.0))
    return s.both("add", t, s.mul(s.mul(x, s.both("sub", 1.0, s.mul(t, t))), s.map("sigmoid", x)))


def _hardswish(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """(2x + 3) / 6 between -3 and 3, 1 above."""
    x = operand(noted.args)
    bent = s.mul(g, s.mul(s.both("add", s.mul(x, 2.0), 3.0), 1 / 6))
    return [s.where(s.asked("gt", x, Const(3.0)), g, s.where(s.asked("lt", x, Const(-3.0)), ZERO, bent, g), g)]


def _asinh(s: Steps, x: str, y: str, noted: Noted) -> str:
    return s.map("rsqrt", s.both("add", s.mul(x, x), 1.0))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "minimum": bound("minimum"),
        "maximum": bound("maximum"),
        "clamp": between("lo", "hi"),
        "hardtanh": between("lo", "hi"),
        "relu6": lambda s, noted, g: [inside(s, operand(noted.args), 0.0, 6.0, g)],
        "hardsigmoid": lambda s, noted, g: [inside(s, operand(noted.args), -3.0, 3.0, s.mul(g, 1 / 6))],
        "hardswish": _hardswish,
        "leaky_relu": leaky,
        "elu": elu,
        "gelu_tanh": slope(_gelu_tanh),
        "mish": slope(_mish),
        "asinh": slope(_asinh),
        "atanh": lambda s, noted, g: [
            s.both("div", g, s.both("sub", 1.0, s.mul(operand(noted.args), operand(noted.args))))
        ],
        "acosh": slope(lambda s, x, y, noted: s.map("rsqrt", s.both("sub", s.mul(x, x), 1.0))),
        "tan": slope(lambda s, x, y, noted: s.both("add", s.mul(y, y), 1.0)),
        "asin": slope(_asin),
        "acos": slope(lambda s, x, y, noted: s.map("neg", _asin(s, x, y, noted))),
        "atan": lambda s, noted, g: [
            s.both("div", g, s.both("add", s.mul(operand(noted.args), operand(noted.args)), 1.0))
        ],
        "atan2": angle,
        "sinh": slope(lambda s, x, y, noted: s.map("cosh", x)),
        "cosh": slope(lambda s, x, y, noted: s.map("sinh", x)),
        "log2": lambda s, noted, g: [s.both("div", g, s.mul(operand(noted.args), math.log(2)))],
        "log10": lambda s, noted, g: [s.both("div", g, s.mul(operand(noted.args), math.log(10)))],
        "lgamma": slope(lambda s, x, y, noted: s.map("digamma", x)),
        "mod": remainder,
        "pow": power,
        "cast": cast,
    }
)
