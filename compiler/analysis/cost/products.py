"""Multiply-adds of contractions, convolutions and attention, from the types of their operands and results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod

from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Side, atoms_of
from ogive.compiler.sizes import Size, size

Types = Sequence[TensorType]


def products(node: Node, types: Types, live: Sequence[bool]) -> tuple[Size, Size]:
    """The multiply-adds of an operation, and of its derivative in the operands that are `live`."""
    if node.op == "attention":
        return _attention(types, live)
    count = COUNTS.get(node.op)
    if count is None:
        return size(0), size(0)
    once = count(node, types, node.outputs[0].type)
    return once, sum(live[:2]) * once if node.op != "einsum" else sum(live) * once


def elements(axes: Iterable[Axis]) -> Size:
    """How many numbers axes hold."""
    return prod((axis.size for axis in axes), start=size(1))


def _einsum(node: Node, types: Types, result: TensorType) -> Size:
    """Two operands at a time, from the left; where nothing that both have is summed, the work is element-wise.

    What one of them alone has, and nothing further on, is summed before they meet.
    """
    recipe = node.attr("recipe")
    sides = [_names(side) for side in recipe.inputs]
    total, kept = size(0), sides[0]
    for at, side in enumerate(sides[1:], 1):
        wanted = {
            **_names(recipe.outputs[0]),
            **{name: length for later in sides[at + 1 :] for name, length in later.items()},
        }
        met = {
            name: length
            for name, length in {**kept, **side}.items()
            if name in wanted or (name in kept and name in side)
        }
        kept = {name: length for name, length in met.items() if name in wanted}
        if len(kept) < len(met):
            total = total + prod(met.values(), start=size(1))
    return total


def _names(side: Side) -> dict[str, Size]:
    return {atom.name: atom.size for atom in atoms_of(side)}


def _matmul(node: Node, types: Types, result: TensorType) -> Size:
    return elements(result.axes) * types[0].axes[-1].size


def _grouped(node: Node, types: Types, result: TensorType) -> Size:
    """As if every row were in a group."""
    return elements(result.axes) * types[0].axes[-1].size


def _linear(node: Node, types: Types, result: TensorType) -> Size:
    return elements(result.axes) * types[1].axes[1].size


def _conv(node: Node, types: Types, result: TensorType) -> Size:
    return elements(result.axes) * elements(types[1].axes[1:])


def _conv_transpose(node: Node, types: Types, result: TensorType) -> Size:
    return elements(types[0].axes) * elements(types[1].axes[1:])


def scores(types: Types) -> Size:
    """How many pairs of a query and a key attention looks at; a mask leaves none out."""
    q, k = types[:2]
    return elements(q.axes[:-1]) * k.axes[-2].size


def _attention(types: Types, live: Sequence[bool]) -> tuple[Size, Size]:
    """Scores and their product with the values; the way back takes a product for each, and one for the scores."""
    q, v = types[0], types[2]
    pairs = scores(types)
    first, second = pairs * q.axes[-1].size, pairs * v.axes[-1].size
    back = (live[0] + live[1]) * first + (live[2] + (live[0] or live[1])) * second
    return first + second, back


COUNTS: dict[str, Callable[[Node, Types, TensorType], Size]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "einsum": _einsum,
    "grouped_matmul": _grouped,
    "linear": _linear,
    "matmul": _matmul,
}
