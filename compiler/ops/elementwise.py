"""Element-wise operations: operators, comparisons, logic, activations, casts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ogive.compiler.ir.model import Const
from ogive.compiler.ir.types import ELEMENTS, INTS, TensorType
from ogive.compiler.ops import bits, functions
from ogive.compiler.ops import pointwise_facts as about
from ogive.compiler.ops.align import align, common_elem, require_elem
from ogive.compiler.ops.held import number_of, whole
from ogive.compiler.ops.pointwise import (
    ALIGNS,
    NUMERIC,
    REAL,
    SMOOTH,
    Result,
    Statics,
    Types,
    binary,
    compare,
    two,
    unary,
)
from ogive.compiler.ops.spec import REQUIRED, Checker, OpSpec, Rule, ShapeError, StaticSpec, Told, Trait


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
    if isinstance(bound, float) and math.isinf(bound):
        return bound
    whole(bound, elem, f"`clamp` bounds `{elem}` by", operand=0, static=static)
    return int(bound) if isinstance(bound, float) else bound


def _op(name: str, inputs: str, rule: Rule, formula: str, *statics: StaticSpec, **facts: Any) -> OpSpec:
    return OpSpec(name, inputs, statics, rule, "elementwise", formula, "align", **facts)


OPERATORS = (
    binary("add", "a + b", "adds {b} to {a}", told=two("`a + b`: the sum.", "x + y")),
    binary("sub", "a - b", "subtracts {b} from {a}", told=two("`a - b`: the difference.", "x - y")),
    binary(
        "mul",
        "a b",
        "multiplies {a} by {b}",
        linear=(0, 1),
        told=two("`a * b`: the product, entry by entry.", "x * y"),
    ),
    _op(
        "div",
        "a, b",
        _div,
        "a / b",
        linear=(0,),
        literals=True,
        told=Told(
            "`a / b`: the quotient of floats or complex numbers.",
            "(a: [*b], b: [*b]) -> [*b]",
            "(x: [b, d], y: [d]) -> [b, d]",
            "x / y",
            ALIGNS,
        ),
    ),
    _whole_quotient(
        "//",
        binary(
            "floordiv",
            "floor(a / b)",
            "divides {a} by {b}",
            elems=REAL,
            traits=Trait.FLAT,
            told=two("`a // b`: the quotient rounded down.", "x // y"),
        ),
    ),
    _whole_quotient(
        "%",
        binary(
            "mod",
            "a - b floor(a / b)",
            "divides {a} by {b}",
            elems=REAL,
            told=two("`a % b`: what a division rounded down leaves, with the sign of b.", "x % y"),
        ),
    ),
    _op(
        "pow",
        "a, b",
        _pow,
        "a^b",
        literals=True,
        told=Told(
            "`a ** b`: a to the power b.", "(a: [*b], b: [*b]) -> [*b]", "(x: [b, d]) -> [b, d]", "x ** 2", ALIGNS
        ),
    ),
    unary(
        "neg",
        "-x",
        facts=about.neg,
        elems=NUMERIC,
        linear=True,
        traits=Trait.KEEPS_ZERO,
        means="`-x`: the number with the other sign.",
    ),
    compare("eq", "=", ELEMENTS, told=two("`a == b`: whether numbers are equal.", "x == y")),
    compare("ne", "≠", ELEMENTS, told=two("`a != b`: whether numbers differ.", "x != y")),
    compare("lt", "<", told=two("`a < b`: whether a is smaller.", "x < y")),
    compare("le", "≤", told=two("`a <= b`: whether a is smaller or equal.", "x <= y")),
    compare("gt", ">", told=two("`a > b`: whether a is larger.", "x > y")),
    compare("ge", "≥", told=two("`a >= b`: whether a is larger or equal.", "x >= y")),
    binary(
        "minimum",
        "min(a, b)",
        "takes the minimum of {a} and {b}",
        elems=REAL,
        told=two("The smaller of two numbers, entry by entry.", "minimum(x, y)"),
    ),
    binary(
        "maximum",
        "max(a, b)",
        "takes the maximum of {a} and {b}",
        elems=REAL,
        told=two("The larger of two numbers, entry by entry.", "maximum(x, y)"),
    ),
    _op(
        "select",
        "c, a, b",
        _select,
        "a where c, else b",
        literals=True,
        told=Told(
            "a where c holds, else b.",
            "(c: bool[*b], a: [*b], b: [*b]) -> [*b]",
            "(c: bool[b, d], x: [b, d]) -> [b, d]",
            "select(c, x, 0)",
            "shapes align from the right; a missing axis or a literal 1 broadcasts; a or b may be a number",
        ),
    ),
    _op(
        "lerp",
        "a, b, t",
        _lerp,
        "a + t (b - a)",
        literals=True,
        told=Told(
            "a + t (b - a): a where t is 0, b where t is 1.",
            "(a: [*b], b: [*b], t: [*b]) -> [*b]",
            "(x: [b, d], y: [b, d]) -> [b, d]",
            "lerp(x, y, 0.1)",
            "shapes align from the right; a missing axis or a literal 1 broadcasts; operands may be numbers",
        ),
    ),
    binary(
        "logical_and",
        "a ∧ b",
        "joins {a} with {b}",
        elems=("bool",),
        traits=Trait.FLAT,
        told=two("`a and b`: whether both hold.", "a and b"),
    ),
    binary(
        "logical_or",
        "a ∨ b",
        "joins {a} with {b}",
        elems=("bool",),
        traits=Trait.FLAT,
        told=two("`a or b`: whether at least one holds.", "a or b"),
    ),
    unary("logical_not", "¬x", elems=("bool",), traits=Trait.FLAT, means="`not x`: whether it does not hold."),
)

FUNCTIONS = (
    *functions.OPS,
    *bits.OPS,
    _op(
        "clamp",
        "x",
        _clamp,
        "min(max(x, lo), hi)",
        StaticSpec("lo", "float"),
        StaticSpec("hi", "float"),
        pointwise=about.hardtanh,
        told=Told(
            "The nearest number between lo and hi.", "(x: [*b]) -> [*b]", "(x: [b, d]) -> [b, d]", "clamp[-1, 1](x)"
        ),
    ),
    _op(
        "cast",
        "x",
        _cast,
        "x in another element type",
        StaticSpec("type", "elem", REQUIRED),
        pointwise=about.cast,
        told=Told(
            "The numbers in another element type; to an integer it cuts off towards zero.",
            "(x: [*b]) -> type[*b]",
            "(i: int[b, d]) -> [b, d]",
            "cast[float](i)",
            gradient="in `x` between floats, else 0",
        ),
    ),
)

ACTIVATIONS = (
    unary(
        "relu",
        "max(x, 0)",
        facts=about.relu,
        elems=REAL,
        traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE | Trait.KEEPS_ZERO,
        means="x where it is above 0, else 0.",
    ),
    unary(
        "gelu",
        "x Φ(x)",
        facts=about.gelu,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="The Gaussian error linear unit; `gelu_tanh` approximates it. Hendrycks, Gimpel 2016, arXiv:1606.08415.",
    ),
    unary(
        "gelu_tanh",
        "x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2",
        facts=about.gelu_tanh,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="gelu approximated by tanh, as GPT-2 computes it. Hendrycks, Gimpel 2016, arXiv:1606.08415.",
    ),
    unary(
        "silu", "x σ(x)", facts=about.silu, traits=Trait.FINITE | Trait.KEEPS_ZERO, means="x times its sigmoid (swish)."
    ),
    unary(
        "sigmoid",
        "σ(x) = 1 / (1 + e^(-x))",
        facts=about.logistic,
        traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE,
        means="The logistic function, between 0 and 1.",
    ),
    unary(
        "softplus",
        "ln(1 + e^(beta x)) / beta",
        facts=about.softplus,
        beta=1.0,
        traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE,
        means="A smooth relu, the sharper the larger beta.",
    ),
    unary(
        "elu",
        "x where x > 0, else alpha (e^x - 1)",
        facts=about.elu,
        alpha=1.0,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="x where it is above 0, else alpha (e^x - 1).",
    ),
    unary(
        "leaky_relu",
        "x where x > 0, else slope x",
        facts=about.leaky_relu,
        slope=0.01,
        traits=Trait.KEEPS_ZERO,
        means="x where it is above 0, else slope x.",
    ),
    unary(
        "hardswish",
        "x relu6(x + 3) / 6",
        facts=about.hardswish,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="silu of straight lines.",
    ),
    unary(
        "hardsigmoid",
        "relu6(x + 3) / 6",
        facts=about.hardsigmoid,
        traits=Trait.FINITE,
        means="A sigmoid of straight lines.",
    ),
    unary(
        "hardtanh",
        "min(max(x, lo), hi)",
        facts=about.hardtanh,
        lo=-1.0,
        hi=1.0,
        traits=Trait.FINITE,
        means="x cut off at lo and hi.",
    ),
    unary(
        "mish",
        "x tanh(ln(1 + e^x))",
        facts=about.mish,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="x times tanh of its softplus.",
    ),
    unary(
        "relu6",
        "min(max(x, 0), 6)",
        facts=about.relu6,
        traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE | Trait.KEEPS_ZERO,
        means="x cut off at 0 and 6.",
    ),
)

OPS = (*OPERATORS, *FUNCTIONS, *ACTIVATIONS)
