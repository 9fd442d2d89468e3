"""Borders: where zeros are padded to a constant, its share of the result is a map of places."""

from __future__ import annotations

from ogive.compiler.ir.model import Graph
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding import affine_kernels as kernels
from ogive.compiler.passes.weight_folding.affine import Affine, ConvTerm
from ogive.compiler.sizes import size

BORDER = "what is padded is not zero: its border would need a map of its own"


def bordered(affine: Affine) -> bool:
    """Whether a constant part of a source ends where its padding begins."""
    return any(term.border is not None for term in affine.terms)


def known_sides(term: ConvTerm, graph: Graph) -> tuple[int, ...]:
    """The size of the source of a bordered term where it is known, else ()."""
    sides = [axis.size for axis in graph.values[term.source].type.axes[2:]]
    known = term.border is not None and all(side.is_number for side in sides)
    return tuple(side.number for side in sides) if known else ()


def map_shape(term: ConvTerm, graph: Graph) -> tuple[int, ...]:
    """The shape [o, h', w'] of the map that stands for a border where the size of the source is known, else ()."""
    sides = known_sides(term, graph)
    whole = zip(sides, term.window, term.dilation, term.stride, term.pads, strict=True) if sides else ()
    made = tuple((n + a + b - d * (k - 1) - 1) // s + 1 for n, k, d, s, (a, b) in whole)
    return (term.out, *made) if made else ()


def border_map(scope: ConversionScope, term: ConvTerm, sides: tuple[int, ...], bias: str | None) -> str:
    """E ∗ 1 + b as one weight [1, o, h', w'], for a source of this size."""
    k = kernels.letters(len(sides))
    image = kernels.filled(scope, (1, 1, *sides), 1.0)
    for at, (low, high) in enumerate(term.pads, 2):
        if low or high:
            image = scope.op("pad", image, axis=at, before=size(low), after=size(high))
    kernel = scope.shaped(str(term.border), f"o{k} -> o 1{k}")
    made = scope.op("conv", image, kernel, None, stride=list(term.stride), dilation=list(term.dilation))
    if bias is None:
        return made
    return scope.op("add", made, scope.shaped(bias, f"o -> o{' 1' * len(sides)}"))
