"""Arithmetic on sizes and on numbers that depend on them, in nodes that no optimizer of a runtime takes apart wrongly.

ONNX Runtime (1.31) makes `y / x` of `(1 / x) * y`, of integers too: so no 1 is ever divided by a size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, assert_never

import numpy as np

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.arithmetic import quotient, remainder
from ogive.backends.onnx_model.ops.context import Context
from ogive.compiler.ir.model import Scalar
from ogive.compiler.sizes import Size, Unknown
from ogive.compiler.sizes.atoms import Atom, Floor, Max, Min, Power, Terms
from ogive.compiler.sizes.show import remainder_in

OPERATORS = {
    "+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "**": "Pow", "min": "Min", "max": "Max", "neg": "Neg",
    "sqrt": "Sqrt", "exp": "Exp", "log": "Log", "ceil": "Ceil", "floor": "Floor",
}  # fmt: skip


class SizeGraph(Context, Protocol):
    """The graph that is being built, which knows where sizes come from."""

    def unknown(self, unknown: Unknown) -> str:
        """A size that an input tells, as int64[1]."""


def computed(graph: SizeGraph, value: Size) -> str:
    """A size that is no number, as int64[1]: remainders first, then the other terms, positive ones in front."""
    terms: Terms = dict(value.terms)
    parts: list[tuple[int, list[str]]] = []
    while (hidden := remainder_in(terms)) is not None:
        scale, floor, _, terms = hidden
        parts.append((scale, [graph.node("Mod", *(graph.size(part) for part in floor.parts))]))
    for monomial, coefficient in sorted(terms.items(), key=lambda term: not term[0]):
        factors = [_atom(graph, atom) for atom, exponent in monomial for _ in range(exponent)]
        parts.append((coefficient, factors))
    total: str | None = None
    for coefficient, factors in sorted(parts, key=lambda part: part[0] < 0):
        scale = coefficient if total is None else abs(coefficient)
        product, *others = [*factors, *([graph.array([scale])] if scale != 1 or not factors else [])]
        for factor in others:
            product = graph.node("Mul", product, factor)
        total = product if total is None else graph.node("Add" if coefficient > 0 else "Sub", total, product)
    assert total is not None, value
    return total


def _atom(graph: SizeGraph, atom: Atom) -> str:
    if isinstance(atom, Unknown):
        return graph.unknown(atom)
    parts = [graph.size(part) for part in atom.parts]
    match atom:
        case Floor():
            return _quotient(graph, atom, *parts)
        case Min():
            return graph.node("Min", *parts)
        case Max():
            return graph.node("Max", *parts)
        case Power():
            return graph.node("Pow", *parts)
        case _:
            assert_never(atom)


def _quotient(graph: SizeGraph, atom: Floor, num: str, den: str) -> str:
    """`num // den` for a positive `den`: `Div` cuts, which rounds down what is not negative."""
    low = atom.num.range[0]
    if atom.num.is_number and atom.num.number == 1:
        return graph.node("Cast", graph.node("Equal", den, num), to=ONNX["int"])
    if low is None or low < 0:
        num = graph.node("Sub", num, graph.node("Mod", num, den))
    return graph.node("Div", num, den)


def scalar(graph: SizeGraph, value: Scalar, args: Sequence[str]) -> str:
    """A formula of float64 numbers as Python computes it."""
    if value.fn in OPERATORS:
        return graph.node(OPERATORS[value.fn], *args)
    if value.fn == "log2":
        return _log2(graph, *args)
    if value.fn in ("//", "%"):
        a, b = args
        return (quotient if value.fn == "//" else remainder)(graph, a, b, "f64")
    raise OnnxError(f"`{value.fn}` of a size that only inputs tell is not supported in ONNX")


def _log2(graph: SizeGraph, x: str) -> str:
    """A quotient of logarithms, and the whole number itself where x is a power of 2."""
    found = graph.node("Div", graph.node("Log", x), graph.array(np.array(math.log(2))))
    whole = graph.node("Round", found)
    exact = graph.node("Equal", graph.node("Pow", graph.array(np.array(2.0)), whole), x)
    return graph.node("Where", exact, whole, found)
