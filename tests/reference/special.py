"""erf, ln Γ and the polygamma functions by their series, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

# B(2k), the even Bernoulli numbers
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
FAR = 12.0  # from here on Stirling's series is exact to the last place


def erf(x: Numbers) -> Numbers:
    """2/√π ∫₀ˣ e^(-t²) dt."""
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x))


def lgamma(x: Numbers) -> Numbers:
    """ln |Γ(x)|."""
    return _by_places(x, _lgamma)


def polygamma(order: int, x: Numbers) -> Numbers:
    """The derivative of ln Γ of order + 1."""
    return _by_places(x, lambda number: _polygamma(order, number))


def _by_places(x: Numbers, function: Any) -> Numbers:
    return np.asarray(np.vectorize(function, otypes=[np.float64])(x))


def _lgamma(x: float) -> float:
    if math.isnan(x) or math.isinf(x):
        return abs(x)
    if x <= 0 and x == math.floor(x):
        return math.inf
    if x < 0.5:  # Γ(x) Γ(1 - x) = π / sin πx
        return math.log(math.pi / abs(math.sin(math.pi * (x - math.floor(x))))) - _lgamma(1 - x)
    if x in (1.0, 2.0):
        return 0.0
    if abs(x - 1) < 0.3 or abs(x - 2) < 0.3:
        return _near_a_zero(x)
    return _stirling(x)


def _stirling(x: float) -> float:
    product = 1.0
    while x < FAR:
        product *= x
        x += 1
    series = sum(b / (2 * k * (2 * k - 1) * x ** (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1))
    return (x - 0.5) * math.log(x) - x + 0.5 * math.log(2 * math.pi) + series - math.log(product)


def _near_a_zero(x: float) -> float:
    """Around 1 and 2, where ln Γ is 0: ln Γ(1 + t) = -γ t + Σ ζ(k) (-t)^k / k."""
    t = x - 1 if abs(x - 1) < 0.3 else x - 2
    found = -np.euler_gamma * t + sum(_zeta(k) * (-t) ** k / k for k in range(2, 60))
    return float(found) if abs(x - 1) < 0.3 else float(found) + math.log1p(t)


def _zeta(s: int) -> float:
    """Σ n^-s, summed to 20 and continued by Euler and Maclaurin."""
    n = 20
    head = sum(k**-s for k in range(1, n))
    tail = n ** (1 - s) / (s - 1) + 0.5 * n**-s
    factor = s * n ** (-s - 1.0)
    for k, b in enumerate(BERNOULLI[:6], 1):
        tail += b * factor / math.factorial(2 * k)
        factor *= (s + 2 * k - 1) * (s + 2 * k) / n**2
    return float(head + tail)


def _polygamma(order: int, x: float) -> float:
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x == math.inf:
        return x if order == 0 else 0.0
    if x == 0 and order == 0:
        return -math.copysign(math.inf, x)
    if x <= 0 and x == math.floor(x):
        return math.nan
    if x < 0.5:
        return _reflected(order, x)
    sign, found = (-1) ** (order + 1), 0.0
    while x < FAR:
        found += sign * math.factorial(order) / x ** (order + 1)
        x += 1
    return float(found + _asymptotic(order, x))


def _asymptotic(order: int, x: float) -> float:
    if order == 0:
        return math.log(x) - 0.5 / x - sum(b / (2 * k) * (1 / x) ** (2 * k) for k, b in enumerate(BERNOULLI, 1))
    sign = (-1) ** (order + 1)
    found = math.factorial(order - 1) * (1 / x) ** order + math.factorial(order) * (1 / x) ** (order + 1) / 2
    for k, b in enumerate(BERNOULLI, 1):
        found += b * math.factorial(2 * k + order - 1) / math.factorial(2 * k) * (1 / x) ** (2 * k + order)
    return float(sign * found)


def _reflected(order: int, x: float) -> float:
    """ψ(1 - x) - ψ(x) = π cot πx, derived as often as asked for (to the second)."""
    t = math.pi * (x - math.floor(x))
    cot, csc2 = math.cos(t) / math.sin(t), 1 / math.sin(t) ** 2
    slopes = (
        math.pi * cot,
        -(math.pi**2) * csc2,
        2 * math.pi**3 * csc2 * cot,
        -(2 * math.pi**4) * csc2 * (3 * csc2 - 2),
    )
    return float((-1) ** order * _polygamma(order, 1 - x) - slopes[order])
