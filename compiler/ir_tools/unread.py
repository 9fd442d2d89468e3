"""Drops what a choice gives and nothing reads, and what regions take and do not read. Every node stays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ogive.compiler.ir.attributes import GivenAttrs, PhaseAttrs, RepeatAttrs, ScanAttrs
from ogive.compiler.ir.model import Graph, Node

CHOICES = ("phase", "given")


def without_unread(graph: Graph) -> Graph:
    """The graph whose choices give what something reads."""
    live = {x for x in graph.outputs if isinstance(x, str)}
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        found = read_results(node, live) if node.op in CHOICES else node
        regions = tuple(map(without_unread, found.regions))
        if any(a is not b for a, b in zip(regions, found.regions, strict=True)):
            found = replace(found, regions=regions)
        found = read_captures(found)
        nodes.append(found)
        live.update(found.operands)
    nodes.reverse()
    same = all(a is b for a, b in zip(nodes, graph.nodes, strict=True))
    return graph if same else Graph(graph.inputs, tuple(nodes), graph.outputs)


def read_results(node: Node, live: Collection[str]) -> Node:
    """A choice or a loop without results that nothing reads; what a loop carries stays."""
    carried = () if node.loop is None else node.loop.results(node.outputs).carried
    keep = [at for at, value in enumerate(node.outputs) if value in carried or value.name in live]
    if len(keep) == len(node.outputs):
        return node
    regions = tuple(Graph(r.inputs, r.nodes, tuple(r.outputs[at] for at in keep)) for r in node.regions)
    return replace(node, outputs=tuple(node.outputs[at] for at in keep), regions=regions)


def read_captures(node: Node) -> Node:
    """A choice or a loop without the captures that no region reads."""
    match node.structure:
        case RepeatAttrs() | ScanAttrs() as loop:
            first = len(loop.parts(node.inputs).own)
        case GivenAttrs():
            first = 1  # what it asks for
        case PhaseAttrs():
            first = 0
        case _:
            return node
    read: set[int] = set(range(first))
    for region in node.regions:
        read.update(at for at, value in enumerate(region.inputs) if _reads(region, value.name))
    if len(read) == len(node.regions[0].inputs):
        return node
    keep = sorted(read)
    regions = tuple(Graph(tuple(r.inputs[i] for i in keep), r.nodes, r.outputs) for r in node.regions)
    return replace(node, inputs=tuple(node.inputs[i] for i in keep), regions=regions)


def _reads(region: Graph, name: str) -> bool:
    return bool(region.users[name]) or name in region.outputs
