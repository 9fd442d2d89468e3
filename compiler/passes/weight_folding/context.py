"""What the rules of folding may ask of the graph around a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ogive.compiler.ir.model import Graph, Operand
from ogive.compiler.ir.types import TensorType
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding.affine import Affine, identity

Layout = tuple[int, int]  # the axis of channels, and the number of spatial axes after it


@dataclass(frozen=True, slots=True)
class TransferContext:
    """What a transfer function may ask."""

    graph: Graph
    scope: ConversionScope
    absorbed: Callable[[str], Affine | None]  # the affine value of an operand that nothing else reads

    def type(self, name: str) -> TensorType:
        """The type of a value of the graph."""
        return self.graph.values[name].type

    def static(self, operand: Operand) -> bool:
        """Whether an operand is computed from weights alone."""
        return isinstance(operand, str) and operand in self.scope.types

    def affine(self, operand: Operand, layout: Layout) -> Affine | None:
        """An operand as an affine value in a layout."""
        if not isinstance(operand, str) or self.static(operand):
            return None
        found = self.absorbed(operand)
        if found is not None:
            return found if (found.axis, found.rank) == layout else None
        return self.source(operand, layout)

    def source(self, name: str, layout: Layout) -> Affine | None:
        """A value as itself, in a layout."""
        type = self.type(name)
        if not type.floating or not 0 <= layout[0] < len(type.axes):
            return None
        axis = type.axes[layout[0]]
        if axis.pack is not None or not axis.size.is_number:
            return None
        return identity(name, axis.size.number, *layout)
