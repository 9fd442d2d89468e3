"""Random values, and the one random operation on a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops.align import number_of, require_elem
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, StaticSpec, Trait
from ogive.compiler.sizes import size

Types = Sequence[TensorType | None]
Statics = Mapping[str, Any]
Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]


def _drawn(checker: Checker, statics: Statics, types: Types) -> Result:
    return (TensorType("float", tuple(statics["sizes"])),), {}


def _randint(checker: Checker, statics: Statics, types: Types) -> Result:
    return (TensorType("int", tuple(statics["sizes"])),), {"n": size(statics["n"])}


def _permutation(checker: Checker, statics: Statics, types: Types) -> Result:
    return (TensorType("int", (Axis(size(statics["n"])),)),), {}


def _probability(statics: Statics) -> Any:
    p = statics["p"]
    number = number_of(p)
    if number is not None and not 0 <= number <= 1:
        raise ShapeError(f"a probability is between 0 and 1, not {number}", code="E0408", static="p")
    return p


def _bernoulli(checker: Checker, statics: Statics, types: Types) -> Result:
    return (TensorType("float", tuple(statics["sizes"])),), {"p": _probability(statics)}


def _dropout(checker: Checker, statics: Statics, types: Types) -> Result:
    (x,) = types
    assert x is not None
    require_elem("dropout", x, FLOATS)
    return (x,), {"p": _probability(statics)}


SIZES = StaticSpec("sizes", "sizes", (), axis=True)
N = StaticSpec("n", "size")
P = StaticSpec("p", "float")

OPS = (
    OpSpec("randn", "", (SIZES,), _drawn, "random", "x ~ N(0, 1)", "draw", random=True, traits=Trait.FINITE),
    OpSpec("rand", "", (SIZES,), _drawn, "random", "x ~ U(0, 1)", "draw", random=True, traits=Trait.FINITE),
    OpSpec("randint", "", (SIZES, N), _randint, "random", "x ~ U{0, ..., n - 1}", "draw", random=True,
        traits=Trait.FINITE),
    OpSpec(
        "permutation", "", (StaticSpec("n", "size", axis=True),), _permutation, "random",
        "0, ..., n - 1 in random order", "own", random=True, traits=Trait.FINITE,
    ),
    OpSpec("bernoulli", "", (SIZES, P), _bernoulli, "random", "1 with probability p, else 0", "draw", random=True,
        traits=Trait.FINITE),
    OpSpec(
        "dropout", "x", (StaticSpec("p", "float", 0.5),), _dropout, "random",
        "training: x · m / (1 - p), m ~ Bernoulli(1 - p); deployed: x", "draw", linear=(0,), random=True,
        traits=Trait.KEEPS_SIGN | Trait.SAME_POLES,
    ),
)  # fmt: skip
