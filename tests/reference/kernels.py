"""Softmax, attention and normalizations by their formulas."""

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
    contract,
    cut,
    div,
    grid,
    mul,
    pick,
    reshape,
    scale,
    spread,
    sub,
    total,
    transpose,
    where,
)
from reference.functions import exp, log, sqrt, square
from reference.reductions import kept, mean_of, variance_of
from reference.world import Op, Unmet


def softmax_of(x: Array, axis: int) -> Array:
    """e^x / Σ e^x; 0 along a row of which all entries are -∞."""
    best = x.value.max(axis, keepdims=True) if x.shape[axis] else x.value.sum(axis, keepdims=True)
    nothing = np.broadcast_to(best == -np.inf, x.shape)
    shift = constant(np.where(best == -np.inf, 0.0, best))
    powers = exp(sub(x, shift))
    summed = kept(x, total(powers, (axis,)), (axis,))
    return where(nothing, constant(0.0), div(powers, where(nothing, constant(1.0), summed)))


def softmax(op: Op, x: Array) -> Array:
    return softmax_of(x, op.axis())


def log_softmax(op: Op, x: Array) -> Array:
    """x - ln Σ e^x; -∞ along a row of which all entries are."""
    axis = op.axis()
    best = x.value.max(axis, keepdims=True) if x.shape[axis] else x.value.sum(axis, keepdims=True)
    moved = sub(x, constant(np.where(best == -np.inf, 0.0, best)))
    nothing = np.broadcast_to(best == -np.inf, x.shape)
    summed = where(nothing, constant(1.0), kept(x, total(exp(moved), (axis,)), (axis,)))
    return where(nothing, constant(-np.inf), sub(moved, log(summed)))


def attention(op: Op, q: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
    """softmax(scale q kᵀ + mask) v; a query that sees no key gets 0. With `causal` the last query sees every key."""
    queries, keys = q.shape[-2], k.shape[-2]
    factor = 1 / math.sqrt(q.shape[-1]) if op.attr("scale") is None else op.setting("scale")
    factor = float(np.float32(math.sqrt(factor))) ** 2 if op.world.short and factor > 0 else factor
    scores = scale(matmul_of(q, transpose(k, [*range(k.ndim - 2), k.ndim - 1, k.ndim - 2])), factor)
    never = constant(-np.inf)
    if op.attr("causal"):
        sees = np.arange(keys) <= np.arange(queries)[:, None] + (keys - queries)
        scores = where(np.broadcast_to(sees, scores.shape), scores, never)
    if mask is not None and mask.value.dtype.kind == "b":
        scores = where(np.broadcast_to(mask.value, scores.shape), scores, never)
    elif mask is not None:
        scores = add(scores, mask)
    return matmul_of(softmax_of(scores, scores.ndim - 1), v)


def matmul_of(a: Array, b: Array) -> Array:
    """y[..., m, n] = Σ_k a[..., m, k] b[..., k, n]; vectors have no m, no n; the axes before broadcast."""
    left, right = a.shape[:-2], b.shape[:-2]
    batch = np.broadcast_shapes(left, right)
    rows, columns = a.ndim > 1, b.ndim > 1
    a = a if not rows else broadcast(a, (*batch, *a.shape[-2:]))
    b = b if not columns else broadcast(b, (*batch, *b.shape[-2:]))
    letters = "abcdefgh"[: len(batch)]
    one = f"{letters}mk" if rows else "k"
    two = f"{letters}kn" if columns else "k"
    out = f"{letters if rows or columns else ''}{'m' if rows else ''}{'n' if columns else ''}"
    return contract([one, two], out, [a, b])


def matmul(op: Op, a: Array, b: Array) -> Array:
    return matmul_of(a, b)


def grouped_matmul(op: Op, x: Array, w: Array, sizes: Array) -> Array:
    """Group after group of rows, each by a matrix; zeros for the rows that are left."""
    counts = [int(count) for count in sizes.value]
    if min(counts) < 0 or sum(counts) > x.shape[0]:
        raise Unmet(f"groups of {counts} among {x.shape[0]} rows")
    y, start = constant(np.zeros((x.shape[0], w.shape[2]))), 0
    for group, count in enumerate(counts):
        rows = pick(x, grid(x.shape)[start : start + count])
        part = matmul_of(rows, pick(w, grid(w.shape)[group]))
        places = grid(y.shape)[start : start + count]
        y, start = add(y, spread(part, places, y.shape)), start + count
    return y


def linear(op: Op, x: Array, w: Array, b: Array | None = None) -> Array:
    """y[..., o] = Σ_i x[..., i] w[o, i] + b[o]."""
    letters = "abcdefgh"[: x.ndim - 1]
    y = contract([f"{letters}i", "oi"], f"{letters}o", [x, w])
    return y if b is None else add(y, b)


# --- normalizations ---------------------------------------------------------------------------------------------------


def _along(x: Array, w: Array, axes: Sequence[int]) -> Array:
    """A weight whose axes are some of those of x, in their order."""
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    sizes = [x.shape[i] if i in axes else 1 for i in range(x.ndim)]
    return broadcast(reshape(transpose(w, order), sizes), x.shape)


def _affine(x: Array, axes: Sequence[int], weight: Array | None, bias: Array | None) -> Array:
    if weight is not None:
        x = mul(x, _along(x, weight, axes))
    return x if bias is None else add(x, _along(x, bias, axes))


def _standardized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    deviation = sub(x, kept(x, mean_of(x, axes), axes))
    spread = sqrt(add(variance_of(x, axes), constant(eps)))
    return div(deviation, kept(x, spread, axes))


def layer_norm(op: Op, x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
    axes = op.places(op.attr("axes"))
    return _affine(_standardized(x, axes, op.setting("eps")), axes, weight, bias)


def rms_norm(op: Op, x: Array, weight: Array | None = None) -> Array:
    axes = op.places(op.attr("axes"))
    size = sqrt(add(mean_of(square(x), axes), constant(op.setting("eps"))))
    return _affine(div(x, kept(x, size, axes)), axes, weight, None)


def batch_norm(
    op: Op, x: Array, mean: Array, variance: Array, weight: Array | None = None, bias: Array | None = None
) -> Array:
    spread = sqrt(add(variance, constant(op.setting("eps"))))
    y = div(sub(x, _along(x, mean, (1,))), _along(x, spread, (1,)))
    return _affine(y, (1,), weight, bias)


def batch_norm_train(
    op: Op, x: Array, weight: Array | None = None, bias: Array | None = None
) -> tuple[Array, Array, Array]:
    """By the statistics of x itself; then its mean and its unbiased variance by channel, without a derivative."""
    axes = (0, *range(2, x.ndim))
    y = _affine(_standardized(x, axes, op.setting("eps")), (1,), weight, bias)
    op.world.cuts = True
    with np.errstate(invalid="ignore", divide="ignore"):
        return y, cut(mean_of(x, axes)), cut(variance_of(x, axes, 1))


def group_norm(op: Op, x: Array, weight: Array | None = None, bias: Array | None = None) -> Array:
    groups = op.setting("groups")
    grouped = reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    y = _standardized(grouped, tuple(range(2, grouped.ndim)), op.setting("eps"))
    return _affine(reshape(y, x.shape), (1,), weight, bias)


OPS: dict[str, Callable[..., Any]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "attention": attention,
    "matmul": matmul,
    "grouped_matmul": grouped_matmul,
    "linear": linear,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "batch_norm": batch_norm,
    "batch_norm_train": batch_norm_train,
    "group_norm": group_norm,
}
