"""Random values, and the one random operation on a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops.align import number_of, require_elem
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, StaticSpec, Told, Trait
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
    OpSpec(
        "randn",
        "",
        (SIZES,),
        _drawn,
        "random",
        "x ~ N(0, 1)",
        "draw",
        random=True,
        traits=Trait.FINITE,
        told=Told(
            "Numbers of the normal distribution with mean 0 and deviation 1.",
            "() -> [*sizes]",
            "(x: [b, d]) -> [b, d]",
            "randn[b, d]",
        ),
    ),
    OpSpec(
        "rand",
        "",
        (SIZES,),
        _drawn,
        "random",
        "x ~ U(0, 1)",
        "draw",
        random=True,
        traits=Trait.FINITE,
        told=Told("Numbers between 0 and 1, all alike.", "() -> [*sizes]", "(x: [b, d]) -> [b, d]", "rand[b, d]"),
    ),
    OpSpec(
        "randint",
        "",
        (SIZES, N),
        _randint,
        "random",
        "x ~ U{0, ..., n - 1}",
        "draw",
        random=True,
        traits=Trait.FINITE,
        told=Told(
            "Integers from 0 to n - 1, all alike.", "() -> int[*sizes]", "(x: [b, d]) -> int[b]", "randint[b, n=10]"
        ),
    ),
    OpSpec(
        "permutation",
        "",
        (StaticSpec("n", "size", axis=True),),
        _permutation,
        "random",
        "0, ..., n - 1 in random order",
        "own",
        random=True,
        traits=Trait.FINITE,
        told=Told(
            "The numbers 0, ..., n - 1 in random order.",
            "() -> int[n]",
            "(x: [n, d]) -> [n, d]",
            "take[0](x, permutation[n])",
        ),
    ),
    OpSpec(
        "bernoulli",
        "",
        (SIZES, P),
        _bernoulli,
        "random",
        "1 with probability p, else 0",
        "draw",
        random=True,
        traits=Trait.FINITE,
        told=Told("1 with probability p, else 0.", "() -> [*sizes]", "(x: [b, d]) -> [b, d]", "bernoulli[b, d, p=0.5]"),
    ),
    OpSpec(
        "dropout",
        "x",
        (StaticSpec("p", "float", 0.5),),
        _dropout,
        "random",
        "training: x · m / (1 - p), m ~ Bernoulli(1 - p); deployed: x",
        "draw",
        linear=(0,),
        random=True,
        traits=Trait.KEEPS_SIGN | Trait.SAME_POLES,
        told=Told(
            "While training, 0 with probability p, else x / (1 - p); otherwise x.",
            "(x: [*b]) -> [*b]",
            "(x: [b, d]) -> [b, d]",
            "dropout[0.1](x)",
        ),
    ),
)
