"""Where a deep network of one activation neither loses nor blows up its signal: C_b, C_W, K*, and what fluctuates.

Weights are drawn with variance C_W / fan in, biases with C_b. The variance of a layer is K' = C_b + C_W ⟨σ²⟩_K; a
small change of it grows by χ∥ = C_W d⟨σ²⟩/dK, one across by χ⊥ = C_W ⟨σ'²⟩ a layer. Critical: both are 1 at the fixed
point (Roberts, Yaida, Hanin 2022, arXiv:2106.10165).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import inf, nan

from ogive.compiler.ops.gaussian import GaussianMoments, gaussian_mean, gaussian_moments
from ogive.compiler.ops.pointwise_facts import PointwiseFacts

LOW, HIGH = 1e-3, 200.0  # where a fixed point is looked for
SMALL = 0.05
TURNS = 200


@dataclass(frozen=True, slots=True)
class CriticalPoint:
    """`kind`: "scale-invariant" (any K is fixed, `k_star` is None), "K* = 0", or "half-stable".

    `nu` is what the relative fluctuation of a layer of n units grows by, in 1/n a layer.
    """

    kind: str
    c_b: float
    c_w: float
    k_star: float | None
    nu: float | None


def moments(facts: PointwiseFacts, variance: float) -> GaussianMoments:
    """The moments of a function that has some. Raises ValueError."""
    found = gaussian_moments(facts, variance)
    if found is None:
        raise ValueError("no Gaussian moments")
    return found


@lru_cache(maxsize=256)
def critical_point(facts: PointwiseFacts) -> CriticalPoint | None:
    """The critical point of a network of one activation; None where none is found for K in [10⁻³, 200]."""
    if gaussian_moments(facts, 1.0) is None:
        return None
    if facts.homogeneous is not None:
        second, fourth = (sum(each**power for each in facts.homogeneous) / 2 for power in (2, 4))
        return (
            None if second == 0 else CriticalPoint("scale-invariant", 0.0, 1 / second, None, 3 * fourth / second**2 - 1)
        )
    slope = facts.slope_at_zero
    if facts.at_zero == 0 and slope and moments(facts, SMALL).square_growth < slope**2:
        return CriticalPoint("K* = 0", 0.0, 1 / slope**2, 0.0, 2 / 3 if facts.odd else None)
    return _half_stable(facts)


def _half_stable(facts: PointwiseFacts) -> CriticalPoint | None:
    """Where χ∥ = χ⊥ at some K above 0."""

    def gap(variance: float) -> float:
        found = gaussian_moments(facts, variance)
        return nan if found is None else found.square_growth - found.slope_square

    steps = [LOW * (HIGH / LOW) ** (at / 60) for at in range(61)]
    gaps = [gap(step) for step in steps]
    for low, high, before, after in zip(steps, steps[1:], gaps, gaps[1:], strict=False):
        if not before * after <= 0 or max(abs(before), abs(after)) < 1e-9:
            continue
        variance = _root(gap, low, high)
        found = moments(facts, variance)
        c_w = 1 / found.slope_square
        c_b = variance - c_w * found.square
        if c_b >= 0:
            fourth = gaussian_mean(lambda z: facts.value(z) ** 4, facts, variance)
            nu = c_w**2 * (fourth - found.square**2) / variance**2
            return CriticalPoint("half-stable", c_b, c_w, variance, nu)
    return None


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    rising = function(high) > 0
    for _ in range(60):
        middle = (low + high) / 2
        if (function(middle) > 0) == rising:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def fixed_point(facts: PointwiseFacts, c_w: float, c_b: float) -> float | None:
    """Where K' = C_b + C_W ⟨σ²⟩_K comes to rest from K = 1; None where it grows without end."""
    variance = 1.0
    for _ in range(TURNS):
        found = gaussian_moments(facts, variance)
        if found is None:
            return None
        new = c_b + c_w * found.square
        if not 0 <= new < 1e6:
            return None
        if new < 1e-12:
            return 0.0
        if abs(new - variance) < 1e-10 * variance:
            return new
        # Steffensen's step where the plain one creeps
        ahead = gaussian_moments(facts, new)
        if ahead is not None:
            after = c_b + c_w * ahead.square
            bend = after - 2 * new + variance
            jump = variance - (new - variance) ** 2 / bend if abs(bend) > 1e-14 else inf
            new = jump if 0 < jump < 1e6 and abs(jump - new) < new else after
        variance = new
    return variance if variance > 1e-6 else 0.0
