"""Values without operands, and what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference.arrays import Array, constant, mul
from reference.world import Op, dtype_of


def _full(value: Any) -> Any:
    return lambda op: Array(np.full(op.shape(), value, dtype_of(op.elem)))


def full(op: Op) -> Array:
    return Array(np.full(op.shape(), op.setting("v"), dtype_of(op.elem)))


def arange(op: Op) -> Array:
    return Array(np.arange(op.shape()[0], dtype=np.int64))


def linspace(op: Op) -> Array:
    """n numbers from lo to hi, both included; lo where there is one."""
    low, high, n = float(op.setting("lo")), float(op.setting("hi")), op.shape()[0]
    return Array(np.array([low + (high - low) * (i / (n - 1) if n > 1 else 0.0) for i in range(n)], np.float64))


def eye(op: Op) -> Array:
    return Array(np.eye(op.shape()[0]))


def constant_op(op: Op) -> Array:
    def numbers(value: Any) -> Any:
        return [numbers(item) for item in value] if isinstance(value, tuple) else op.number(value)

    return Array(np.array(numbers(op.attr("list")), dtype_of(op.elem)).reshape(op.shape()))


# --- drawn ------------------------------------------------------------------------------------------------------------


def _noted(op: Op, value: np.ndarray) -> Array:
    settings = {key: op.setting(key) for key in ("n", "p") if op.attr(key) is not None}
    op.world.draws.append((op.node.op, settings, value))
    return Array(value)


def randn(op: Op) -> Array:
    return _noted(op, op.world.rng.standard_normal(op.shape()))


def rand(op: Op) -> Array:
    return _noted(op, op.world.rng.random(op.shape()))


def randint(op: Op) -> Array:
    return _noted(op, op.world.rng.integers(0, op.setting("n"), op.shape()))


def permutation(op: Op) -> Array:
    return _noted(op, op.world.rng.permutation(op.shape()[0]))


def bernoulli(op: Op) -> Array:
    return _noted(op, (op.world.rng.random(op.shape()) < op.setting("p")).astype(np.float64))


def dropout(op: Op, x: Array) -> Array:
    """While training, each entry is 0 with probability p, and the others are scaled up."""
    p = op.setting("p")
    if not op.world.training or p == 0:
        return x
    there = op.world.rng.random(x.shape) >= p
    op.world.draws.append(("dropout", {"p": p}, there))
    return mul(x, constant(there / (1 - p) if p < 1 else np.zeros(x.shape)))


OPS: dict[str, Callable[..., Any]] = {
    "zeros": _full(0),
    "ones": _full(1),
    "full": full,
    "arange": arange,
    "linspace": linspace,
    "eye": eye,
    "constant": constant_op,
    "randn": randn,
    "rand": rand,
    "randint": randint,
    "permutation": permutation,
    "bernoulli": bernoulli,
    "dropout": dropout,
}
