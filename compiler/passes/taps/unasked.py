"""Keeps taps from costing anything where nobody asks for them.

A tapped value has one reader more, which keeps it from being fused, and what only a tap reads would be computed always.
So each graph with a tap is tidied twice, with its taps and without, and where both differ it becomes a choice, made
when the model runs: `tapped`, with regions (asked for, not asked for).
"""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.attributes import RepeatAttrs
from ogive.compiler.ir.model import Definition, Graph, Model, Node
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.passes.cleanup.simplify import RULES as SIMPLER
from ogive.compiler.passes.cleanup.simplify import forward
from ogive.compiler.passes.fusion.fuse import RULES as FUSED
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.passes.infra.driver import map_nodes, on_graphs, optimized
from ogive.compiler.passes.infra.rewrite import settled
from ogive.compiler.passes.taps.merged import merged


def has_taps(definition: Definition) -> bool:
    """Whether there is a tap in a definition itself."""
    return any(node.op == "tap" for node in definition.graph.walk())


def without_taps(model: Model) -> Model:
    """The model as nobody asks for its taps: what they alone need is gone."""

    def bare(definition: Definition) -> Definition:
        if not has_taps(definition):
            return definition
        graph = _untapped(map_nodes(definition.graph, _bare))
        return on_graphs(drop_dead)(replace(definition, graph=graph))

    return optimized(model, (bare,))


def _bare(node: Node) -> Node:
    return replace(node, regions=tuple(map(_untapped, node.regions))) if node.regions else node


def _untapped(graph: Graph) -> Graph:
    return Graph(graph.inputs, tuple(node for node in graph.nodes if node.op != "tap"), graph.outputs)


def taps_apart(definition: Definition) -> Definition:
    """A definition in which a tap costs nothing unless it is asked for."""
    if not has_taps(definition):
        return definition
    return replace(definition, graph=_apart(definition, definition.graph, Fresh.of(definition.graph)))


def _apart(definition: Definition, graph: Graph, fresh: Fresh) -> Graph:
    nodes = tuple(
        node
        if node.op == "tapped" or not node.regions
        else replace(node, regions=tuple(_apart(definition, region, fresh) for region in node.regions))
        for node in graph.nodes
    )
    graph = Graph(graph.inputs, nodes, graph.outputs)
    if not any(node.op == "tap" for node in nodes):
        return graph
    asked = _tidied(definition, graph, fresh)
    plain = _tidied(definition, _untapped(asked), fresh)
    if whole := _other_loops(definition, asked, plain):
        plain = _tidied(definition, _untapped(asked), fresh, whole)
    return merged(asked, plain, fresh)


def _other_loops(definition: Definition, asked: Graph, plain: Graph) -> frozenset[str]:
    """The paths of loops with weights that give other results in the two forms: their iterations are one module, which
    gives what a tap alone reads too.
    """
    results = [
        {node.path: len(node.outputs) for node in graph.walk() if isinstance(node.structure, RepeatAttrs)}
        for graph in (asked, plain)
    ]
    return frozenset(
        path
        for path, count in results[1].items()
        if results[0].get(path) != count and any(member.path.startswith(f"{path}.*") for member in definition.members)
    )


def _tidied(definition: Definition, graph: Graph, fresh: Fresh, whole: frozenset[str] = frozenset()) -> Graph:
    """As the passes leave it."""

    def dead(graph: Graph) -> Graph:
        return drop_dead(graph, whole=whole)

    def everywhere(graph: Graph) -> Graph:
        return on_graphs(forward)(replace(definition, graph=graph)).graph

    for rules in (SIMPLER, FUSED, SIMPLER):
        graph = on_graphs(dead)(replace(definition, graph=graph)).graph
        graph = everywhere(settled(everywhere(graph), rules, lambda: fresh))
    return on_graphs(dead)(replace(definition, graph=graph)).graph
