"""Which numbers an element type holds: the others become infinite, 0 or something else in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from ogive.compiler.ir.model import Const, Scalar
from ogive.compiler.ops.spec import ShapeError
from ogive.compiler.sizes import Size

BITS: Mapping[str, int] = MappingProxyType({"int": 64, "i64": 64, "i32": 32})
# digits behind the point of a binary fraction, and the largest exponent
FORMATS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"f16": (10, 15), "bf16": (7, 127), "f32": (23, 127), "f64": (52, 1023)}
)
WHOLE = ("+", "-", "*", "//", "%", "neg", "min", "max")  # of whole numbers they give such
SHOWN = 24  # digits of a number in a message
Lost = Literal["infinite", "0"]


def lost(value: float, elem: str) -> Lost | None:
    """What a finite number becomes in a float type that does not hold it, rounded to nearest; None where it does."""
    digits, top = FORMATS[elem]
    if value == 0 or not math.isfinite(value):
        return None
    half = math.ldexp(1.0, -digits - 1)
    if abs(value) / math.ldexp(1.0, top) >= 2 - half:
        return "infinite"
    return "0" if abs(value) <= math.ldexp(1.0, 1 - top - digits - 1) else None


def normal(value: float, elem: str) -> bool:
    """Whether a float type holds it to all of its digits."""
    least = math.ldexp(1.0, 1 - FORMATS[elem][1])
    return lost(value, elem) is None and (value == 0 or not math.isfinite(value) or abs(value) >= least)


def number_of(value: object) -> int | float | None:
    """The number that a literal or a setting is; None where it depends on sizes."""
    value = value.value if isinstance(value, Const) else value
    if isinstance(value, Size):
        return value.number if value.is_number else None
    return None if isinstance(value, bool | Scalar) or not isinstance(value, int | float) else value


def fits(value: Any, elem: str, **place: Any) -> None:
    """E0501 where a number is more than an integer type holds, or than any float does."""
    number = number_of(value)
    if number is None or elem == "bool" or (isinstance(number, float) and not math.isfinite(number)):
        return
    shown = str(value.value if isinstance(value, Const) else value)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}... ({len(shown)} digits)"
    if elem not in BITS:
        if abs(number) >= 2**1024:
            raise ShapeError(f"{shown} is more than floats hold", code="E0501", **place)
        return
    top = 2 ** (BITS[elem] - 1)
    if not -top <= number < top:
        help_ = f"`{elem}` goes from {-top} to {top - 1}"
        raise ShapeError(f"{shown} is more than `{elem}` holds", code="E0501", help=help_, **place)


def whole(value: Any, elem: str, told: str, **place: Any) -> None:
    """E0501 where a number is none of an integer type or of `bool`, or none that is sure to be one."""
    fits(value, elem, **place)
    if _open(value):
        return
    if elem == "bool":
        if isinstance(value, bool) or number_of(value) in (0, 1):
            return
        raise ShapeError(f"{told} a number", code="E0501", help="1 is true, 0 is false", **place)
    if isinstance(value, float) and not value.is_integer():
        help_ = "cast[float](x)" if "operand" in place else "without `type` it is of floats"
        raise ShapeError(f"{told} {value}", code="E0501", help=help_, **place)
    if isinstance(value, Scalar) and not _whole(value):
        help_ = "`//`, `floor` and `ceil` give whole numbers"
        raise ShapeError(f"{told} what may be no whole number", code="E0501", help=help_, **place)


def _open(value: object) -> bool:
    """Whether it depends on a static that is not known yet: what it is there is asked again where it is."""
    return isinstance(value, Scalar) and (value.fn == "static" or any(map(_open, value.args)))


def _whole(value: object) -> bool:
    """Whether a number is a whole one for all sizes."""
    if not isinstance(value, Scalar):
        return isinstance(value, int | Size)
    return value.fn in ("floor", "ceil") or (value.fn in WHOLE and all(map(_whole, value.args)))
