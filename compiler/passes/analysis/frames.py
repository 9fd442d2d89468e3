"""A graph at one place of use: what its inputs and sizes stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ogive.compiler.ir.model import Definition, Graph, Operand
from ogive.compiler.ir.substitute import type_in_sizes
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size, Unknown

Index = tuple[Size, ...]
Source = tuple["AnalysisFrame", Operand, Callable[[Index], Index]]  # what an input of a graph stands for


@dataclass(frozen=True, eq=False)
class AnalysisFrame:
    """A graph at one place of use. What `given` does not tell of its inputs is open; `carried` are those of a loop."""

    definition: Definition
    graph: Graph
    sizes: Mapping[Unknown, Size]
    given: Mapping[str, Source]
    carried: Mapping[str, tuple[Source, str]] = field(default_factory=dict)  # the first value, and the next one

    def type(self, operand: str) -> TensorType:
        """The type of a value in the sizes of the model."""
        return type_in_sizes(self.graph.values[operand].type, self.sizes)
