"""Numbers of tables: six digits, rounded to the side on which nothing that was said becomes wrong."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, inf, log10


def six_digits(value: float, rounding: Callable[[float], int]) -> float | None:
    """A number by `floor` or `ceil`; None where there is none."""
    if value == 0 or not abs(value) < inf:
        return 0.0 if value == 0 else None
    digits = 5 - floor(log10(abs(value)))
    return float(f"{rounding(value * 10.0**digits) * 10.0**-digits:.6g}") if abs(digits) < 300 else value
