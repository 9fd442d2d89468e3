"""Drops what a choice gives and nothing reads, and what regions take and do not read. Every node stays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ogive.compiler.ir.attributes import LoopAttrs
from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.ir_tools.rewriter import Pruner


def without_unread(graph: Graph) -> Graph:
    """The graph whose choices give what something reads."""
    return _Unread().pruned(graph)


@dataclass(frozen=True, slots=True)
class _Unread(Pruner):
    def visit_loop(self, live: set[str], node: Node, told: LoopAttrs) -> Node:
        return read_captures(self.with_regions(node), len(told.parts(node.inputs).own))

    def opened(self, live: set[str], node: Node, own: int) -> Node:
        return read_captures(self.with_regions(read_results(node, live)), own)

    def closed(self, live: set[str], node: Node) -> Node:
        return self.with_regions(node)


def read_results(node: Node, live: Collection[str]) -> Node:
    """A choice or a loop without results that nothing reads; what a loop carries stays."""
    carried = () if node.loop is None else node.loop.results(node.outputs).carried
    keep = [at for at, value in enumerate(node.outputs) if value in carried or value.name in live]
    if len(keep) == len(node.outputs):
        return node
    regions = tuple(Graph(r.inputs, r.nodes, tuple(r.outputs[at] for at in keep)) for r in node.regions)
    return replace(node, outputs=tuple(node.outputs[at] for at in keep), regions=regions)


def read_captures(node: Node, own: int) -> Node:
    """A choice or a loop, whose first `own` inputs stay, without the captures that no region reads."""
    read: set[int] = set(range(own))
    for region in node.regions:
        read.update(at for at, value in enumerate(region.inputs) if _reads(region, value.name))
    if len(read) == len(node.regions[0].inputs):
        return node
    keep = sorted(read)
    regions = tuple(Graph(tuple(r.inputs[i] for i in keep), r.nodes, r.outputs) for r in node.regions)
    return replace(node, inputs=tuple(node.inputs[i] for i in keep), regions=regions)


def _reads(region: Graph, name: str) -> bool:
    return bool(region.users[name]) or name in region.outputs
