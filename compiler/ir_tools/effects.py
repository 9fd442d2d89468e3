"""What nodes do besides giving values: the one definition of an effect, which passes and backends ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from types import MappingProxyType

from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ops import OPS


class Effect(Flag):
    """Effects of a node; several are joined by `|`."""

    NONE = 0
    DRAWS = auto()  # takes random numbers: always, or while it trains
    WRITES = auto()  # changes a state
    CHECKS = auto()  # may refuse its inputs
    SHOWS = auto()  # hands a value to whoever asks for it by name


ORDERED = Effect.DRAWS | Effect.WRITES  # keep their places among each other
NEEDED = Effect.WRITES | Effect.CHECKS | Effect.SHOWS  # stay where nothing reads a result
OWN: Mapping[str, Effect] = MappingProxyType({"update": Effect.WRITES, "assume": Effect.CHECKS, "tap": Effect.SHOWS})


def own_effect(node: Node) -> Effect:
    """The effect of a node itself, without what it calls and what its regions do."""
    spec = OPS.get(node.op)
    if spec is None:
        return OWN.get(node.op, Effect.NONE)
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
