"""What operations cost: a polynomial in the sizes at run time, kept apart by the places at which they run."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.recipe import AxisPattern
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.sizes import Size, size


@dataclass(frozen=True, slots=True)
class Cost:
    """Σ number × places: operations for each place, by the number of places."""

    parts: tuple[tuple[Size, int], ...] = ()

    def __add__(self, other: Cost) -> Cost:
        found: dict[Size, int] = dict(self.parts)
        for places, number in other.parts:
            found[places] = found.get(places, 0) + number
        return Cost(tuple(found.items()))

    def at_most(self, other: Cost) -> bool:
        """Whether it is no more for every size: place by place, else as whole polynomials."""
        gaps = dict(other.parts)
        for places, number in self.parts:
            gaps[places] = gaps.get(places, 0) - number
        if all(gap >= 0 for gap in gaps.values()):
            return True
        total = size(0)
        for places, gap in gaps.items():
            total = total + places * gap
        low = total.range[0]
        return low is not None and low >= 0


def cost(type: TensorType, number: int) -> Cost:
    """`number` operations for each element of a tensor."""
    places, known = size(1), number
    for axis in type.axes:
        if axis.size.is_number:
            known *= axis.size.number
        else:
            places = places * axis.size
    return Cost(((places, known),))


def leaf_cost(node: Node, graph: Graph, scope: ConversionScope) -> Cost:
    """Multiply-adds of a transposed convolution."""
    return cost(graph.values[str(node.inputs[0])].type, prod(scope.shape(str(node.inputs[1]))[1:]))


def node_cost(node: Node, graph: Graph, scope: ConversionScope) -> Cost:
    """Operations of a node as it stands: multiply-adds of contractions, one for each element elsewhere."""
    result = node.outputs[0].type
    match node.op:
        case "conv":
            return cost(result, prod(scope.shape(str(node.inputs[1]))[1:]))
        case "conv_transpose":
            return leaf_cost(node, graph, scope)
        case "linear":
            return cost(result, scope.shape(str(node.inputs[1]))[1])
        case "matmul":
            return cost(result, scope.shape(str(node.inputs[1]))[0])
        case "einsum":
            recipe: AxisPattern = node.attr("recipe")
            made = {atom.name for place in recipe.outputs[0] for part in place.parts for atom in part}
            summed = [length.number for name, length in recipe.sizes.items() if name not in made]
            return cost(result, prod(summed))
        case "avg_pool":
            return cost(result, prod(length.number for length in node.attr("kernel")))
        case "batch_norm":
            return cost(result, 2)
        case "pad":
            return Cost()  # a copy: no arithmetic, that a dearer map could save
        case _:
            return cost(result, 1)
