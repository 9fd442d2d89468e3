"""Reductions over axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference.arrays import (
    Array,
    add,
    broadcast,
    constant,
    cut,
    div,
    grid,
    mul,
    pick,
    reshape,
    scale,
    sub,
    total,
    transpose,
    where,
)
from reference.functions import exp, log, sqrt, square
from reference.world import Op

Reducer = Callable[[Op, Array, tuple[int, ...]], Array]


def kept(x: Array, y: Array, axes: Sequence[int]) -> Array:
    """A reduced array over the axes of what it was made of."""
    return broadcast(reshape(y, [1 if i in axes else n for i, n in enumerate(x.shape)]), x.shape)


def count(x: Array, axes: Sequence[int]) -> int:
    return math.prod(x.shape[i] for i in axes)


def add_up(op: Op, x: Array, axes: tuple[int, ...]) -> Array:
    return total(x, axes)


def mean_of(x: Array, axes: tuple[int, ...]) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return div(total(x, axes), constant(np.asarray(float(count(x, axes)))))


def variance_of(x: Array, axes: tuple[int, ...], less: int = 0) -> Array:
    """Σ (x - mean)² / (n - less)."""
    deviation = sub(x, kept(x, mean_of(x, axes), axes))
    return div(total(square(deviation), axes), constant(np.asarray(float(count(x, axes) - less))))


def rows(x: Array, axes: tuple[int, ...]) -> Array:
    """The reduced axes as one, the last."""
    others = [i for i in range(x.ndim) if i not in axes]
    flat = transpose(x, [*others, *axes])
    return reshape(flat, [*(x.shape[i] for i in others), count(x, axes)])


def extreme(name: str) -> Reducer:
    """The largest or smallest entry: the first of equal ones, and what is not a number where there is such a one."""

    def run(op: Op, x: Array, axes: tuple[int, ...]) -> Array:
        flat = rows(x, axes)
        at = first_extreme(flat.value, name)
        best = np.take_along_axis(flat.value, at[..., None], -1)
        if x.smooth:
            op.world.decide(name, at, (flat.value == best).sum(-1) > 1)
        return pick(flat, np.take_along_axis(grid(flat.shape), at[..., None], -1)[..., 0])

    return run


def first_extreme(rows: np.ndarray, name: str) -> np.ndarray:
    """Where the last axis has its first largest ("max") or smallest entry; NaN is both."""
    if rows.dtype.kind == "f":
        odd = np.isnan(rows)
        found: np.ndarray = np.where(odd.any(-1), odd.argmax(-1), (rows.argmax if name == "max" else rows.argmin)(-1))
        return found
    return np.asarray(rows.argmax(-1) if name == "max" else rows.argmin(-1))


def product(op: Op, x: Array, axes: tuple[int, ...]) -> Array:
    flat = rows(x, axes)
    places = grid(flat.shape)
    found = constant(np.ones(flat.shape[:-1], x.value.dtype))
    for i in range(flat.shape[-1]):
        found = mul(found, pick(flat, places[..., i]))
    return found


def var(op: Op, x: Array, axes: tuple[int, ...]) -> Array:
    return variance_of(x, axes, 1 if op.attr("unbiased", False) else 0)


def std(op: Op, x: Array, axes: tuple[int, ...]) -> Array:
    variance = var(op, x, axes)
    largest = np.abs(x.value).max(axes, initial=0.0)
    op.world.decide("std", np.zeros(0), variance.value <= (1e-13 * largest) ** 2)  # 0, or what rounding makes of it
    return sqrt(variance)


def logsumexp(op: Op, x: Array, axes: tuple[int, ...]) -> Array:
    """log Σ exp x, moved by the largest x so that exp does not overflow; -∞ where all are."""
    largest = x.value.max(axes) if count(x, axes) else np.full(total(x, axes).shape, -np.inf)
    shift = constant(np.where(np.isfinite(largest), largest, 0.0))
    with np.errstate(divide="ignore"):
        return add(log(total(exp(sub(x, kept(x, shift, axes))), axes)), shift)


def norm(op: Op, x: Array, axes: tuple[int, ...]) -> Array:
    """(Σ |x|^p)^(1/p), whose derivative at 0 is 0."""
    p = float(op.setting("p", 2))
    size = where(x.value < 0, scale(x, -1.0), x)
    op.world.decide("norm", x.value >= 0, (x.value == 0) & (p < 2))
    if math.isinf(p):
        return extreme("max" if p > 0 else "min")(op, size, axes)
    if p == 0:
        return Array((x.value != 0).sum(axes).astype(float))
    if p == 1:
        return total(size, axes)
    there = size.value != 0
    safe = where(there, size, constant(1.0))
    summed = total(where(there, exp(scale(log(safe), p)), constant(0.0)), axes)
    nothing = summed.value == 0
    op.world.decide("norm", ~nothing, nothing)
    root = exp(scale(log(where(~nothing, summed, constant(1.0))), 1 / p))
    return where(~nothing, root, constant(0.0))


def logic(name: str) -> Reducer:
    return lambda op, x, axes: Array((np.any if name == "any" else np.all)(x.value, axis=axes))


REDUCERS: dict[str, Reducer] = {
    "sum": add_up,
    "mean": lambda op, x, axes: mean_of(x, axes),
    "max": extreme("max"),
    "min": extreme("min"),
    "prod": product,
    "var": var,
    "std": std,
    "logsumexp": logsumexp,
    "any": logic("any"),
    "all": logic("all"),
    "norm": norm,
}


def over_axes(name: str) -> Callable[[Op, Array], Array]:
    return lambda op, x: REDUCERS[name](op, x, op.places(op.attr("axes")))


OPS: dict[str, Callable[..., Any]] = {name: over_axes(name) for name in REDUCERS}
__all__ = ["OPS", "REDUCERS", "cut", "first_extreme", "kept", "mean_of", "rows", "variance_of"]
