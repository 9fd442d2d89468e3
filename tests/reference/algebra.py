"""Fourier transforms, complex numbers, linear systems and recurrences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reference.arrays import (
    Array,
    add,
    broadcast,
    concat,
    conj,
    constant,
    contract,
    div,
    grid,
    imag,
    join,
    mul,
    neg,
    pick,
    real,
    reshape,
    scale,
    stack,
    sub,
    transpose,
    where,
)
from reference.functions import sqrt
from reference.kernels import matmul_of
from reference.world import Op

LETTERS = "abcdefgh"


def _along(x: Array, axis: int, matrix: np.ndarray) -> Array:
    """An axis mapped by a matrix [new, old]."""
    names = LETTERS[: x.ndim]
    return contract([names, f"z{names[axis]}"], names.replace(names[axis], "z"), [x, Array(matrix)])


def _waves(n: int, sign: int) -> np.ndarray:
    """[k, n]: e^(±2πi k n / N)."""
    turns = np.outer(np.arange(n), np.arange(n)) % max(n, 1)
    return np.asarray(np.exp(sign * 2j * np.pi * turns / max(n, 1)))


def _factor(op: Op, count: int, *, inverse: bool) -> float:
    norm = op.attr("norm")
    if norm == "ortho":
        return float(count**-0.5)
    return 1 / count if (norm == "backward") == inverse else 1.0


def _complex(x: Array) -> Array:
    return x if x.complex else join(x, constant(np.zeros(x.shape)))


def fourier(op: Op, x: Array) -> Array:
    """X[k] = Σ_n x[n] e^(-2πi k n / N), or its inverse; `rfft` keeps the bins 0 ... N//2 of the last axis."""
    name, axes = op.node.op, op.places(op.attr("axes"))
    inverse = name == "ifft"
    count = int(np.prod([x.shape[axis] for axis in axes]))
    y = _complex(x)
    for axis in axes:
        y = _along(y, axis, _waves(x.shape[axis], 1 if inverse else -1))
    y = scale(y, _factor(op, count, inverse=inverse))
    if name == "rfft":
        y = pick(y, grid(y.shape).take(range(x.shape[axes[-1]] // 2 + 1), axes[-1]))
    return y


def irfft(op: Op, x: Array) -> Array:
    """The real inverse of rfft: the other bins follow from those there are, and the two ends count as real."""
    axes = op.places(op.attr("axes"))
    given = op.attr("sizes")
    wanted = (
        [op.number(n) for n in given]
        if given is not None
        else [x.shape[a] for a in axes[:-1]] + [2 * (x.shape[axes[-1]] - 1)]
    )
    y = x
    for axis, n in zip(axes[:-1], wanted[:-1], strict=True):
        y = _along(_fit(y, axis, n), axis, _waves(n, 1))
    last, n = axes[-1], wanted[-1]
    y = _fit(y, last, n // 2 + 1)
    bins = np.arange(n // 2 + 1)
    often = np.where((bins == 0) | (2 * bins == n), 1.0, 2.0)
    waves = np.exp(2j * np.pi * (np.outer(np.arange(n), bins) % max(n, 1)) / max(n, 1)) * often
    y = real(_along(y, last, waves))
    return scale(y, _factor(op, int(np.prod(wanted)), inverse=True))


def _fit(x: Array, axis: int, n: int) -> Array:
    """An axis cut to n entries, or filled up with zeros."""
    have = x.shape[axis]
    places = grid(x.shape).take(range(min(n, have)), axis)
    if n > have:
        shape = (*x.shape[:axis], n - have, *x.shape[axis + 1 :])
        places = np.concatenate([places, np.full(shape, -1)], axis)
    return pick(x, places)


# --- linear systems ---------------------------------------------------------------------------------------------------


def _adjoint(a: Array) -> Array:
    return conj(transpose(a, [*range(a.ndim - 2), a.ndim - 1, a.ndim - 2]))


def solved(a: Array, b: Array) -> Array:
    """x with a x = b, for matrices of columns with equal batches."""
    value = np.empty(b.shape, np.result_type(a.value, b.value))
    for at in np.ndindex(a.shape[:-2]):
        value[at] = _eliminated(a.value[at], b.value[at])
    x = Array(value)

    def to_b(g: Array) -> Array:
        return solved(_adjoint(a), g)

    def to_a(g: Array) -> Array:
        return neg(matmul_of(to_b(g), _adjoint(solved(a, b))))

    return Array(x.value, ((a, to_a), (b, to_b)))


def _eliminated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Gauss, exchanging rows for the largest pivot."""
    kind = np.result_type(a, b)
    a, b = a.astype(kind), b.astype(kind)
    n = a.shape[0]
    for i in range(n):
        best = i + int(np.abs(a[i:, i]).argmax())
        a[[i, best]], b[[i, best]] = a[[best, i]], b[[best, i]]
        for row in range(i + 1, n):
            factor = a[row, i] / a[i, i]
            a[row] -= factor * a[i]
            b[row] -= factor * b[i]
    for i in range(n - 1, -1, -1):
        b[i] = (b[i] - a[i, i + 1 :] @ b[i + 1 :]) / a[i, i]
    return b


def _batched(a: Array, b: Array, own: int) -> tuple[Array, Array]:
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[: b.ndim - own])
    return broadcast(a, (*batch, *a.shape[-2:])), broadcast(b, (*batch, *b.shape[b.ndim - own :]))


def solve(op: Op, a: Array, b: Array) -> Array:
    own = 1 if op.attr("vector") else 2
    a, b = _batched(a, b, own)
    if own == 1:
        b = reshape(b, (*b.shape, 1))
    x = solved(a, b)
    return reshape(x, x.shape[:-1]) if own == 1 else x


def solve_triangular(op: Op, a: Array, b: Array) -> Array:
    """Of a one triangle is read alone, and with `unitriangular` ones on its diagonal."""
    a, b = _batched(a, b, 2)
    rows, columns = np.indices(a.shape[-2:])
    read = columns > rows if op.attr("upper") else columns < rows
    on = rows == columns
    if not op.attr("unitriangular"):
        read = read | on
    zero = constant(np.zeros((), a.value.dtype))
    a = where(np.broadcast_to(read, a.shape), a, zero)
    if op.attr("unitriangular"):
        a = where(np.broadcast_to(on, a.shape), constant(np.ones((), a.value.dtype)), a)
    return solved(a, b)


def inverse_of(a: Array) -> Array:
    return solved(a, broadcast(constant(np.eye(a.shape[-1], dtype=a.value.dtype)), a.shape))


def inverse(op: Op, a: Array) -> Array:
    return inverse_of(a)


def det_of(a: Array) -> Array:
    value = np.empty(a.shape[:-2], a.value.dtype)
    for at in np.ndindex(a.shape[:-2]):
        value[at] = _det(a.value[at]) if a.complex else _det(a.value[at]).real

    def back(g: Array) -> Array:
        factor = reshape(mul(g, conj(det_of(a))), (*g.shape, 1, 1))
        return mul(broadcast(factor, a.shape), _adjoint(inverse_of(a)))

    return Array(value, ((a, back),))


def _det(a: np.ndarray) -> complex:
    """The product of the pivots."""
    a, found = a.copy(), complex(1.0)
    for i in range(a.shape[0]):
        best = i + int(np.abs(a[i:, i]).argmax())
        if best != i:
            a[[i, best]] = a[[best, i]]
            found = -found
        found = found * a[i, i]
        if a[i, i] == 0:
            return complex(found)
        for row in range(i + 1, a.shape[0]):
            a[row] -= a[row, i] / a[i, i] * a[i]
    return complex(found)


def det(op: Op, a: Array) -> Array:
    return det_of(a)


def cholesky(op: Op, a: Array) -> Array:
    """The lower triangular l with l lᴴ = a, entry by entry; a is symmetric."""
    n = a.shape[-1]
    a = scale(add(a, _adjoint(a)), 0.5)
    places = grid(a.shape)
    low: dict[tuple[int, int], Array] = {}
    for j in range(n):
        for i in range(j, n):
            rest = pick(a, places[..., i, j])
            for k in range(j):
                rest = sub(rest, mul(low[i, k], conj(low[j, k])))
            low[i, j] = _root(rest) if i == j else div(rest, low[j, j])
    zero = constant(np.zeros(a.shape[:-2], a.value.dtype))
    return stack([stack([low.get((i, j), zero) for j in range(n)], a.ndim - 2) for i in range(n)], a.ndim - 2)


def _root(x: Array) -> Array:
    root = sqrt(real(x)) if x.complex else sqrt(x)
    return join(root, constant(np.zeros(root.shape))) if x.complex else root


def linear_scan(op: Op, a: Array, b: Array, h0: Array | None = None) -> Array:
    """h[t] = a[t] h[t-1] + b[t]; h[-1] = h0, or 0. The axis is told among those of the result."""
    type = op.node.outputs[0].type
    axis = sum(op.width(each.pack) for each in type.axes[: op.attr("axis")])
    shape = np.broadcast_shapes(a.shape, b.shape)
    a, b = broadcast(a, shape), broadcast(b, shape)
    places, rows = grid(shape), []
    h = None if h0 is None else broadcast(h0, shape[:axis] + shape[axis + 1 :])
    for t in range(shape[axis]):
        step = pick(b, places.take(t, axis))
        h = step if h is None else add(mul(pick(a, places.take(t, axis)), h), step)
        rows.append(h)
    return stack(rows, axis) if rows else b


def _joined(op: Op, re: Array, im: Array) -> Array:
    shape = np.broadcast_shapes(re.shape, im.shape)
    return join(broadcast(re, shape), broadcast(im, shape))


OPS: dict[str, Callable[..., Any]] = {
    "fft": fourier,
    "ifft": fourier,
    "rfft": fourier,
    "irfft": irfft,
    "complex": _joined,
    "real": lambda op, x: real(x),
    "imag": lambda op, x: imag(x),
    "conj": lambda op, x: conj(x),
    "solve": solve,
    "solve_triangular": solve_triangular,
    "cholesky": cholesky,
    "inverse": inverse,
    "det": det,
    "linear_scan": linear_scan,
}


def names() -> Sequence[str]:
    """The operations of this family."""
    return tuple(OPS)


__all__ = ["OPS", "concat", "names"]
