"""Operations that move, join and cut axes, each by the place that every entry comes from; and those that go by data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference.arrays import Array, Numbers, add, concat, constant, grid, mul, pick, spread, stack, where
from reference.reductions import first_extreme
from reference.world import Op, Unmet


def concat_op(op: Op, *xs: Array) -> Array:
    return concat(xs, op.axis())


def stack_op(op: Op, *xs: Array) -> Array:
    """The new axis is told among those of the result."""
    type = op.types[0]
    assert type is not None
    at = sum(op.width(axis.pack) for axis in type.axes[: op.attr("axis")])
    return stack(xs, at)


def flip(op: Op, x: Array) -> Array:
    return pick(x, np.flip(grid(x.shape), op.axis()))


def roll(op: Op, x: Array) -> Array:
    """y[(i + by) % n] = x[i]."""
    axis, by = op.axis(), op.setting("by")
    n = x.shape[axis]
    return pick(x, grid(x.shape).take([(i - by) % n for i in range(n)], axis))


def padded(x: Array, axis: int, before: int, after: int, mode: str, value: float = 0.0) -> Array:
    """`before` and `after` more entries along an axis."""
    n = x.shape[axis]
    at = np.arange(-before, n + after)
    inside = (at >= 0) & (at < n)
    source = {
        "constant": np.where(inside, at, 0),
        "zeros": np.where(inside, at, 0),
        "replicate": np.clip(at, 0, max(n - 1, 0)),
        "circular": at % n if n else at,
        "reflect": np.where(at < 0, -at, np.where(at >= n, 2 * (n - 1) - at, at)),
    }[mode]
    places = grid(x.shape).take(source, axis) if n else np.full((*x.shape[:axis], len(at), *x.shape[axis + 1 :]), -1)
    y = pick(x, places)
    if mode not in ("constant", "zeros"):
        return y
    shape = [1] * x.ndim
    shape[axis] = len(at)
    return where(np.broadcast_to(inside.reshape(shape), y.shape), y, Array(np.asarray(value).astype(x.value.dtype)))


def pad(op: Op, x: Array) -> Array:
    before, after = op.setting("before"), op.setting("after")
    return padded(x, op.axis(), before, after, op.attr("mode"), op.setting("value"))


def slice_op(op: Op, x: Array) -> Array:
    """For each axis all of it, one entry, or every so many-th between two bounds."""
    type = op.types[0]
    assert type is not None
    keys: list[Any] = []
    for item, axis in zip(op.attr("items"), type.axes, strict=True):
        if item[0] == "all":
            keys += [slice(None)] * op.width(axis.pack)
        elif item[0] == "index":
            keys.append(op.number(item[1]))
        else:
            start, stop, step = (op.number(bound) for bound in item[1:])
            keys.append(slice(start, max(start, stop), step))
    return pick(x, grid(x.shape)[tuple(keys)])


def _within(index: Numbers, n: int) -> None:
    if index.size and (index.min() < 0 or index.max() >= n):
        raise Unmet(f"an index outside of 0 ... {n - 1}")


def take(op: Op, x: Array, i: Array) -> Array:
    axis = op.axis()
    _within(i.value, x.shape[axis])
    return pick(x, np.take(grid(x.shape), i.value, axis))


def gather(op: Op, x: Array, i: Array) -> Array:
    axis = op.axis()
    _within(i.value, x.shape[axis])
    return pick(x, np.take_along_axis(_beside(grid(x.shape), i.value.shape, axis), i.value, axis))


def _beside(places: Numbers, shape: tuple[int, ...], axis: int) -> Numbers:
    """The places of x, cut to the other axes of an index."""
    return places[tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(shape))]


def put(op: Op, x: Array, y: Array, at: Array | None = None) -> Array:
    axis, start = op.axis(), op.setting("start") + (0 if at is None else int(at.value))
    n, k = x.shape[axis], y.shape[axis]
    if start < 0 or start + k > n:
        raise Unmet(f"entries {start} ... {start + k - 1} of {n}")
    source = np.full(x.shape, -1)
    source[tuple(slice(start, start + k) if i == axis else slice(None) for i in range(x.ndim))] = grid(y.shape)
    return where(source >= 0, pick(y, source), x)


def scatter_add(op: Op, x: Array, i: Array, src: Array) -> Array:
    """x with each entry of src added at the place that the index tells."""
    axis = op.axis()
    _within(i.value, x.shape[axis])
    index = i.value
    if op.attr("along"):
        index = np.broadcast_to(index.reshape([-1 if k == axis else 1 for k in range(src.ndim)]), src.shape)
    places = np.take_along_axis(_beside(grid(x.shape), src.shape, axis), index, axis)
    return add(x, spread(src, places, x.shape))


def scatter(op: Op, x: Array, i: Array, src: Array) -> Array:
    """Entry after entry of those that go to one place, joined with what is there."""
    axis, how = op.axis(), op.attr("op")
    _within(i.value, x.shape[axis])
    index = i.value
    if op.attr("along"):
        index = np.broadcast_to(index.reshape([-1 if k == axis else 1 for k in range(src.ndim)]), src.shape)
    flat = np.take_along_axis(_beside(grid(x.shape), src.shape, axis), index, axis).reshape(-1)
    count = np.full(x.value.size, int(op.attr("include_self") and how is not None))
    y = x
    for turn in range(int(np.bincount(flat).max(initial=0))):
        number = np.array([int((flat[:k] == place).sum()) for k, place in enumerate(flat)], int)
        source = np.full(x.value.size, -1)
        source[flat[number == turn]] = np.flatnonzero(number == turn)
        there = (source >= 0).reshape(x.shape)
        entry = pick(src, source.reshape(x.shape))
        first = there & (count == 0).reshape(x.shape)
        y = where(first | (there & (how is None)), entry, _joined(op, how, y, entry, there & ~first))
        count += there.reshape(-1)
    return mul(y, constant(1.0 / np.maximum(count, 1).reshape(x.shape))) if how == "mean" else y


def _joined(op: Op, how: str | None, y: Array, entry: Array, there: Numbers) -> Array:
    """What is there with one more entry."""
    if how is None:
        return y
    if how in ("sum", "mean"):
        return where(there, add(y, entry), y)
    if how == "prod":
        return where(there, mul(y, entry), y)
    better = entry.value > y.value if how == "max" else entry.value < y.value
    if y.smooth:
        op.world.decide("scatter", better & there, (entry.value == y.value) & there)
        better = (better | np.isnan(entry.value)) & ~np.isnan(y.value)
    return where(there & better, entry, y)


def one_hot(op: Op, i: Array) -> Array:
    n = op.setting("n")
    return Array((i.value[..., None] == np.arange(n)).astype(np.int64))


def order(x: Numbers, axis: int, *, descending: bool) -> Numbers:
    """Where the entries stand in order, equal ones as they come; NaN is the largest."""
    if descending:
        turned = np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
        return np.asarray(x.shape[axis] - 1 - turned)
    return np.asarray(np.argsort(x, axis, kind="stable"))


def _ordered(op: Op, x: Array, axis: int, at: Numbers) -> Array:
    y = pick(x, np.take_along_axis(grid(x.shape), at, axis))
    tied = np.diff(y.value, axis=axis) == 0
    if x.smooth or np.any(tied):
        first = np.take(y.value, range(max(0, y.shape[axis] - 1)), axis)
        op.world.decide(op.node.op, at, tied, by=(first, first + np.diff(y.value, axis=axis)))
    return y


def sort(op: Op, x: Array) -> Array:
    axis = op.axis()
    return _ordered(op, x, axis, order(x.value, axis, descending=bool(op.attr("descending"))))


def argsort(op: Op, x: Array) -> Array:
    axis = op.axis()
    at = order(x.value, axis, descending=bool(op.attr("descending")))
    _ordered(op, x, axis, at)
    return Array(at)


def topk(op: Op, x: Array) -> tuple[Array, Array]:
    """The k largest, from the largest on, and where they are."""
    axis, k = op.axis(), op.setting("k")
    at = order(x.value, axis, descending=True)
    _ordered(op, x, axis, at)
    at = at.take(range(k), axis)
    return pick(x, np.take_along_axis(grid(x.shape), at, axis)), Array(at)


def arg(op: Op, x: Array) -> Array:
    """Where the first largest or smallest entry is."""
    last = np.moveaxis(x.value, op.axis(), -1)
    at = first_extreme(last, op.node.op[3:])
    if x.smooth:
        best = np.take_along_axis(last, at[..., None], -1)
        next_best = np.sort(last, -1)[..., -2:-1] if op.node.op == "argmax" else np.sort(last, -1)[..., 1:2]
        op.world.decide(
            op.node.op, at, (last == best).sum(-1) > 1, by=(best, next_best) if last.shape[-1] > 1 else None
        )
    return Array(at)


def cumsum(op: Op, x: Array) -> Array:
    """y[i] = Σ_{j ≤ i} x[j]."""
    axis = op.axis()
    back = _reversed_cumsum(axis)
    return Array(np.cumsum(x.value, axis, dtype=x.value.dtype), ((x, back),))


def _reversed_cumsum(axis: int):  # type: ignore[no-untyped-def]
    def pull(g: Array) -> Array:
        turned = pick(g, np.flip(grid(g.shape), axis))
        summed = Array(np.cumsum(turned.value, axis), ((turned, pull),))
        return pick(summed, np.flip(grid(g.shape), axis))

    return pull


def cumprod(op: Op, x: Array) -> Array:
    """y[i] = Π_{j ≤ i} x[j]."""
    axis = op.axis()
    parts = [pick(x, grid(x.shape).take([i], axis)) for i in range(x.shape[axis])]
    for i in range(1, len(parts)):
        parts[i] = mul(parts[i - 1], parts[i])
    return concat(parts, axis) if parts else x


def running(op: Op, x: Array) -> Array:
    """The largest or smallest of what came so far, the last of equal ones."""
    axis, best = op.axis(), op.node.op[3:]
    places, last = np.moveaxis(grid(x.shape), axis, 0).copy(), np.moveaxis(x.value, axis, 0)
    tied = False
    for i in range(1, len(last)):
        before = x.value.reshape(-1)[places[i - 1]]
        stays = before > last[i] if best == "max" else before < last[i]
        tied |= bool((before == last[i]).any())
        places[i] = np.where(stays | (np.isnan(before) if x.smooth else False), places[i - 1], places[i])
    places = np.moveaxis(places, 0, axis)
    if x.smooth:
        op.world.decide(op.node.op, places, tied)
    return pick(x, places)


def diag(op: Op, x: Array) -> Array:
    return pick(x, np.diagonal(grid(x.shape), 0, -2, -1))


def triangle(op: Op, x: Array) -> Array:
    k = op.setting("diagonal")
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    kept = columns <= rows + k if op.node.op == "tril" else columns >= rows + k
    return where(np.broadcast_to(kept, x.shape), x, constant(np.zeros((), x.value.dtype)))


OPS: dict[str, Callable[..., Any]] = {
    "concat": concat_op,
    "stack": stack_op,
    "flip": flip,
    "roll": roll,
    "pad": pad,
    "slice": slice_op,
    "take": take,
    "gather": gather,
    "put": put,
    "scatter_add": scatter_add,
    "scatter": scatter,
    "one_hot": one_hot,
    "topk": topk,
    "sort": sort,
    "argsort": argsort,
    "argmax": arg,
    "argmin": arg,
    "cumsum": cumsum,
    "cumprod": cumprod,
    "cummax": running,
    "cummin": running,
    "diag": diag,
    "tril": triangle,
    "triu": triangle,
}
