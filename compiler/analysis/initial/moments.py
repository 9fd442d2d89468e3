"""Mean and variance of the entries of a weight as it starts, by its initializer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ogive.compiler.ir.model import Init
from ogive.compiler.ir.scalars import value_of

CUT = 0.7737413035499163  # the variance of a normal number that is drawn within 2 deviations


def entry_moments(init: Init, shape: Sequence[int]) -> tuple[float, float] | None:
    """Mean and variance; None where an expression makes it, or where a setting is no number."""
    settings = settings_of(init)
    if settings is None:
        return None
    fan_in, fan_out = fans(shape)
    match init.name:
        case "zeros":
            return 0.0, 0.0
        case "ones":
            return 1.0, 0.0
        case "constant":
            return settings["v"], 0.0
        case "normal":
            return settings.get("mean", 0.0), settings.get("std", 1.0) ** 2
        case "trunc_normal":
            return 0.0, CUT * settings.get("std", 1.0) ** 2
        case "uniform":
            low, high = settings.get("lo", 0.0), settings.get("hi", 1.0)
            return (low + high) / 2, (high - low) ** 2 / 12
        case "kaiming_uniform" | "kaiming_normal":
            fan = fan_out if dict(init.attrs).get("mode") == "fan_out" else fan_in
            return 0.0, 2 / (1 + settings.get("a", 0.0) ** 2) / fan
        case "xavier_uniform" | "xavier_normal":
            return 0.0, 2 * settings.get("gain", 1.0) ** 2 / (fan_in + fan_out)
        case "orthogonal":
            return 0.0, settings.get("gain", 1.0) ** 2 / max(shape[0], prod(shape[1:]))
        case "eye":
            return 1 / max(shape), 0.0
        case _:
            return None


def settings_of(init: Init) -> dict[str, float] | None:
    """The settings as numbers; None where one depends on a size that is open, or where it is an expression."""
    if init.name == "expression":
        return None
    found = {key: value_of(value) for key, value in init.attrs if key not in ("mode", "seed")}
    return None if None in found.values() else {key: float(value or 0) for key, value in found.items()}


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Fan in and fan out of a weight [out, in, *kernel], as torch counts them."""
    if len(shape) < 2:
        return prod(shape), prod(shape)
    inner = prod(shape[2:])
    return shape[1] * inner, shape[0] * inner
