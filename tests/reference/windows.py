"""Convolutions, pools and resampling: every result is a sum, a mean or a maximum over places of x."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference.arrays import (
    Array,
    Numbers,
    add,
    constant,
    contract,
    grid,
    mul,
    pick,
    reshape,
    scale,
    total,
    transpose,
    where,
)
from reference.layout import padded
from reference.reductions import extreme
from reference.world import Op


def _sizes(op: Op, name: str) -> list[int]:
    return [op.number(item) for item in op.attr(name)]


def _bias(y: Array, b: Array | None) -> Array:
    return y if b is None else add(y, reshape(b, (-1, *[1] * (y.ndim - 2))))


def conv(op: Op, x: Array, w: Array, b: Array | None = None) -> Array:
    """y[o, p] = Σ_{i, k} w[o, i, k] x[i, stride p + dilation k - pad]; of an odd pad of "same" the right takes more."""
    count = x.ndim - 2
    kernel, stride, dilation = w.shape[2:], _sizes(op, "stride"), _sizes(op, "dilation")
    mode, pad = op.attr("pad_mode"), op.attr("pad")
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    sides = [(r // 2, r - r // 2) for r in reach] if pad == "same" else [(n, n) for n in _sizes(op, "pad")]
    for i, (before, after) in enumerate(sides):
        if before or after:
            x = padded(x, i + 2, before, after, mode)
    out = [(x.shape[i + 2] - reach[i] - 1) // stride[i] + 1 for i in range(count)]
    places = [
        stride[i] * np.arange(out[i])[:, None] + dilation[i] * np.arange(kernel[i]) for i in range(count)
    ]  # [p, k] for each axis
    return _bias(_grouped(op, _windows(x, places), w), b)


def _windows(x: Array, places: Sequence[Numbers]) -> Array:
    """[b, c, p1, k1, p2, k2, ...] of x [b, c, s1, s2, ...]."""
    found = grid(x.shape)
    for i, place in enumerate(places):
        found = np.take(found, place, 2 + 2 * i)
    return pick(x, found)


def _grouped(op: Op, windows: Array, w: Array) -> Array:
    """[b, o, p...] by the weights [o, c / groups, k...] of each group of channels."""
    groups, count = op.setting("groups"), w.ndim - 2
    batch, channels = windows.shape[:2]
    split = reshape(windows, (batch, groups, channels // groups, *windows.shape[2:]))
    weights = reshape(w, (groups, w.shape[0] // groups, *w.shape[1:]))
    p, k = "pqrstu"[:count], "xyzvwj"[:count]
    pairs = "".join(a + b for a, b in zip(p, k, strict=True))
    y = contract([f"bgc{pairs}", f"goc{k}"], f"bgo{p}", [split, weights])
    return reshape(y, (batch, w.shape[0], *y.shape[3:]))


def conv_transpose(op: Op, x: Array, w: Array, b: Array | None = None) -> Array:
    """y[o, q] = Σ of x[i, p] w[i, o, k] over q = stride p + dilation k - pad."""
    count = x.ndim - 2
    stride, dilation, pad = _sizes(op, "stride"), _sizes(op, "dilation"), _sizes(op, "pad")
    groups, shape = op.setting("groups"), op.shape()
    split = reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    weights = reshape(w, (groups, w.shape[0] // groups, *w.shape[1:]))
    terms, letters = [split, weights], "pqr"[:count]
    names = [f"bgi{letters}", f"gio{'xyz'[:count]}"]
    for i in range(count):  # 1 where the place q is met
        q = np.arange(shape[i + 2])[:, None, None] + pad[i]
        met = q == stride[i] * np.arange(x.shape[i + 2])[:, None] + dilation[i] * np.arange(w.shape[i + 2])
        terms.append(Array(met.astype(float)))
        names.append(f"{'uvw'[i]}{letters[i]}{'xyz'[i]}")
    y = contract(names, f"bgo{'uvw'[:count]}", terms)
    return _bias(reshape(y, shape), b)


# --- pools ------------------------------------------------------------------------------------------------------------


def _pooled(op: Op, x: Array) -> list[tuple[Numbers, Numbers]]:
    """For each axis the places [p, k] of the windows, and which of them lie on x or its padding."""
    kernel, stride, pad = _sizes(op, "kernel"), _sizes(op, "stride"), _sizes(op, "pad")
    dilation = _sizes(op, "dilation") if op.attr("dilation") is not None else [1] * len(kernel)
    shape, found = op.shape(), []
    for i in range(x.ndim - 2):
        at = stride[i] * np.arange(shape[i + 2])[:, None] + dilation[i] * np.arange(kernel[i]) - pad[i]
        found.append((at, at < x.shape[i + 2] + pad[i]))
    return found


def _outer(parts: Sequence[Numbers]) -> Numbers:
    """[p1, ..., k1, ...] of [p1, k1], ...: where all hold."""
    count, found = len(parts), np.ones((), bool)
    for i, part in enumerate(parts):
        shape = [1] * (2 * count)
        shape[i], shape[count + i] = part.shape
        found = found & part.reshape(shape)
    return found


def merged(x: Numbers, first: int) -> Numbers:
    """The axes from the given one on as one, where another axis may be empty too."""
    return x.reshape(*x.shape[:first], math.prod(x.shape[first:]))


def _entries(x: Array, places: Sequence[Numbers]) -> Array:
    """[b, c, p1, ..., k] of x, of what places outside of x hold 0."""
    count, found, inside = len(places), grid(x.shape), []
    for i, place in enumerate(places):
        there = (place >= 0) & (place < x.shape[2 + i])
        inside.append(there)
        found = np.take(found, np.where(there, place, 0), 2 + 2 * i)
    order = [0, 1, *(2 + 2 * i for i in range(count)), *(3 + 2 * i for i in range(count))]
    found = np.where(_outer(inside), found.transpose(order), -1)
    return pick(x, merged(found, 2 + count))


def avg_pool(op: Op, x: Array) -> Array:
    """The mean of each window, over x and its padding, or over x alone; beyond the padding is nothing."""
    parts = _pooled(op, x)
    entries = _entries(x, [at for at, _ in parts])
    counted = [there if op.attr("count_include_pad") else (at >= 0) & (at < n)
               for (at, there), n in zip(parts, x.shape[2:], strict=True)]  # fmt: skip
    many = merged(_outer(counted), entries.ndim - 3).sum(-1)
    return mul(total(entries, (entries.ndim - 1,)), constant(1.0 / many))


def max_pool(op: Op, x: Array) -> Array:
    """The maximum of each window over what of it lies on x."""
    return _largest(op, x, [at for at, _ in _pooled(op, x)])


def _largest(op: Op, x: Array, places: Sequence[Numbers]) -> Array:
    entries = _entries(x, places)
    inside = _outer([(at >= 0) & (at < n) for at, n in zip(places, x.shape[2:], strict=True)])
    inside = merged(inside, entries.ndim - 3)
    never = constant(-np.inf)
    return extreme("max")(op, where(np.broadcast_to(inside, entries.shape), entries, never), (entries.ndim - 1,))


def _covering(n: int, count: int) -> list[range]:
    """`count` windows that cover n entries."""
    return [range(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def _means(n: int, count: int) -> Numbers:
    """[count, n]: the mean of each of the windows that cover an axis."""
    return np.array([[1 / len(w) if j in w else 0.0 for j in range(n)] for w in _covering(n, count)]).reshape(count, n)


def adaptive_avg_pool(op: Op, x: Array) -> Array:
    return resampled(x, [_means(n, op.number(size)) for n, size in zip(x.shape[2:], op.attr("size"), strict=True)])


def adaptive_max_pool(op: Op, x: Array) -> Array:
    places = []
    for n, size in zip(x.shape[2:], op.attr("size"), strict=True):
        windows = _covering(n, op.number(size))
        widest = max(len(w) for w in windows)
        places.append(np.array([[w[k] if k < len(w) else -1 for k in range(widest)] for w in windows]))
    return _largest(op, x, places)


# --- resampling -------------------------------------------------------------------------------------------------------


def resampled(x: Array, matrices: Sequence[Numbers]) -> Array:
    """Each spatial axis mapped by its own matrix [new, old]."""
    old, new = "pqrs"[: len(matrices)], "uvwx"[: len(matrices)]
    names = [f"bc{old}", *(f"{b}{a}" for a, b in zip(old, new, strict=True))]
    return contract(names, f"bc{new}", [x, *map(Array, matrices)])


def interpolate(op: Op, x: Array) -> Array:
    """x at as many places as are asked for, which stand where the mode says."""
    mode, corners, matrices = op.attr("mode"), op.attr("align_corners"), []
    for i, n in enumerate(x.shape[2:]):
        new = op.shape()[i + 2]
        scales = op.attr("scale")
        step = n / new if scales is None or mode == "area" else 1 / float(op.number(scales[i]))
        if op.attr("antialias"):
            matrices.append(_filtered(n, new, step, mode))
        elif mode == "area":
            matrices.append(_means(n, new))
        elif mode in ("nearest", "nearest-exact"):
            half = 0.5 if mode == "nearest-exact" else 0.0
            matrices.append(_at([math.floor((j + half) * step) for j in range(new)], n))
        else:
            places = [j * ((n - 1) / (new - 1) if new > 1 else 0.0) if corners else (j + 0.5) * step - 0.5
                      for j in range(new)]  # fmt: skip
            matrices.append(_cubic(places, n) if mode == "bicubic" else _linear(places, n))
    return resampled(x, matrices)


def _at(places: Sequence[int], n: int) -> Numbers:
    found = np.zeros((len(places), n))
    for row, place in enumerate(places):
        found[row, min(max(place, 0), n - 1)] += 1
    return found


def _linear(places: Sequence[float], n: int) -> Numbers:
    """Between two neighbours; beyond the ends, the ends."""
    found = np.zeros((len(places), n))
    for row, place in enumerate(places):
        place = max(place, 0.0)
        low = min(math.floor(place), n - 1)
        found[row, low] += 1 - (place - low)
        found[row, min(low + 1, n - 1)] += place - low
    return found


def _cubic(places: Sequence[float], n: int) -> Numbers:
    """By four neighbours, with the kernel of Keys 1981 at a = -3/4."""
    found = np.zeros((len(places), n))
    for row, place in enumerate(places):
        low = math.floor(place)
        for k in range(low - 1, low + 3):
            found[row, min(max(k, 0), n - 1)] += _keys(abs(place - k))
    return found


def _filtered(n: int, new: int, step: float, mode: str) -> Numbers:
    """By all neighbours in a window that grows where the axis shrinks; what lies beyond the ends does not count."""
    wide, found = max(step, 1.0), np.zeros((new, n))
    reach = (2 if mode == "bicubic" else 1) * wide
    for row in range(new):
        centre = step * (row + 0.5)
        for k in range(max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), n)):
            t = abs(k - centre + 0.5) / wide
            found[row, k] = _keys(t, -0.5) if mode == "bicubic" else max(1 - t, 0.0)
        found[row] /= found[row].sum()
    return found


def _keys(t: float, a: float = -0.75) -> float:
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


OPS: dict[str, Callable[..., Any]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "avg_pool": avg_pool,
    "max_pool": max_pool,
    "adaptive_avg_pool": adaptive_avg_pool,
    "adaptive_max_pool": adaptive_max_pool,
    "interpolate": interpolate,
}
__all__ = ["OPS", "scale", "transpose"]
