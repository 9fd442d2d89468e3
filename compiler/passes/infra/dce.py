"""Drops what nothing needs: nodes, and values that regions take and do not read."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ir_tools.effects import NEEDED, Effects
from ogive.compiler.ir_tools.rewriter import Pruner
from ogive.compiler.ir_tools.unread import read_captures, read_results
from ogive.compiler.passes.infra.driver import on_graphs


def drop_dead(graph: Graph, effects: Effects | None = None, whole: frozenset[str] = frozenset()) -> Graph:
    """Keep the nodes that an output or an effect needs; loops and choices without the results that nothing reads, but
    for loops at the paths in `whole`.
    """
    return _Dead(Effects() if effects is None else effects, whole).pruned(graph)


@dataclass(frozen=True, slots=True)
class _Dead(Pruner):
    effects: Effects
    whole: frozenset[str]

    def needed(self, live: set[str], node: Node) -> bool:
        return any(value.name in live for value in node.outputs) or bool(self.effects.of(node) & NEEDED)

    def opened(self, live: set[str], node: Node, own: int) -> Node:
        found = node if node.path in self.whole else read_results(node, live)
        return read_captures(found if found is node else self.with_regions(found), own)

    def closed(self, live: set[str], node: Node) -> Node:
        return node


def dead(definition: Definition) -> Definition:
    """A definition without what nothing needs, in regions too."""
    effects = Effects()
    return on_graphs(lambda graph: drop_dead(graph, effects))(definition)
