"""Mean and variance of the entries of a weight as it starts, by its initializer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ogive.backends.analysis.signals.field import DrawnWeight
from ogive.compiler.ir.model import Init
from ogive.compiler.ir.scalars import value_of

CUT = 0.7737413035499163  # the variance of a normal number that is drawn within 2 deviations


def drawn_weight(path: str, init: Init, shape: Sequence[int]) -> DrawnWeight | None:
    """How it is drawn; None where an expression makes it, or where a setting is no number."""
    settings = {key: value if key == "mode" else value_of(value) for key, value in init.attrs}
    if init.name == "expression" or any(value is None for key, value in settings.items() if key != "seed"):
        return None
    given = {key: float(value) for key, value in settings.items() if isinstance(value, int | float)}
    fan_in, fan_out = fans(shape)
    match init.name:
        case "zeros":
            return DrawnWeight(path, 0.0, 0.0)
        case "ones":
            return DrawnWeight(path, 1.0, 0.0)
        case "constant":
            return DrawnWeight(path, given["v"], 0.0)
        case "normal":
            return DrawnWeight(path, given.get("mean", 0.0), given.get("std", 1.0) ** 2)
        case "trunc_normal":
            return DrawnWeight(path, 0.0, CUT * given.get("std", 1.0) ** 2)
        case "uniform":
            low, high = given.get("lo", 0.0), given.get("hi", 1.0)
            return DrawnWeight(path, (low + high) / 2, (high - low) ** 2 / 12)
        case "kaiming_uniform" | "kaiming_normal":
            fan = fan_out if settings.get("mode") == "fan_out" else fan_in
            return DrawnWeight(path, 0.0, 2 / (1 + given.get("a", 0.0) ** 2) / fan)
        case "xavier_uniform" | "xavier_normal":
            return DrawnWeight(path, 0.0, 2 * given.get("gain", 1.0) ** 2 / (fan_in + fan_out))
        case "orthogonal":
            return DrawnWeight(path, 0.0, given.get("gain", 1.0) ** 2 / max(shape[0], prod(shape[1:])))
        case "eye":
            return DrawnWeight(path, 1 / max(shape), 0.0, unit=True)
        case _:
            return None


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Fan in and fan out of a weight [out, in, *kernel], as torch counts them."""
    if len(shape) < 2:
        return prod(shape), prod(shape)
    inner = prod(shape[2:])
    return shape[1] * inner, shape[0] * inner
