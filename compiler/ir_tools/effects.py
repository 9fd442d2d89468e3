"""What nodes do besides giving values: the one definition of an effect, which passes and backends ask for."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.compiler.ir.effect import NEEDED, ORDERED, Effect
from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ops import OPS


def own_effect(node: Node) -> Effect:
    """The effect of a node itself, without what it calls and what its regions do."""
    if node.structure is not None:
        return node.structure.effect
    spec = OPS.get(node.op)
    if spec is None:  # what a loop with errors would have given, while the rest of a file is checked
        return Effect.NONE
    return Effect.DRAWS if spec.random or node.attr("dropout") is not None else Effect.NONE


@dataclass(slots=True)
class Effects:
    """The effects of nodes with all that they hold and call. Answers for definitions are kept, by identity."""

    known: dict[int, tuple[Definition, Effect]] = field(default_factory=dict)

    def of(self, node: Node) -> Effect:
        """The effects of a node, its regions and what it calls."""
        found = own_effect(node) if node.callee is None else self.of_definition(node.callee)
        for region in node.regions:
            found |= self.of_graph(region)
        return found

    def of_graph(self, graph: Graph) -> Effect:
        """The effects of the nodes of a graph."""
        found = Effect.NONE
        for node in graph.nodes:
            found |= self.of(node)
        return found

    def of_definition(self, definition: Definition) -> Effect:
        """The effects of calling a definition."""
        if id(definition) not in self.known:
            self.known[id(definition)] = definition, self.of_graph(definition.graph)
        return self.known[id(definition)][1]


__all__ = ["NEEDED", "ORDERED", "Effect", "Effects", "own_effect"]
