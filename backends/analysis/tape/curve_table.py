"""Functions of one number as curves, from what operations say of themselves (`OpSpec.pointwise`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf, pi, sqrt
from typing import Any

import torch
from torch import Tensor

from ogive.backends.analysis.tape.curves import Curve
from ogive.backends.analysis.tape.functions import number_at
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Unknown

BROKEN = ("tan", "cast", "neg")  # with poles; with a rule of its own
CURVED = tuple(name for name, spec in OPS.items() if spec.pointwise is not None and name not in BROKEN)


def _gelu(x: Tensor) -> Tensor:
    below: Tensor = torch.special.ndtr(x)
    return below + x * torch.exp(-x * x / 2) * INVERSE_ROOT


def _silu(x: Tensor) -> Tensor:
    y = torch.sigmoid(x)
    return y * (1 + x * (1 - y))


INVERSE_ROOT = 1 / sqrt(2 * pi)
# closed forms of slopes, which are quicker than a derivative of the function; a slope that is off costs no soundness
DERIVATIVES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: (x > 0).double(),
    "tanh": lambda x: 1 - torch.tanh(x).square(),
    "sigmoid": lambda x: torch.sigmoid(x) * torch.sigmoid(-x),
    "sin": torch.cos,
    "cos": lambda x: -torch.sin(x),
    "exp": torch.exp,
    "gelu": _gelu,
    "silu": _silu,
    "reciprocal": lambda x: -1 / x.square(),
    "sqrt": lambda x: 0.5 / torch.sqrt(x),
    "abs": torch.sign,
}


def curve_of(
    op: str, settings: Mapping[str, Any], value: Callable[[Tensor], Tensor], sizes: Mapping[Unknown, int]
) -> Curve | None:
    """The curve of an operation, or of `reciprocal`, `capped_exp`, `pow` with a `power`; None for one that jumps."""
    told = {key: number_at(setting, sizes) for key, setting in settings.items()}
    match op:
        case "reciprocal":
            return Curve(value, domain=(0.0, inf), range=(0.0, inf), mirrored=True, derivative=DERIVATIVES[op])
        case "capped_exp":
            return Curve(value, breaks=(300.0,), range=(0.0, inf))
        case "rsqrt" if "shift" in told:
            return Curve(value, domain=(-told["shift"], inf), range=(0.0, inf))
        case "pow":
            return _power(told["power"], value)
    declared = OPS[op].pointwise
    assert declared is not None, op
    facts = declared(told)
    if facts.jumps:
        return None
    breaks = tuple(sorted({*facts.kinks, *facts.bends}))
    return Curve(
        value,
        breaks,
        facts.period,
        facts.range,
        facts.domain,
        derivative=DERIVATIVES.get(op),
        exact=facts.idempotent,
        slopes=facts.slopes,
    )


def _power(power: float, value: Callable[[Tensor], Tensor]) -> Curve:
    """X ** power: of a whole power everywhere, else of what is not below 0."""
    if power < 0:
        even = power % 2 == 0
        return Curve(value, domain=(0.0, inf), range=(0.0, inf), mirrored=power == int(power) and not even)
    if power == int(power):
        even = power % 2 == 0
        slope = partial(_power_slope, power=power)
        return Curve(value, () if even else (0.0,), range=(0.0 if even else -inf, inf), derivative=slope)
    return Curve(value, domain=(0.0, inf), range=(0.0, inf))


def _power_slope(x: Tensor, power: float) -> Tensor:
    return power * x ** (power - 1)
