"""Blocks again: what is left of each block of a model that was made flat becomes a definition, where it can be one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.model import Definition, Graph, Model, Node
from ogive.compiler.passes.cleanup.flatten import InlinedCall, Origins
from ogive.compiler.passes.infra.driver import named_apart
from ogive.compiler.passes.outline.block import Apart, Blocks, Calls, OutlinedBlock, holds
from ogive.compiler.passes.outline.layers import layered


def in_blocks(flat: Model, origins: Origins) -> Model:
    """A model that a pass has changed while it was flat, with layers and blocks again, each name once."""
    return named_apart(replace(flat, definition=outlined(layered(flat.definition), origins)))


def outlined(definition: Definition, origins: Origins) -> Definition:
    """The flat definition with a call for each block that it has kept, blocks that came out equal being one."""
    blocks = Blocks(origins, list(definition.members))
    graph = _Outline(blocks).graph(definition.graph, ())
    return replace(definition, graph=graph, members=tuple(blocks.members))


@dataclass(slots=True)
class _Outline:
    blocks: Blocks
    chains: dict[str, Calls] = field(default_factory=dict)
    shared: set[InlinedCall] = field(default_factory=set)  # of one block twice, whose weights two places read

    def __post_init__(self) -> None:
        seen: dict[str, InlinedCall] = {}
        for origin in self.blocks.origins.values():
            for call in origin.calls:
                if seen.setdefault(call.path, call) is not call:
                    self.shared |= {call, seen[call.path]}

    def graph(self, graph: Graph, calls: Calls) -> Graph:
        """A graph that stands inside of these calls, with calls for the blocks below."""
        self.place(graph, calls)
        return self.level(graph, calls)

    def level(self, graph: Graph, calls: Calls) -> Graph:
        groups: dict[InlinedCall, list[Node]] = {}
        nodes: list[Node] = []
        for node in graph.nodes:
            chain = self.chains.get(_key(node), ())
            if len(chain) > len(calls):
                groups.setdefault(chain[len(calls)], []).append(node)
            else:
                nodes.append(replace(node, regions=tuple(self.graph(region, calls) for region in node.regions)))
        for call, inside in groups.items():
            values, mine = {value.name for node in inside for value in node.outputs}, set(map(id, inside))
            read = {x for node in graph.nodes if id(node) not in mine for x in node.operands} | set(graph.outputs)
            wanted = tuple(name for name in graph.values if name in values and name in read)
            body = self.level(Graph(tuple(graph.values.values()), tuple(inside), wanted), (*calls, call))
            try:
                nodes.append(OutlinedBlock(self.blocks, (*calls, call), graph, body).node())
            except Apart:
                nodes += (replace(node, outputs=tuple(self.blocks.named(v, len(calls)) for v in node.outputs))
                          for node in body.nodes)  # fmt: skip
        return Graph(graph.inputs, _in_order(graph, nodes), graph.outputs)

    def place(self, graph: Graph, calls: Calls) -> None:
        """For each node the calls that it can stand in: those of its value, as far as they hold its weights."""
        paths = {node.outputs[0].name: node.path for node in graph.nodes if node.op == "weight"}
        outputs = set(graph.outputs)
        for node in reversed(graph.nodes):
            name = _key(node)
            origin = self.blocks.origins.get(name)
            if node.op == "weight" or origin is None:
                readers = [self.chains[_key(reader)] for reader in graph.users.get(name, ())]
                chain = _common([*readers, calls] if name in outputs or not readers else readers)
            else:
                chain = origin.calls
            chain = chain if chain[: len(calls)] == calls else calls
            held = [paths[x] for x in node.operands if x in paths] + [node.path] * bool(node.path)
            keep = len(calls)
            while keep < len(chain) and chain[keep] not in self.shared and holds(chain[keep], held):
                keep += 1
            self.chains[name] = chain[:keep] if node.outputs else calls


def _key(node: Node) -> str:
    return node.outputs[0].name if node.outputs else f"{node.op} {node.settings}"


def _common(chains: Sequence[Calls]) -> Calls:
    first, *rest = chains
    count = 0
    while count < len(first) and all(count < len(other) and other[count] is first[count] for other in rest):
        count += 1
    return first[:count]


def _in_order(graph: Graph, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes in an order in which they can run, as close to that of the graph as may be."""
    # as long to import as a small program to check
    from networkx import DiGraph, lexicographical_topological_sort

    ranks = {value.name: at for at, node in enumerate(graph.nodes) for value in node.outputs}
    makers = {value.name: at for at, node in enumerate(nodes) for value in node.outputs}
    edges: DiGraph[int] = DiGraph()
    edges.add_nodes_from(range(len(nodes)))
    for at, node in enumerate(nodes):
        edges.add_edges_from((makers[x], at) for x in node.operands if x in makers)
    last = [max((ranks[value.name] for value in node.outputs), default=-1) for node in nodes]
    return tuple(nodes[at] for at in lexicographical_topological_sort(edges, key=lambda at: (last[at], at)))
