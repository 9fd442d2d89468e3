"""Arrays that remember how they were made: what the reference needs of reverse-mode differentiation.

A cotangent is made of the same operations, so that a derivative has a derivative. Of a complex array it is
∂L/∂Re z + i ∂L/∂Im z, for a real L.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]
Pull = Callable[["Array"], "Array"]
_serial = count()


class Array:
    """Numbers, and for each array that they were made of what takes a cotangent back to it."""

    __slots__ = ("leaf", "parents", "serial", "value")

    def __init__(self, value: Any, parents: Sequence[tuple[Array, Pull]] = (), *, leaf: bool = False) -> None:
        self.value: Numbers = np.asarray(value)
        self.parents = tuple((parent, pull) for parent, pull in parents if parent.tracked)
        self.leaf = leaf
        self.serial = next(_serial)

    @property
    def tracked(self) -> bool:
        """Whether a derivative may flow to it."""
        return self.leaf or bool(self.parents)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def complex(self) -> bool:
        return bool(self.value.dtype.kind == "c")

    @property
    def smooth(self) -> bool:
        return str(self.value.dtype.kind) in "fc"

    def __repr__(self) -> str:
        return f"Array({self.value!r})"


def gradient(y: Array, wrt: Sequence[Array]) -> list[Array]:
    """The cotangents of some arrays, for 1 at `y`; zeros where none arrives."""
    with np.errstate(all="ignore"):
        return _gradient(y, wrt)


def _gradient(y: Array, wrt: Sequence[Array]) -> list[Array]:
    first = min((x.serial for x in wrt), default=0)
    pending: dict[int, tuple[Array, Array]] = {y.serial: (y, Array(np.ones(y.shape, y.value.dtype)))}
    order = [-y.serial]
    found: dict[int, Array] = {}
    wanted = {x.serial for x in wrt}
    while order:
        serial = -heapq.heappop(order)
        array, cotangent = pending.pop(serial)
        if serial in wanted:
            found[serial] = cotangent
        for parent, pull in array.parents:
            if parent.serial < first:
                continue  # made before any of them: it does not depend on them
            part = fitted(pull(cotangent), parent)
            held = pending.get(parent.serial)
            if held is None:
                heapq.heappush(order, -parent.serial)
            pending[parent.serial] = (parent, part if held is None else add(held[1], part))
    return [found.get(x.serial, Array(np.zeros(x.shape, x.value.dtype))) for x in wrt]


def fitted(g: Array, like: Array) -> Array:
    """A cotangent in the shape and kind of what it belongs to: summed where that was broadcast."""
    extra = g.ndim - like.ndim
    if extra > 0:
        g = total(g, tuple(range(extra)))
    wide = tuple(i for i, (a, b) in enumerate(zip(g.shape, like.shape, strict=True)) if b == 1 and a != 1)
    if wide:
        g = reshape(total(g, wide), like.shape)
    if g.shape != like.shape:
        g = broadcast(g, like.shape)
    if g.complex and not like.complex:
        g = real(g)
    elif like.complex and not g.complex:
        g = join(g, Array(np.zeros(g.shape)))
    return g


# --- arithmetic -------------------------------------------------------------------------------------------------------


def add(a: Array, b: Array) -> Array:
    return Array(a.value + b.value, ((a, lambda g: g), (b, lambda g: g)))


def sub(a: Array, b: Array) -> Array:
    return Array(a.value - b.value, ((a, lambda g: g), (b, neg)))


def mul(a: Array, b: Array) -> Array:
    return Array(a.value * b.value, ((a, lambda g: mul(g, conj(b))), (b, lambda g: mul(g, conj(a)))))


def div(a: Array, b: Array) -> Array:
    y = Array(a.value / b.value)
    return Array(y.value, ((a, lambda g: div(g, conj(b))), (b, lambda g: neg(mul(g, conj(div(div(a, b), b)))))))


def neg(a: Array) -> Array:
    return Array(-a.value, ((a, neg),))


def scale(a: Array, number: complex) -> Array:
    """a times a number."""
    return Array(a.value * number, ((a, lambda g: scale(g, np.conj(number))),))


def through(x: Array, value: Numbers, slope: Callable[[], Array]) -> Array:
    """An element-wise function of x with this value; `slope` gives its (complex) derivative."""
    return Array(value, ((x, lambda g: mul(g, conj(slope()))),))


def conj(a: Array) -> Array:
    return Array(np.conj(a.value), ((a, conj),)) if a.complex else a


def real(a: Array) -> Array:
    return Array(a.value.real.copy(), ((a, lambda g: g),))


def imag(a: Array) -> Array:
    return Array(a.value.imag.copy(), ((a, lambda g: join(Array(np.zeros(g.shape)), g)),))


def join(re: Array, im: Array) -> Array:
    """re + i im."""
    return Array(re.value + 1j * im.value, ((re, real), (im, imag)))


def where(condition: Numbers, a: Array, b: Array) -> Array:
    """`a` where the condition holds, else `b`; the cotangent of each is 0 where the other was taken."""

    def taken(g: Array, here: Numbers) -> Array:
        return where(here, g, Array(np.zeros((), g.value.dtype)))

    value = np.where(condition, a.value, b.value)
    return Array(value, ((a, lambda g: taken(g, condition)), (b, lambda g: taken(g, ~condition))))


# --- places -----------------------------------------------------------------------------------------------------------


def reshape(a: Array, shape: Sequence[int]) -> Array:
    return Array(a.value.reshape(tuple(shape)), ((a, lambda g: reshape(g, a.shape)),))


def transpose(a: Array, order: Sequence[int]) -> Array:
    back = tuple(int(i) for i in np.argsort(order)) if len(order) else ()
    return Array(a.value.transpose(tuple(order)), ((a, lambda g: transpose(g, back)),))


def broadcast(a: Array, shape: Sequence[int]) -> Array:
    return Array(np.broadcast_to(a.value, tuple(shape)), ((a, lambda g: g),))


def total(a: Array, axes: Sequence[int]) -> Array:
    """The sum over some axes, which are dropped."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    return Array(a.value.sum(tuple(axes)), ((a, lambda g: broadcast(reshape(g, kept), a.shape)),))


def pick(a: Array, places: Numbers) -> Array:
    """y[p] = a[places[p]], places counted in row-major order; 0 where one is negative."""
    flat = a.value.reshape(-1)
    value = flat[np.maximum(places, 0)] if flat.size else np.zeros(places.shape, flat.dtype)
    value = np.where(places < 0, np.zeros((), flat.dtype), value)
    return Array(value, ((a, lambda g: spread(g, places, a.shape)),))


def spread(g: Array, places: Numbers, shape: Sequence[int]) -> Array:
    """What `pick` does, turned around: each entry is added to its place."""
    found = np.zeros(int(np.prod(shape, dtype=int)), g.value.dtype)
    there = places >= 0
    np.add.at(found, places[there], g.value[there])
    return Array(found.reshape(tuple(shape)), ((g, lambda h: pick(h, places)),))


def grid(shape: Sequence[int]) -> Numbers:
    """The place of each entry in row-major order."""
    return np.arange(int(np.prod(shape, dtype=int))).reshape(tuple(shape))


def concat(parts: Sequence[Array], axis: int) -> Array:
    ends = np.cumsum([0, *(part.shape[axis] for part in parts)])

    def cut(number: int) -> Pull:
        def pull(g: Array) -> Array:
            return pick(g, grid(g.shape).take(range(ends[number], ends[number + 1]), axis))

        return pull

    value = np.concatenate([part.value for part in parts], axis)
    return Array(value, tuple((part, cut(number)) for number, part in enumerate(parts)))


def stack(parts: Sequence[Array], axis: int) -> Array:
    shape = parts[0].shape
    return concat([reshape(part, (*shape[:axis], 1, *shape[axis:])) for part in parts], axis)


def contract(inputs: Sequence[str], output: str, arrays: Sequence[Array]) -> Array:
    """The sum of products over every letter that the output lacks; no letter appears twice in one operand."""
    value = np.einsum(",".join(inputs) + "->" + output, *(array.value for array in arrays))

    def pull(number: int) -> Pull:
        others = [i for i in range(len(arrays)) if i != number]

        def back(g: Array) -> Array:
            mine, terms, names = inputs[number], [g], [output]
            for i in others:
                terms.append(conj(arrays[i]))
                names.append(inputs[i])
            known = set("".join(names))
            kept = "".join(letter for letter in mine if letter in known)
            found = contract(names, kept, terms)
            sizes = dict(zip(mine, arrays[number].shape, strict=True))
            spreadable = tuple(sizes[letter] if letter in known else 1 for letter in mine)
            return broadcast(reshape(found, spreadable), arrays[number].shape)

        return back

    return Array(value, tuple((array, pull(number)) for number, array in enumerate(arrays)))


# --- what flows -------------------------------------------------------------------------------------------------------


def cut(a: Array) -> Array:
    """The numbers alone."""
    return Array(a.value)


def override(value: Array, surrogate: Array) -> Array:
    """The numbers of one with the derivative of another."""
    return Array(value.value, ((surrogate, lambda g: g),))


def constant(value: Any, like: Array | None = None) -> Array:
    """Numbers, in the type of an array."""
    return Array(np.asarray(value, like.value.dtype if like is not None else None))
