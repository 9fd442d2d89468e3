"""Functions of one number, and of two: exponentials, logarithms, angles, roundings, kinds of numbers."""

from __future__ import annotations

from ogive.compiler.ir.types import FLOATS
from ogive.compiler.ops import pointwise_facts as about
from ogive.compiler.ops.pointwise import ALIGNS, NUMERIC, REAL, SMOOTH, binary, unary
from ogive.compiler.ops.spec import Told, Trait


def _magnitude(elem: str) -> str:
    """The element type of |x|."""
    return "float" if elem == "complex" else elem


OPS = (
    unary(
        "exp",
        "e^x",
        facts=about.exponential,
        elems=SMOOTH,
        traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE,
        means="The exponential.",
    ),
    unary(
        "expm1",
        "e^x - 1",
        facts=about.exponential_less_1,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="e^x - 1, exact near 0.",
    ),
    unary("log", "ln x", facts=about.logarithm, elems=SMOOTH, traits=Trait.POLE, means="The natural logarithm."),
    unary(
        "log1p",
        "ln(1 + x)",
        facts=about.logarithm_more_1,
        traits=Trait.POLE | Trait.KEEPS_ZERO,
        means="ln(1 + x), exact near 0.",
    ),
    unary("log2", "log₂ x", facts=about.logarithm_2, traits=Trait.POLE, means="The logarithm to the base 2."),
    unary("log10", "log₁₀ x", facts=about.logarithm_10, traits=Trait.POLE, means="The logarithm to the base 10."),
    unary(
        "sqrt",
        "√x",
        facts=about.root,
        elems=SMOOTH,
        traits=Trait.NONNEGATIVE | Trait.FINITE | Trait.KEEPS_ZERO,
        means="The square root.",
    ),
    unary("rsqrt", "1 / √x", facts=about.inverse_root, elems=SMOOTH, traits=Trait.POLE, means="1 / √x."),
    unary("sin", "sin x", facts=about.sine, elems=SMOOTH, traits=Trait.FINITE | Trait.KEEPS_ZERO, means="The sine."),
    unary("cos", "cos x", facts=about.cosine, elems=SMOOTH, traits=Trait.FINITE, means="The cosine."),
    unary("tan", "tan x", facts=about.tangent, traits=Trait.FINITE | Trait.KEEPS_ZERO, means="The tangent."),
    unary(
        "asin",
        "arcsin x",
        facts=about.arc_sine,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="The inverse of the sine, between -π/2 and π/2.",
    ),
    unary(
        "acos",
        "arccos x",
        facts=about.arc_cosine,
        traits=Trait.NONNEGATIVE | Trait.FINITE,
        means="The inverse of the cosine, between 0 and π.",
    ),
    unary(
        "atan",
        "arctan x",
        facts=about.arc_tangent,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="The inverse of the tangent, between -π/2 and π/2.",
    ),
    binary(
        "atan2",
        "the angle of (b, a)",
        "takes the angle of {a} over {b}",
        elems=FLOATS,
        traits=Trait.FINITE,
        told=Told(
            "The angle of the point (b, a) in the plane, between -π and π: arctan(a / b) in its quadrant.",
            "(a: [*b], b: [*b]) -> [*b]",
            "(x: [b, d], y: [d]) -> [b, d]",
            "atan2(x, y)",
            ALIGNS,
            gradient="in `a` and `b`; NaN at (0, 0)",
        ),
    ),
    unary("sinh", "sinh x", facts=about.hyperbolic_sine, traits=Trait.KEEPS_ZERO, means="The hyperbolic sine."),
    unary(
        "cosh",
        "cosh x",
        facts=about.hyperbolic_cosine,
        traits=Trait.NONNEGATIVE | Trait.FINITE,
        means="The hyperbolic cosine.",
    ),
    unary(
        "tanh",
        "tanh x",
        facts=about.hyperbolic_tangent,
        elems=SMOOTH,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="The hyperbolic tangent.",
    ),
    unary(
        "asinh",
        "arsinh x",
        facts=about.area_sine,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="The inverse of the hyperbolic sine.",
    ),
    unary(
        "acosh",
        "arcosh x",
        facts=about.area_cosine,
        traits=Trait.NONNEGATIVE | Trait.FINITE,
        means="The inverse of the hyperbolic cosine, of numbers from 1 on.",
    ),
    unary(
        "atanh",
        "artanh x",
        facts=about.area_tangent,
        traits=Trait.POLE | Trait.KEEPS_ZERO,
        means="The inverse of the hyperbolic tangent.",
    ),
    unary(
        "erf",
        "2/√π ∫₀ˣ e^(-t²) dt",
        facts=about.error_function,
        traits=Trait.FINITE | Trait.KEEPS_ZERO,
        means="The error function.",
    ),
    unary(
        "lgamma", "ln |Γ(x)|", facts=about.log_gamma, traits=Trait.POLE, means="The logarithm of the gamma function."
    ),
    unary("digamma", "Γ'(x) / Γ(x)", traits=Trait.POLE, means="The derivative of lgamma."),
    unary(
        "abs",
        "|x|",
        facts=about.magnitude,
        elems=NUMERIC,
        gives=_magnitude,
        traits=Trait.NONNEGATIVE | Trait.FLAT_AT_ZERO | Trait.FINITE | Trait.KEEPS_ZERO,
        means="The absolute value; of a complex number its length.",
    ),
    unary(
        "sign",
        "x / |x|, 0 at 0",
        facts=about.signum,
        elems=REAL,
        traits=Trait.FLAT | Trait.FINITE | Trait.KEEPS_ZERO,
        means="-1, 0 or 1, as x is below 0, 0 or above.",
    ),
    unary(
        "floor",
        "⌊x⌋",
        facts=about.round_down,
        elems=REAL,
        traits=Trait.FLAT | Trait.KEEPS_ZERO,
        means="The next integer at or below x.",
    ),
    unary(
        "ceil",
        "⌈x⌉",
        facts=about.round_up,
        elems=REAL,
        traits=Trait.FLAT | Trait.KEEPS_ZERO,
        means="The next integer at or above x.",
    ),
    unary(
        "trunc",
        "⌊|x|⌋ sign x",
        facts=about.round_to_zero,
        elems=REAL,
        traits=Trait.FLAT | Trait.KEEPS_ZERO,
        means="x without its fraction: the next integer toward 0.",
    ),
    unary(
        "round",
        "the nearest integer, halves to the even one",
        facts=about.round_to_nearest,
        elems=REAL,
        traits=Trait.FLAT | Trait.KEEPS_ZERO,
        means="The nearest integer; halves go to the even one.",
    ),
    unary(
        "isfinite",
        "|x| < ∞",
        elems=NUMERIC,
        gives=lambda elem: "bool",
        traits=Trait.FLAT | Trait.FINITE,
        means="Whether x is neither infinite nor NaN.",
    ),
    unary(
        "isnan",
        "x ≠ x",
        elems=NUMERIC,
        gives=lambda elem: "bool",
        traits=Trait.FLAT | Trait.FINITE,
        means="Whether x is NaN; no integer is.",
    ),
    unary(
        "isinf",
        "|x| = ∞",
        elems=NUMERIC,
        gives=lambda elem: "bool",
        traits=Trait.FLAT | Trait.FINITE,
        means="Whether x is infinite; no integer is.",
    ),
)
