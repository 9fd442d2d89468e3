"""Element-wise operations: operators, comparisons, logic, activations, casts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ogive.compiler.ir.model import Const
from ogive.compiler.ir.types import ELEMENTS, FLOATS, INTS, TensorType
from ogive.compiler.ops.align import align, common_elem, require_elem
from ogive.compiler.ops.held import fits, number_of
from ogive.compiler.ops.spec import REQUIRED, Checker, OpSpec, Rule, ShapeError, StaticSpec, Trait

REAL = (*FLOATS, *INTS)
NUMERIC = (*REAL, "complex")
SMOOTH = (*FLOATS, "complex")

Types = Sequence[Any]  # TensorType, Const or None for each operand
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]


def unary(
    name: str,
    formula: str,
    *,
    elems: Sequence[str] = FLOATS,
    gives: Callable[[str], str] | None = None,
    linear: bool = False,
    traits: Trait = Trait.NONE,
    **settings: Any,
) -> OpSpec:
    """An operation of one tensor with float settings; `gives` maps the element type where it changes."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        (x,) = types
        require_elem(name, x, elems)
        return (x.with_elem(gives(x.elem)) if gives else x,), {key: statics[key] for key in settings}

    specs = tuple(StaticSpec(key, "float", default) for key, default in settings.items())
    return OpSpec(name, "x", specs, rule, "elementwise", formula, "align", linear=(0,) if linear else (), traits=traits)


def binary(
    name: str,
    formula: str,
    verb: str,
    *,
    elems: Sequence[str] = NUMERIC,
    gives: str | None = None,
    linear: tuple[int, ...] = (),
    traits: Trait = Trait.NONE,
) -> OpSpec:
    """An operation of two operands, of which one may be a literal; `verb` is what a message says of them."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        elem = common_elem(name, types)
        for operand, type in enumerate(types):
            require_elem(name, type, elems, operand)
        return (TensorType(gives or elem, align(checker, types, verb)),), {}

    return OpSpec(name, "a, b", (), rule, "elementwise", formula, "align", linear=linear, traits=traits, literals=True)


def _compare(name: str, sign: str, elems: Sequence[str] = REAL) -> OpSpec:
    return binary(name, f"a {sign} b", "compares {a} with {b}", elems=elems, gives="bool", traits=Trait.FLAT)


def _whole_quotient(name: str, spec: OpSpec) -> OpSpec:
    """The operation, which refuses to divide integers by a literal 0."""

    def rule(checker: Checker, statics: Statics, types: Types) -> Result:
        result = spec.rule(checker, statics, types)
        if result[0][0].elem in INTS and isinstance(types[1], Const) and number_of(types[1]) == 0:
            raise ShapeError(f"`{name}` divides `{result[0][0].elem}` by 0", code="E0501", operand=1)
        return result

    return replace(spec, rule=rule)


def _div(checker: Checker, statics: Statics, types: Types) -> Result:
    elem = common_elem("/", types)
    operand = next(i for i, type in enumerate(types) if isinstance(type, TensorType))
    if elem in INTS:
        text = f"`/` divides `{elem}` by `{elem}`: the quotient is not an integer"
        raise ShapeError(text, code="E0501", operand=operand, help="cast[float](x), or `//` to round down")
    require_elem("/", types[operand], SMOOTH, operand)
    return (TensorType(elem, align(checker, types, "divides {a} by {b}")),), {}


def _pow(checker: Checker, statics: Statics, types: Types) -> Result:
    elem = common_elem("**", types)
    for operand, type in enumerate(types):
        require_elem("**", type, NUMERIC, operand)
    power = types[1].value if isinstance(types[1], Const) else 0
    if elem in INTS and isinstance(power, int) and power < 0:
        text = f"`{elem}` to the power {power} is not an integer"
        raise ShapeError(text, code="E0501", operand=0, help="cast[float](x)")
    return (TensorType(elem, align(checker, types, "raises {a} to the power {b}")),), {}


def _select(checker: Checker, statics: Statics, types: Types) -> Result:
    condition, *arms = types
    require_elem("select", condition, ("bool",))
    try:
        elem = common_elem("select", arms)
    except ShapeError as error:
        raise ShapeError(
            error.text, code=error.code, operand=None if error.operand is None else error.operand + 1, help=error.help
        ) from None
    return (TensorType(elem, align(checker, types, "selects {b} where {a}")),), {}


def _lerp(checker: Checker, statics: Statics, types: Types) -> Result:
    elem = common_elem("lerp", types)
    for operand, type in enumerate(types):
        require_elem("lerp", type, SMOOTH, operand)
    return (TensorType(elem, align(checker, types, "interpolates {a} and {b}")),), {}


def _cast(checker: Checker, statics: Statics, types: Types) -> Result:
    (x,) = types
    target = statics["type"]
    if target not in ELEMENTS:
        text = f"`{target}` is no element type; they are {', '.join(f'`{elem}`' for elem in ELEMENTS)}"
        raise ShapeError(text, code="E0408", static="type")
    if x.elem == "complex" and target != "complex":
        raise ShapeError(
            f"`cast` from `complex` to `{target}` drops a part", code="E0501", operand=0, help="real(x), or abs(x)"
        )
    return (x.with_elem(target),), {"type": target}


def _clamp(checker: Checker, statics: Statics, types: Types) -> Result:
    (x,) = types
    require_elem("clamp", x, REAL)
    low, high = statics["lo"], statics["hi"]
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        raise ShapeError(f"`clamp` from {low} up to {high} leaves nothing", code="E0408", static="hi")
    if x.elem in INTS:
        low, high = _whole(low, x.elem, "lo"), _whole(high, x.elem, "hi")
    return (x,), {"lo": low, "hi": high}


def _whole(bound: Any, elem: str, static: str) -> Any:
    """The bound as an integer, which keeps the type of the tensor."""
    fits(bound, elem, operand=0, static=static)
    if not isinstance(bound, float) or math.isinf(bound):
        return bound
    if not bound.is_integer():
        text = f"`clamp` bounds `{elem}` by {bound}"
        raise ShapeError(text, code="E0501", operand=0, static=static, help="cast[float](x)")
    return int(bound)


def _magnitude(elem: str) -> str:
    """The element type of |x|."""
    return "float" if elem == "complex" else elem


def _op(name: str, inputs: str, rule: Rule, formula: str, *statics: StaticSpec, **facts: Any) -> OpSpec:
    return OpSpec(name, inputs, statics, rule, "elementwise", formula, "align", **facts)


OPERATORS = (
    binary("add", "a + b", "adds {b} to {a}"),
    binary("sub", "a - b", "subtracts {b} from {a}"),
    binary("mul", "a b", "multiplies {a} by {b}", linear=(0, 1)),
    _op("div", "a, b", _div, "a / b", linear=(0,), literals=True),
    _whole_quotient("//", binary("floordiv", "floor(a / b)", "divides {a} by {b}", elems=REAL, traits=Trait.FLAT)),
    _whole_quotient("%", binary("mod", "a - b floor(a / b)", "divides {a} by {b}", elems=REAL)),
    _op("pow", "a, b", _pow, "a^b", literals=True),
    unary("neg", "-x", elems=NUMERIC, linear=True),
    _compare("eq", "=", ELEMENTS),
    _compare("ne", "≠", ELEMENTS),
    _compare("lt", "<"),
    _compare("le", "≤"),
    _compare("gt", ">"),
    _compare("ge", "≥"),
    binary("minimum", "min(a, b)", "takes the minimum of {a} and {b}", elems=REAL),
    binary("maximum", "max(a, b)", "takes the maximum of {a} and {b}", elems=REAL),
    _op("select", "c, a, b", _select, "a where c, else b", literals=True),
    _op("lerp", "a, b, t", _lerp, "a + t (b - a)", literals=True),
    binary("logical_and", "a ∧ b", "joins {a} with {b}", elems=("bool",), traits=Trait.FLAT),
    binary("logical_or", "a ∨ b", "joins {a} with {b}", elems=("bool",), traits=Trait.FLAT),
    unary("logical_not", "¬x", elems=("bool",), traits=Trait.FLAT),
)

FUNCTIONS = (
    unary("exp", "e^x", elems=SMOOTH, traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE),
    unary("expm1", "e^x - 1", traits=Trait.FINITE),
    unary("log", "ln x", elems=SMOOTH, traits=Trait.POLE),
    unary("log1p", "ln(1 + x)", traits=Trait.POLE),
    unary("sqrt", "√x", elems=SMOOTH, traits=Trait.NONNEGATIVE | Trait.FINITE),
    unary("rsqrt", "1 / √x", elems=SMOOTH, traits=Trait.POLE),
    unary("sin", "sin x", elems=SMOOTH, traits=Trait.FINITE),
    unary("cos", "cos x", elems=SMOOTH, traits=Trait.FINITE),
    unary("tanh", "tanh x", elems=SMOOTH, traits=Trait.FINITE),
    unary("asinh", "arsinh x", traits=Trait.FINITE),
    unary("atanh", "artanh x", traits=Trait.POLE),
    unary("erf", "2/√π ∫₀ˣ e^(-t²) dt", traits=Trait.FINITE),
    unary("lgamma", "ln |Γ(x)|", traits=Trait.POLE),
    unary("digamma", "Γ'(x) / Γ(x)", traits=Trait.POLE),
    unary("abs", "|x|", elems=NUMERIC, gives=_magnitude, traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE),
    unary("sign", "x / |x|, 0 at 0", elems=REAL, traits=Trait.FLAT | Trait.FINITE),
    unary("floor", "⌊x⌋", elems=REAL, traits=Trait.FLAT),
    unary("round", "the nearest integer, halves to the even one", elems=REAL, traits=Trait.FLAT),
    unary("isfinite", "|x| < ∞", elems=NUMERIC, gives=lambda elem: "bool", traits=Trait.FLAT | Trait.FINITE),
    _op("clamp", "x", _clamp, "min(max(x, lo), hi)", StaticSpec("lo", "float"), StaticSpec("hi", "float")),
    _op("cast", "x", _cast, "x in another element type", StaticSpec("type", "elem", REQUIRED)),
)

ACTIVATIONS = (
    unary("relu", "max(x, 0)", elems=REAL, traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE),
    unary("gelu", "x Φ(x)", traits=Trait.FINITE),
    unary("gelu_tanh", "x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2", traits=Trait.FINITE),
    unary("silu", "x σ(x)", traits=Trait.FINITE),
    unary("sigmoid", "σ(x) = 1 / (1 + e^(-x))", traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE),
    unary(
        "softplus", "ln(1 + e^(beta x)) / beta", beta=1.0, traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE
    ),
    unary("elu", "x where x > 0, else alpha (e^x - 1)", alpha=1.0, traits=Trait.FINITE),
    unary("leaky_relu", "x where x > 0, else slope x", slope=0.01),
    unary("hardswish", "x relu6(x + 3) / 6", traits=Trait.FINITE),
    unary("hardsigmoid", "relu6(x + 3) / 6", traits=Trait.FINITE),
    unary("hardtanh", "min(max(x, lo), hi)", lo=-1.0, hi=1.0, traits=Trait.FINITE),
    unary("mish", "x tanh(ln(1 + e^x))", traits=Trait.FINITE),
    unary("relu6", "min(max(x, 0), 6)", traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE),
)

OPS = (*OPERATORS, *FUNCTIONS, *ACTIVATIONS)
