"""Moments of a function of a centred Gaussian number, by quadrature between its kinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import cos, exp, inf, pi, sqrt

from ogive.compiler.ops.pointwise_facts import PointwiseFacts

POINTS = 16  # of a panel
REACH = 10.0  # standard deviations: beyond lies less than 1e-22
MOST = 400  # panels
TAIL = 1e-9


@dataclass(frozen=True, slots=True)
class GaussianMoments:
    """Of f(z) with z normal, mean 0 and variance K: ⟨f⟩, ⟨f²⟩, ⟨f'⟩, ⟨f'²⟩, and d⟨f²⟩/dK."""

    mean: float
    square: float
    slope: float
    slope_square: float
    square_growth: float


def gaussian_moments(facts: PointwiseFacts, variance: float) -> GaussianMoments | None:
    """The moments; None where the function is not defined everywhere, or has none that are finite.

    d⟨f²⟩/dK = ⟨f²(z² - K)⟩ / 2K², which holds where f jumps too (Roberts, Yaida, Hanin 2022, arXiv:2106.10165). With
    K = 0 the numbers are those at 0, and None where it has no slope there.
    """
    if facts.domain != (-inf, inf):
        return None
    if variance == 0:
        value, slope = facts.value(0.0), facts.slope_at_zero
        return None if slope is None else GaussianMoments(value, value**2, slope, slope**2, slope**2)
    if facts.homogeneous is not None and not facts.jumps:
        below, above = facts.homogeneous
        half = (below**2 + above**2) / 2
        mean = (above - below) * sqrt(variance / (2 * pi))
        return GaussianMoments(mean, half * variance, (below + above) / 2, half, half)
    sums = [0.0] * 5
    try:
        for z, weight in _points(facts, variance):
            value, slope = facts.value(z), facts.slope(z)
            terms = (value, value**2, slope, slope**2, value**2 * (z * z - variance) / (2 * variance**2))
            for at, term in enumerate(terms):
                sums[at] += weight * term
        ends = sum(facts.value(end) ** 2 for end in (-REACH * sqrt(variance), REACH * sqrt(variance)))
    except (OverflowError, ValueError):
        return None
    if ends * exp(-(REACH**2) / 2) > TAIL * sums[1]:  # it grows so fast that what matters lies further out
        return None
    return GaussianMoments(*sums) if all(abs(each) < inf for each in sums) else None


def gaussian_mean(function: Callable[[float], float], facts: PointwiseFacts, variance: float) -> float:
    """⟨g(z)⟩ of a function with the kinks of another."""
    return sum(weight * function(z) for z, weight in _points(facts, variance))


def _points(facts: PointwiseFacts, variance: float) -> Iterator[tuple[float, float]]:
    """Places, with what each weighs, of a normal number."""
    width = sqrt(variance)
    inner = sorted({0.0, *facts.kinks_within(REACH * width)})
    edges = [-REACH * width, *inner, REACH * width]
    # panels as wide as a standard deviation, and no wider than what functions of numbers around 1 change over
    for low, high in pairwise(edges):
        panels = min(MOST, max(1, round((high - low) / min(width, 1.0))))
        step = (high - low) / panels
        for panel in range(panels):
            middle = low + (panel + 0.5) * step
            for node, weight in legendre(POINTS):
                z = middle + node * step / 2
                yield z, weight * step / 2 * exp(-z * z / (2 * variance)) / (width * sqrt(2 * pi))


@lru_cache
def legendre(points: int) -> tuple[tuple[float, float], ...]:
    """Nodes and weights of Gauss-Legendre quadrature between -1 and 1."""
    found = []
    for at in range(points):
        x = cos(pi * (at + 0.75) / (points + 0.5))
        for _ in range(50):
            value, slope = _legendre_at(points, x)
            x -= value / slope
        slope = _legendre_at(points, x)[1]
        found.append((x, 2 / ((1 - x * x) * slope * slope)))
    return tuple(found)


def _legendre_at(degree: int, x: float) -> tuple[float, float]:
    """The polynomial and its derivative."""
    before, value = 1.0, x
    for k in range(2, degree + 1):
        before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
    return value, degree * (x * value - before) / (x * x - 1)
