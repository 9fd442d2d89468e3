"""The algebra of sizes: normal forms, conditions, what is known, and what must still be required."""

from ogive.compiler.sizes.arithmetic import added, ceil_div, maximum, minimum, size
from ogive.compiler.sizes.atoms import Size, Unknown
from ogive.compiler.sizes.condition import (
    FALSE,
    TRUE,
    AllOf,
    Condition,
    SizeComparison,
    all_of,
    any_of,
    compare,
    divides,
    eq,
    ge,
    gt,
    le,
    lt,
    member,
    ne,
)
from ogive.compiler.sizes.effort import ExhaustedError, TooComplexError
from ogive.compiler.sizes.facts import Answer, Facts
from ogive.compiler.sizes.simplification import simplify
from ogive.compiler.sizes.solving import Solution, solve, solve_each, values_near

__all__ = [
    "FALSE",
    "TRUE",
    "AllOf",
    "Answer",
    "Condition",
    "ExhaustedError",
    "Facts",
    "Size",
    "SizeComparison",
    "Solution",
    "TooComplexError",
    "Unknown",
    "added",
    "all_of",
    "any_of",
    "ceil_div",
    "compare",
    "divides",
    "eq",
    "ge",
    "gt",
    "le",
    "lt",
    "maximum",
    "member",
    "minimum",
    "ne",
    "simplify",
    "size",
    "solve",
    "solve_each",
    "values_near",
]
