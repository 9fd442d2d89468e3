"""Drops what nothing needs: nodes, and values that regions take and do not read."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir import Definition, Graph, Node
from ogive.compiler.passes.frame import on_graphs

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
            pruned = _pruned(_read_yields(node, live, known))
            kept.append(pruned)
            live.update(pruned.operands)
    nodes = tuple(reversed(kept))
    same = len(nodes) == len(graph.nodes) and all(a is b for a, b in zip(nodes, graph.nodes, strict=True))
    return graph if same else Graph(graph.inputs, nodes, graph.outputs)


def _read_yields(node: Node, live: set[str], known: dict[str, bool]) -> Node:
    """A loop without the yields that nothing reads, and without what they needed."""
    if node.op not in ("repeat", "scan"):
        return node
    carry = int(node.attr("carry", 0))
    keep = [at for at, value in enumerate(node.outputs) if at < carry or value.name in live]
    if len(keep) == len(node.outputs):
        return node
    (region,) = node.regions
    left = drop_dead(Graph(region.inputs, region.nodes, tuple(region.outputs[at] for at in keep)), known)
    return replace(node, outputs=tuple(node.outputs[at] for at in keep), regions=(left,))


def _pruned(node: Node) -> Node:
    """Without the captures that no region reads."""
    if node.op not in ("repeat", "scan", "phase", "given"):
        return node
    first = sum(int(node.attr(key, 0)) for key in ("carry", "turn", "number")) if node.op in ("repeat", "scan") else 0
    shift = int(node.attr("number", 0)) if node.op in ("repeat", "scan") else 0
    read: set[int] = set()
    for region in node.regions:
        for at, value in enumerate(region.inputs):
            if at < first or region.users[value.name] or value.name in region.outputs:
                read.add(at)
    if not node.regions or len(read) == len(node.regions[0].inputs):
        return node
    keep = sorted(read)
    regions = tuple(Graph(tuple(r.inputs[i] for i in keep), r.nodes, r.outputs) for r in node.regions)
    drop = {i - shift for i in range(len(node.regions[0].inputs)) if i not in read}
    inputs = tuple(x for i, x in enumerate(node.inputs) if i not in drop)
    return replace(node, inputs=inputs, regions=regions)


def dead(definition: Definition) -> Definition:
    """A definition without what nothing needs, in regions too."""
    known: dict[str, bool] = {}
    return on_graphs(lambda graph: drop_dead(graph, known))(definition)
