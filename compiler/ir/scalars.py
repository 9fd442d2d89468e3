"""Numbers that depend on sizes, once these are known: what `Scalar.fn` stands for."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from ogive.compiler.ir.model import Const, Scalar
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


def signs_of_zeros(value: object) -> Iterator[float]:
    """1 for each 0.0 in a value and -1 for each -0.0, which Python calls equal and a quotient tells apart."""
    match value:
        case float() if value == 0:
            yield math.copysign(1, value)
        case Const(value=inner):
            yield from signs_of_zeros(inner)
        case Scalar(args=inner) | (tuple() as inner):
            for each in inner:
                yield from signs_of_zeros(each)
