"""Windows side by side, and samples between entries, by the place that each part comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from reference.arrays import Array, Numbers, add, constant, grid, mul, pick, reshape, scale, spread, sub, through, where
from reference.world import Op


def _places(op: Op, shape: tuple[int, ...]) -> Numbers:
    """[b, c, k..., p...] into [b, c, n...]: where each entry of the windows comes from; -1 beyond."""
    count = len(op.attr("kernel"))
    found, inside = grid(shape), np.ones((), bool)
    for i in range(count):
        kernel, stride, pad, dilation = (op.number(op.attr(key)[i]) for key in ("kernel", "stride", "pad", "dilation"))
        n = shape[2 + i]
        positions = (n + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        at = dilation * np.arange(kernel)[:, None] + stride * np.arange(positions) - pad
        found = np.take(found, np.clip(at, 0, n - 1), 2 + 2 * i)
        part = ((at >= 0) & (at < n)).reshape([1] * 2 * i + list(at.shape) + [1] * 2 * (count - 1 - i))
        inside = inside & part
    found = np.where(inside, found, -1)
    order = [0, 1, *range(2, 2 + 2 * count, 2), *range(3, 3 + 2 * count, 2)]
    return np.asarray(found.transpose(order))


def unfold(op: Op, x: Array) -> Array:
    return pick(x, _places(op, x.shape))


def fold(op: Op, x: Array) -> Array:
    return spread(x, _places(op, op.shape()), op.shape())


def _coordinate(op: Op, at: Array, size: int) -> Array:
    """Where a coordinate between -1 and 1 stands among `size` entries."""
    corners, beyond = op.attr("align_corners"), op.attr("pad_mode")
    at = add(scale(at, (size - 1) / 2 if corners else size / 2), constant((size - 1) / 2))
    if beyond == "reflection":
        low, span = (0.0, size - 1.0) if corners else (-0.5, float(size))
        way = np.abs(at.value - low)
        turns = np.floor(way / max(span, 1.0))
        falls, left = turns % 2 == 1, at.value < low
        op.world.decide("reflection", turns * 2 + left, (way == turns * span) | (way == 0))
        slope = np.where(falls, -1.0, 1.0) * np.where(left, -1.0, 1.0)
        rest = np.where(falls, span - (way - turns * span), way - turns * span) + low
        at = through(at, rest, partial(constant, slope))
    if beyond != "zeros":
        below, above = at.value < 0, at.value > size - 1
        op.world.decide("border", above * 1 - below * 1, (at.value == 0) | (at.value == size - 1))
        at = where(below, constant(np.zeros_like(at.value)), at)
        at = where(above, constant(np.full_like(at.value, size - 1)), at)
    return at


def grid_sample(op: Op, x: Array, where_to: Array) -> Array:
    """The entries around each place, by their shares."""
    sizes, shape, nearest = x.shape[2:], where_to.shape[:-1], op.attr("mode") == "nearest"
    parts = [(np.zeros(shape, int), np.ones(shape, bool), constant(np.ones(shape)))]
    for axis, size in enumerate(sizes):
        places = grid(where_to.shape)[..., len(sizes) - 1 - axis]
        at = _coordinate(op, pick(where_to, places), size)
        first = np.round(at.value) if nearest else np.floor(at.value)
        op.world.decide("grid_sample", first, np.abs(at.value % 1 - 0.5) == 0 if nearest else first == at.value)
        grown = []
        for step in (0,) if nearest else (0, 1):
            near = first + step
            share = constant(np.ones(shape)) if nearest else sub(constant(1.0), _distance(at, near, step))
            inside = (near >= 0) & (near < size)
            index = np.clip(np.nan_to_num(near), 0, size - 1).astype(int)  # NaN is nowhere inside
            grown += [(i * size + index, there & inside, mul(weight, share)) for i, there, weight in parts]
        parts = grown
    flat = reshape(x, (*x.shape[:2], math.prod(sizes)))
    total: Array | None = None
    for index, there, weight in parts:
        at_all = np.take_along_axis(grid(flat.shape), np.broadcast_to(index.reshape(shape[0], 1, -1),
                                    (*flat.shape[:2], index[0].size)), 2)  # fmt: skip
        shown = at_all.reshape(*flat.shape[:2], *shape[1:])
        found = pick(x, np.where(there[:, None], shown, -1))
        part = mul(found, reshape(weight, (shape[0], 1, *shape[1:])))
        total = part if total is None else add(total, part)
    assert total is not None
    return total


def _distance(at: Array, near: Numbers, step: int) -> Array:
    """How far a place is from the entry before it, or behind it."""
    return sub(at, constant(near)) if step == 0 else sub(constant(near), at)


OPS: dict[str, Callable[..., Any]] = {"unfold": unfold, "fold": fold, "grid_sample": grid_sample}
