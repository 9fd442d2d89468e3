"""Numbers that depend on sizes, once these are known: what `Scalar.fn` stands for."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ogive.compiler.ir.model import Scalar
from ogive.compiler.sizes import Size

FUNCTIONS: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
        "%": operator.mod, "**": operator.pow, "neg": operator.neg, "sqrt": math.sqrt, "log": math.log,
        "exp": math.exp, "log2": math.log2, "ceil": math.ceil, "floor": math.floor, "min": min, "max": max,
    }
)  # fmt: skip


def value_of(value: object) -> float | None:
    """The number, where it depends on no size that is open and on no static."""
    match value:
        case bool():
            return None
        case int() | float():
            return value
        case Size():
            return value.number if value.is_number else None
        case Scalar(fn=fn, args=args) if fn in FUNCTIONS:
            numbers = [value_of(arg) for arg in args]
            return None if None in numbers else float(FUNCTIONS[fn](*numbers))
        case _:
            return None
