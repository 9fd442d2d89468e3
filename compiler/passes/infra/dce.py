"""Drops what nothing needs: nodes, and values that regions take and do not read."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ir_tools.unread import CHOICES, LOOPS, read_captures, read_results
from ogive.compiler.passes.infra.driver import on_graphs

EFFECTS = frozenset(("update", "assume", "tap"))


def acts(node: Node, known: dict[str, bool]) -> bool:
    """Whether a node does something besides giving values: it, or what it holds or calls, changes a state or checks.

    `known` holds the answers for definitions, by name.
    """
    if node.op in EFFECTS or any(acts(inner, known) for region in node.regions for inner in region.nodes):
        return True
    callee = node.callee
    if callee is None:
        return False
    if callee.name not in known:
        known[callee.name] = any(acts(inner, known) for inner in callee.graph.nodes)
    return known[callee.name]


def drop_dead(graph: Graph, known: dict[str, bool] | None = None) -> Graph:
    """Keep the nodes that an output or an effect needs."""
    known = {} if known is None else known
    live = {x for x in graph.outputs if isinstance(x, str)}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if any(value.name in live for value in node.outputs) or acts(node, known):
            pruned = read_captures(_read(node, live, known))
            kept.append(pruned)
            live.update(pruned.operands)
    nodes = tuple(reversed(kept))
    same = len(nodes) == len(graph.nodes) and all(a is b for a, b in zip(nodes, graph.nodes, strict=True))
    return graph if same else Graph(graph.inputs, nodes, graph.outputs)


def _read(node: Node, live: set[str], known: dict[str, bool]) -> Node:
    """A loop or a choice without the results that nothing reads, and without what they needed."""
    if node.op not in (*LOOPS, *CHOICES):
        return node
    found = read_results(node, live)
    return found if found is node else replace(found, regions=tuple(drop_dead(r, known) for r in found.regions))


def dead(definition: Definition) -> Definition:
    """A definition without what nothing needs, in regions too."""
    known: dict[str, bool] = {}
    return on_graphs(lambda graph: drop_dead(graph, known))(definition)
