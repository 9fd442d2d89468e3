"""What the body of a loop computes, as polynomials: equal ones are equal functions, however they are written.

Their unknowns are the slice of an iteration, what is carried, linear maps of these, vectors, and functions of
polynomials, each whole or a run of its last axis. Cutting that axis goes through everything that is done entry by
entry, so gates that are cut before and after a sum come out alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Graph, Node, Operand
from ogive.compiler.ops.recipe import AxisGroup, AxisPattern
from ogive.compiler.passes.infra.rewrite import number_of
from ogive.compiler.sizes import Size, size

MOST = 16  # terms of a polynomial; gates have three
FUNCTIONS = frozenset(("sigmoid", "tanh", "relu"))


@dataclass(frozen=True, slots=True)
class Rows:
    """A run of the last axis."""

    start: Size
    width: Size


@dataclass(frozen=True, slots=True)
class BodyInput:
    """An input of the body: a slice, what is carried, a vector."""

    name: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Mapped:
    """`weight x` of a whole input x; its rows are those of the weight."""

    of: str
    weight: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Applied:
    """A function of a polynomial, entry by entry."""

    function: str
    to: Terms


Unknown = BodyInput | Mapped | Applied
Monomial = frozenset[tuple[Unknown, int]]  # with powers
Terms = frozenset[tuple[Monomial, int | float]]  # with coefficients


def of(unknown: Unknown) -> Terms:
    """The polynomial that is one unknown."""
    return frozenset(((frozenset(((unknown, 1),)), 1),))


def single(terms: Terms) -> Unknown | None:
    """The unknown that a polynomial is."""
    if len(terms) != 1:
        return None
    ((monomial, coefficient),) = terms
    factors = factors_of(monomial)
    return factors[0] if coefficient == 1 and len(factors) == 1 else None


def factors_of(monomial: Monomial) -> list[Unknown]:
    """The unknowns of a product, each as often as it stands there."""
    return [unknown for unknown, power in monomial for _ in range(power)]


def computed(body: Graph, first: Mapping[str, Terms]) -> tuple[Terms | None, ...] | None:
    """The results of a body whose inputs are these; None where it holds an operation that is not understood."""
    known = dict(first)
    for node in body.nodes:
        made = _results(node, known, body)
        if made is None:
            return None
        known.update((value.name, terms) for value, terms in zip(node.outputs, made, strict=True))
    return tuple(known.get(output) if isinstance(output, str) else None for output in body.outputs)


def _results(node: Node, known: Mapping[str, Terms], body: Graph) -> list[Terms] | None:
    operands = [_operand(x, known) for x in node.inputs if x is not None]
    if node.structure is not None or any(x is None for x in operands):
        return None
    xs = [x for x in operands if x is not None]
    if node.op == "split":
        return _cut(node, xs[0])
    found = _linear(node, xs, body) if node.op == "linear" else _arithmetic(node, xs, body)
    return None if found is None or len(found) > MOST else [found]


def _operand(operand: Operand, known: Mapping[str, Terms]) -> Terms | None:
    if isinstance(operand, str):
        return known.get(operand)
    number = number_of(operand)
    return None if number is None else _sum(((frozenset(), number),))


def _arithmetic(node: Node, xs: list[Terms], body: Graph) -> Terms | None:
    """Sums, differences, products and functions of tensors whose last axes are one."""
    widths = [body.values[x].type.sizes[-1:] for x in node.inputs if isinstance(x, str)]
    if any(width != node.outputs[0].type.sizes[-1:] for width in widths):
        return None
    match node.op, xs:
        case "add", [a, b]:
            return _sum((*a, *b))
        case "sub", [a, b]:
            return _sum((*a, *_product(b, _sum(((frozenset(), -1),)))))
        case "neg", [a]:
            return _product(a, _sum(((frozenset(), -1),)))
        case "mul", [a, b]:
            return _product(a, b) if len(a) * len(b) <= MOST else None
        case (function, [a]) if function in FUNCTIONS:
            return of(Applied(function, a))
        case _:
            return None


def _linear(node: Node, xs: list[Terms], body: Graph) -> Terms | None:
    """`x wᵀ + b` of an input: the product and the vector are terms of their own."""
    x, weight = single(xs[0]), node.inputs[1]
    whole = Rows(size(0), node.outputs[0].type.sizes[-1])
    inner = body.values[str(node.inputs[0])].type.sizes[-1]
    if not isinstance(x, BodyInput) or x.rows != Rows(size(0), inner) or not isinstance(weight, str):
        return None
    named = single(xs[1])
    if not isinstance(named, BodyInput):
        return None
    product = of(Mapped(x.name, named.name, whole))
    return product if len(xs) == 2 else _sum((*product, *xs[2]))


def _cut(node: Node, x: Terms) -> list[Terms] | None:
    """The parts of the last axis: `b (t d) -> t b d` and `b (i + f) -> b i, b f`."""
    recipe = node.attr("recipe")
    if not isinstance(recipe, AxisPattern) or len(recipe.inputs) != 1:
        return None
    (side,) = recipe.inputs
    before, last = side[:-1], side[-1]
    if any(place.joined or place.pack for place in before):
        return None
    if last.joined:
        parts = [AxisGroup((part,)) for part in last.parts]
        if recipe.outputs != tuple((*before, part) for part in parts):
            return None
        widths = [part.size for part in parts]
    else:
        atoms = [AxisGroup(((atom,),)) for atom in last.atoms]
        if len(atoms) != 2 or recipe.outputs != ((atoms[0], *before, atoms[1]),):
            return None
        widths = [atoms[1].size] * len(node.outputs)
    found, start = [], size(0)
    for width in widths:
        found.append(_rows(x, Rows(start, width)))
        start = start + width
    return found


def _rows(terms: Terms, rows: Rows) -> Terms:
    """A run of the last axis of all that a polynomial is made of."""

    def at(unknown: Unknown) -> Unknown:
        if isinstance(unknown, Applied):
            return replace(unknown, to=_rows(unknown.to, rows))
        return replace(unknown, rows=Rows(unknown.rows.start + rows.start, rows.width))

    return frozenset((frozenset((at(u), power) for u, power in monomial), c) for monomial, c in terms)


def _sum(terms: Iterable[tuple[Monomial, int | float]]) -> Terms:
    total: dict[Monomial, int | float] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient
    return frozenset((monomial, c) for monomial, c in total.items() if c != 0)


def _product(a: Terms, b: Terms) -> Terms:
    return _sum((_times(m, n), c * d) for m, c in a for n, d in b)


def _times(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for unknown, power in b:
        powers[unknown] = powers.get(unknown, 0) + power
    return frozenset(powers.items())
