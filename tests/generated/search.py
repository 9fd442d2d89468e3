"""Inputs and weights moved until every value is finite, against what leaves a domain (Liu et al. 2023, NNSmith)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from generated.subject import Subject
from ogive.compiler.ir.model import Node
from reference.arrays import Array, Numbers, add, constant, gradient, mul, real, scale, sub, total, where
from reference.interpreter import Reference
from reference.store import Store
from reference.world import Improper, World

STEPS = 24
MARGIN = 0.2
Penalty = Callable[[Sequence[Array]], Array]


def _short(x: Array, least: float) -> Array:
    """How far entries are below a number, summed."""
    x = real(x) if x.complex else x
    missing = sub(constant(least), x)
    return total(where(missing.value > 0, missing, constant(0.0)), range(x.ndim))


def _away(x: Array) -> Array:
    """How far entries are from being away from 0."""
    x = real(x) if x.complex else x
    return _short(mul(x, constant(np.where(x.value >= 0, 1.0, -1.0))), MARGIN)


def _below(x: Array, most: float) -> Array:
    return _short(scale(x, -1.0), -most)


def _inside(x: Array) -> Array:
    return add(_below(x, 0.9), _short(x, -0.9))


PENALTIES: dict[str, Penalty] = {
    "log": lambda xs: _short(xs[0], MARGIN),
    "sqrt": lambda xs: _short(xs[0], MARGIN),
    "rsqrt": lambda xs: _short(xs[0], MARGIN),
    "lgamma": lambda xs: _short(xs[0], MARGIN),
    "digamma": lambda xs: _short(xs[0], MARGIN),
    "log1p": lambda xs: _short(xs[0], MARGIN - 1),
    "pow": lambda xs: _short(xs[0], MARGIN),
    "atanh": lambda xs: _inside(xs[0]),
    "exp": lambda xs: _below(xs[0], 30.0),
    "expm1": lambda xs: _below(xs[0], 30.0),
    "div": lambda xs: _away(xs[1]),
    "floordiv": lambda xs: _away(xs[1]),
    "mod": lambda xs: _away(xs[1]),
    "std": lambda xs: _short(xs[0], MARGIN),
}


def moved(subject: Subject) -> bool:
    """Move the inputs and weights of a subject until all values are finite; whether that was reached."""
    for step in range(STEPS):
        leaves, args, held = _leaves(subject)
        try:
            with np.errstate(all="ignore"):
                Reference(subject.model.ir, Store(held)).run(args, World(strict=True), subject.sizes)
            return True
        except Improper as error:
            if not _stepped(subject, error.node, error.operands, leaves, 2.0 if step % 2 else 1.2):
                return False
    return False


def _leaves(subject: Subject) -> tuple[dict[str, Array], list[Array | None], dict[str, Array]]:
    args = [None if x is None else Array(x, leaf=x.dtype.kind in "fc") for x in subject.inputs]
    held = {path: Array(w, leaf=w.dtype.kind == "f") for path, w in subject.weights.items()}
    leaves = {f"input {i}": x for i, x in enumerate(args) if x is not None and x.leaf}
    return leaves | {path: x for path, x in held.items() if x.leaf}, args, held


def _stepped(subject: Subject, node: Node, operands: Sequence[Array], leaves: dict[str, Array], factor: float) -> bool:
    """One step; False where nothing moves the value, or no operation of that kind is known."""
    if node.op not in PENALTIES or not all(np.isfinite(x.value).all() for x in operands):
        return False
    penalty = PENALTIES[node.op](operands)
    found = gradient(penalty, list(leaves.values()))
    squares = sum(float((np.abs(g.value) ** 2).sum()) for g in found)
    if not (0 < squares < np.inf):
        return False
    rate = factor * float(penalty.value) / squares  # as if the penalty were linear
    for name, g in zip(leaves, found, strict=True):
        change: Numbers = rate * g.value
        if name.startswith("input "):
            at = int(name.split()[1])
            before = subject.inputs[at]
            assert before is not None
            subject.inputs[at] = np.asarray(before - change)  # of scalars, numpy makes numbers
        else:
            subject.weights[name] = np.asarray(subject.weights[name] - change)
    return True
