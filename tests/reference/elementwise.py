"""Element-wise operations by their formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reference.arrays import (
    Array,
    Numbers,
    add,
    conj,
    constant,
    cut,
    div,
    imag,
    join,
    mul,
    neg,
    override,
    real,
    scale,
    sub,
    through,
    where,
)
from reference.functions import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    digamma,
    erf,
    exp,
    expm1,
    gelu,
    gelu_tanh,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    mish,
    psi,
    rsqrt,
    sigmoid,
    silu,
    sin,
    sinh,
    softplus_of,
    sqrt,
    square,
    tan,
    tanh,
)
from reference.runtimes import largest, smallest
from reference.world import Op, dtype_of

Function = Callable[..., Array]


def _plain(function: Function) -> Function:
    return lambda op, x: function(x)


# --- with a kink or a jump --------------------------------------------------------------------------------------------


def absolute(op: Op, x: Array) -> Array:
    if x.complex:
        y = np.abs(x.value)
        op.world.decide("abs", np.zeros(0), y == 0)
        return Array(y, ((x, lambda g: mul(join(g, constant(np.zeros(()))), _unit(x))),))
    op.world.decide("abs", x.value >= 0, bent=x.value == 0)  # at 0 its derivative is 0
    if not x.smooth:
        return Array(np.abs(x.value))
    return through(x, np.abs(x.value), lambda: constant(np.sign(x.value)))


def _unit(x: Array) -> Array:
    """x / |x|, 0 at 0."""
    length = sqrt(add(square(real(x)), square(imag(x))))
    there = x.value != 0
    safe = where(there, length, constant(1.0))
    return where(there, div(x, join(safe, constant(0.0))), constant(np.zeros((), x.value.dtype)))


def step(name: str, function: Callable[[Numbers], Numbers], edge: Callable[[Numbers], Numbers]) -> Function:
    """A function that is constant but for jumps, and so has the derivative 0."""

    def run(op: Op, x: Array) -> Array:
        y = function(x.value)
        if x.smooth:
            op.world.decide(name, y, edge(x.value), by=(2 * x.value, np.round(2 * x.value)))
        return Array(y.astype(x.value.dtype))

    return run


def by_pieces(
    name: str, bounds: Callable[[Op], tuple[float, ...]], pieces: Callable[..., list[Array]], agreed: bool = False
) -> Function:
    """A function in pieces: piece i up to bound i, the last one beyond all of them. What is NaN stays NaN.

    `agreed`: at a bound it has the derivative of the piece below, everywhere.
    """

    def run(op: Op, x: Array) -> Array:
        edges, parts = bounds(op), pieces(op, x)
        which = sum((x.value > edge).astype(int) for edge in edges)
        edge = np.isin(x.value, edges)
        nearest = np.asarray(edges)[np.abs(np.subtract.outer(x.value, edges)).argmin(-1)]
        op.world.decide(name, np.asarray(which), not agreed and edge, edge, by=(x.value, nearest))
        y = parts[0]
        for number, part in enumerate(parts[1:], 1):
            y = where(np.asarray(which) >= number, part, y)
        return where(x.value != x.value, x, y) if x.smooth else y

    return run


def _zero(x: Array) -> Array:
    return constant(np.zeros_like(x.value))


def _like(x: Array, value: float) -> Array:
    return constant(np.full_like(x.value, value))


def _slope(op: Op, x: Array) -> Array:
    """relu6(x + 3) / 6 between -3 and 3."""
    return scale(add(x, constant(3.0)), float(np.float32(1 / 6)) if op.world.short else 1 / 6)


relu = by_pieces("relu", lambda op: (0.0,), lambda op, x: [_zero(x), x], agreed=True)
relu6 = by_pieces("relu6", lambda op: (0.0, 6.0), lambda op, x: [_zero(x), x, _like(x, 6)])
elu = by_pieces("elu", lambda op: (0.0,), lambda op, x: [scale(_expm1_below(x), op.setting("alpha")), x], agreed=True)
leaky_relu = by_pieces("leaky_relu", lambda op: (0.0,), lambda op, x: [scale(x, op.setting("slope")), x], agreed=True)
hardsigmoid = by_pieces("hardsigmoid", lambda op: (-3.0, 3.0), lambda op, x: [_zero(x), _slope(op, x), _like(x, 1)])
hardswish = by_pieces("hardswish", lambda op: (-3.0, 3.0), lambda op, x: [mul(x, _zero(x)), mul(x, _slope(op, x)), x])


def _expm1_below(x: Array) -> Array:
    """e^x - 1 where x ≤ 0; beyond it nothing looks."""
    return expm1(where(x.value <= 0, x, constant(0.0)))


def clamp(op: Op, x: Array) -> Array:
    """min(max(x, lo), hi)."""
    low, high = op.setting("lo"), op.setting("hi")
    below, above = x.value < low, x.value > high
    if x.smooth:
        op.world.decide("clamp", above * 1 - below * 1, (x.value == low) | (x.value == high))
    y = where(below, _like(x, low), x) if below.any() else x
    return where(above, _like(x, high), y) if above.any() else y


def softplus(op: Op, x: Array) -> Array:
    beta = op.setting("beta")
    return scale(softplus_of(scale(x, beta)), 1 / beta)


# --- two numbers and more ---------------------------------------------------------------------------------------------


def power(op: Op, a: Array, b: Array) -> Array:
    """a^b; where b is a literal, it is a constant."""
    if not a.smooth:
        return Array(np.power(a.value, b.value))
    if not b.tracked and b.ndim == 0 and b.value.imag == 0 and float(b.value.real).is_integer():
        return _whole_power(a, int(b.value.real))
    value = np.power(a.value, b.value)
    return Array(
        value, ((a, lambda g: mul(g, conj(_by_base(op, a, b)))), (b, lambda g: mul(g, conj(_by_exponent(op, a, b)))))
    )


def _whole_power(a: Array, exponent: int) -> Array:
    """a^n for a whole n, of which 0^0 is 1."""
    value = np.power(a.value, exponent) if exponent >= 0 else 1 / np.power(a.value, -exponent)
    if exponent == 0:
        return Array(value)
    return through(a, value, lambda: scale(_whole_power(a, exponent - 1), exponent))


def _by_base(op: Op, a: Array, b: Array) -> Array:
    there = np.broadcast_to(b.value != 0, np.broadcast_shapes(a.shape, b.shape))
    return where(there, mul(b, power(op, a, sub(b, constant(1.0)))), constant(np.zeros((), a.value.dtype)))


def _by_exponent(op: Op, a: Array, b: Array) -> Array:
    there = np.broadcast_to(a.value != 0, np.broadcast_shapes(a.shape, b.shape))
    safe = where(a.value != 0, a, constant(np.ones((), a.value.dtype)))
    return where(there, mul(power(op, a, b), log(safe)), constant(np.zeros((), a.value.dtype)))


def derived_digamma(op: Op, x: Array) -> Array:
    """The digamma function; torch's own trigamma, its derivative, is off by 5e-10 (`short`)."""
    y = digamma(x)
    if not op.world.short:
        return y
    factor = Array(1 + 6e-10 * np.cos(37 * x.value))
    return Array(y.value, ((x, lambda g: mul(mul(g, psi(x, 1)), factor)),))


def floordiv(op: Op, a: Array, b: Array) -> Array:
    """The floor of the quotient, whose derivative is 0."""
    if not a.smooth:
        return Array(np.floor_divide(a.value, b.value))
    y, exact = np.floor_divide(a.value, b.value), a.value / b.value
    op.world.decide("floordiv", y, exact == y, by=(exact, np.round(exact)))
    return Array(y)


def mod(op: Op, a: Array, b: Array) -> Array:
    """a - b floor(a / b): of the sign of b."""
    if not a.smooth:
        return Array(np.mod(a.value, b.value))
    whole = floordiv(op, a, b)
    value = np.mod(a.value, b.value)  # the same number, without rounding the product
    return Array(value, ((a, lambda g: g), (b, lambda g: neg(mul(g, whole)))))


def compare(name: str, function: Callable[[Numbers, Numbers], Numbers]) -> Function:
    def run(op: Op, a: Array, b: Array) -> Array:
        y = function(a.value, b.value)
        if a.smooth or b.smooth:
            op.world.decide(name, y, a.value == b.value, by=(a.value, b.value))
        return Array(y)

    return run


def maximum(op: Op, a: Array, b: Array) -> Array:
    return _either(op, a, b, largest(a.value, b.value))


def minimum(op: Op, a: Array, b: Array) -> Array:
    return _either(op, a, b, smallest(a.value, b.value))


def _either(op: Op, a: Array, b: Array, first: Numbers) -> Array:
    if a.smooth or b.smooth:
        op.world.decide(op.node.op, first, a.value == b.value)
    return where(first, a, b)


def select(op: Op, c: Array, a: Array, b: Array) -> Array:
    return where(c.value, a, b)


def lerp(op: Op, a: Array, b: Array, t: Array) -> Array:
    return add(a, mul(t, sub(b, a)))


def cast(op: Op, x: Array) -> Array:
    """Whole numbers toward 0, true where not 0."""
    elem = op.attr("type")
    target = np.dtype(dtype_of(elem))
    if x.smooth and target.kind in "ib":
        y = np.trunc(x.value) if target.kind == "i" else x.value != 0
        edge = np.round(x.value) if target.kind == "i" else np.zeros_like(x.value)
        op.world.decide("cast", y, (np.trunc(x.value) == x.value) if target.kind == "i" else False, by=(x.value, edge))
        return Array(y.astype(target))
    if x.smooth:
        return join(x, constant(np.zeros_like(x.value))) if target.kind == "c" and not x.complex else x
    return Array(x.value.astype(target))


def grad_as(op: Op, value: Array, surrogate: Array) -> Array:
    op.world.cuts = True
    return override(value, surrogate)


def stop_gradient(op: Op, x: Array) -> Array:
    op.world.cuts = True
    return cut(x)


def _arithmetic(function: Function) -> Function:
    return lambda op, a, b: function(a, b)


def _logic(function: Callable[..., Numbers]) -> Function:
    return lambda op, *xs: Array(function(*(x.value for x in xs)))


def _never(x: Numbers) -> Numbers:
    return np.zeros(x.shape, bool)


def _halves(x: Numbers) -> Numbers:
    return np.asarray(np.abs(x - np.trunc(x)) == 0.5)


OPS: dict[str, Function] = {
    "add": _arithmetic(add),
    "sub": _arithmetic(sub),
    "mul": _arithmetic(mul),
    "div": _arithmetic(div),
    "floordiv": floordiv,
    "mod": mod,
    "pow": power,
    "neg": _plain(neg),
    "eq": compare("eq", np.equal),
    "ne": compare("ne", np.not_equal),
    "lt": compare("lt", np.less),
    "le": compare("le", np.less_equal),
    "gt": compare("gt", np.greater),
    "ge": compare("ge", np.greater_equal),
    "minimum": minimum,
    "maximum": maximum,
    "select": select,
    "lerp": lerp,
    "logical_and": _logic(np.logical_and),
    "logical_or": _logic(np.logical_or),
    "logical_not": _logic(np.logical_not),
    "bitwise_and": _logic(np.bitwise_and),
    "bitwise_or": _logic(np.bitwise_or),
    "bitwise_xor": _logic(np.bitwise_xor),
    "bitwise_not": _logic(np.bitwise_not),
    "shift_left": _logic(np.left_shift),
    "shift_right": _logic(np.right_shift),
    "exp": _plain(exp),
    "expm1": _plain(expm1),
    "log": _plain(log),
    "log1p": _plain(log1p),
    "log2": _plain(log2),
    "log10": _plain(log10),
    "sqrt": _plain(sqrt),
    "rsqrt": _plain(rsqrt),
    "sin": _plain(sin),
    "cos": _plain(cos),
    "tan": _plain(tan),
    "asin": _plain(asin),
    "acos": _plain(acos),
    "atan": _plain(atan),
    "atan2": _arithmetic(atan2),
    "sinh": _plain(sinh),
    "cosh": _plain(cosh),
    "tanh": _plain(tanh),
    "asinh": _plain(asinh),
    "acosh": _plain(acosh),
    "atanh": _plain(atanh),
    "erf": _plain(erf),
    "lgamma": _plain(lgamma),
    "digamma": derived_digamma,
    "abs": absolute,
    "sign": step("sign", np.sign, lambda x: x == 0),
    "floor": step("floor", np.floor, lambda x: np.floor(x) == x),
    "ceil": step("ceil", np.ceil, lambda x: np.ceil(x) == x),
    "trunc": step("trunc", np.trunc, lambda x: np.trunc(x) == x),
    "round": step("round", np.round, _halves),
    "isfinite": _logic(np.isfinite),
    "isnan": _logic(np.isnan),
    "isinf": _logic(np.isinf),
    "clamp": clamp,
    "cast": cast,
    "relu": relu,
    "gelu": lambda op, x: gelu(x, op.world.short),
    "gelu_tanh": lambda op, x: gelu_tanh(x, op.world.short),
    "silu": _plain(silu),
    "sigmoid": _plain(sigmoid),
    "softplus": softplus,
    "elu": elu,
    "leaky_relu": leaky_relu,
    "hardswish": hardswish,
    "hardsigmoid": hardsigmoid,
    "hardtanh": clamp,
    "mish": _plain(mish),
    "relu6": relu6,
    "stop_gradient": stop_gradient,
    "grad_as": grad_as,
}
