"""Drops what nothing needs: nodes, and values that regions take and do not read."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ir_tools.effects import NEEDED, Effects
from ogive.compiler.ir_tools.unread import CHOICES, read_captures, read_results
from ogive.compiler.passes.infra.driver import on_graphs


def drop_dead(graph: Graph, effects: Effects | None = None) -> Graph:
    """Keep the nodes that an output or an effect needs."""
    effects = Effects() if effects is None else effects
    live = {x for x in graph.outputs if isinstance(x, str)}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if any(value.name in live for value in node.outputs) or effects.of(node) & NEEDED:
            pruned = read_captures(_read(node, live, effects))
            kept.append(pruned)
            live.update(pruned.operands)
    nodes = tuple(reversed(kept))
    same = len(nodes) == len(graph.nodes) and all(a is b for a, b in zip(nodes, graph.nodes, strict=True))
    return graph if same else Graph(graph.inputs, nodes, graph.outputs)


def _read(node: Node, live: set[str], effects: Effects) -> Node:
    """A loop or a choice without the results that nothing reads, and without what they needed."""
    if node.loop is None and node.op not in CHOICES:
        return node
    found = read_results(node, live)
    return found if found is node else replace(found, regions=tuple(drop_dead(r, effects) for r in found.regions))


def dead(definition: Definition) -> Definition:
    """A definition without what nothing needs, in regions too."""
    effects = Effects()
    return on_graphs(lambda graph: drop_dead(graph, effects))(definition)
