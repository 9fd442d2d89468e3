"""Convolutions of images of known size as matrices: beside a map of the whole image they are part of it."""

from __future__ import annotations

from math import prod

from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.ops.recipe import AxisPattern
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding import affine_kernels as kernels
from ogive.compiler.passes.weight_folding.affine import Affine, ConvTerm, made
from ogive.compiler.sizes import size


def flattened(node: Node, graph: Graph, scope: ConversionScope, value: Affine | None) -> Affine | None:
    """flat(conv(x)) = M flat(x), M the convolution of each image with one 1; where the graph has flat(x) already."""
    if value is None or len(value.terms) != 1 or not value.rank or not is_flattening(node):
        return None
    (term,) = value.terms
    shape = graph.values[term.source].type.sizes[1:]
    plain = term.leaf is None and term.border is None and (term.mode == "zeros" or not term.padded)
    flat = _flat_of(term.source, node, graph)
    if term.identity or not plain or flat is None or not all(side.is_number for side in shape):
        return None
    sides = tuple(side.number for side in shape)
    matrix = _matrix(scope, term, sides)
    bias = None if value.bias is None else _repeated(scope, value.bias, scope.shape(matrix)[0])
    new = ConvTerm(flat, prod(sides), scope.shape(matrix)[0], 1, (), (), (), (), matrix, path=term.path)
    return Affine((new,), bias, 1, 0)


def is_flattening(node: Node) -> bool:
    """Whether a node is "b c h w -> b (c h w)"."""
    recipe = node.attr("recipe")
    if (
        node.op != "rearrange"
        or not isinstance(recipe, AxisPattern)
        or len(recipe.inputs) != 1
        or len(recipe.outputs) != 1
    ):
        return False
    before, after = recipe.inputs[0], recipe.outputs[0]
    if len(after) != 2 or any(place.joined or place.pack for place in (*before, *after)):
        return False
    atoms = [atom for place in before for atom in place.atoms]
    return list(after[0].atoms) == list(before[0].atoms) and [*after[0].atoms, *after[1].atoms] == atoms


def _flat_of(source: str, before: Node, graph: Graph) -> str | None:
    """The flattened source, where an earlier node gives it."""
    for node in graph.nodes:
        if node is before:
            return None
        if node.inputs == (source,) and is_flattening(node):
            return node.outputs[0].name
    return None


def _matrix(scope: ConversionScope, term: ConvTerm, sides: tuple[int, ...]) -> str:
    k = kernels.letters(len(term.window))
    names = {name: side for name, side in zip(k.split(), sides[1:], strict=True)}
    images = scope.shaped(scope.op("eye", n=size(prod(sides))), f"n (i{k}) -> n i{k}", **names)
    for at, (low, high) in enumerate(term.pads, 2):
        if low or high:
            images = scope.op("pad", images, axis=at, before=size(low), after=size(high))
    steps = {"stride": list(term.stride), "dilation": list(term.dilation)}
    mapped = scope.op("conv", images, made(scope, term), None, groups=term.groups, **steps)
    return scope.shaped(mapped, f"n o{k} -> (o{k}) n")


def _repeated(scope: ConversionScope, bias: str, length: int) -> str:
    """One number for each place of a channel."""
    times = size(length // scope.shape(bias)[0])
    return scope.shaped(scope.op("expand", bias, pattern=Pattern("o -> o t", {"t": times})), "o t -> (o t)")
