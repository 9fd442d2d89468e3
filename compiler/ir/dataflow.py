"""The flow of values through a graph, as networkx has graphs: a view of names, which stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogive.compiler.ir.model import Graph

if TYPE_CHECKING:
    from networkx import DiGraph


def flow(graph: Graph) -> DiGraph[str]:
    """An edge from each value to each that is computed from it, through the bodies of loops too.

    The operands of a loop are, in order, what its body takes after its own number; its results what the body gives.
    """
    # as long to import as a small program to check
    from networkx import DiGraph

    edges: DiGraph[str] = DiGraph()
    _add(graph, edges)
    return edges


def _add(graph: Graph, edges: DiGraph[str]) -> None:
    edges.add_nodes_from(graph.values)
    for node in graph.nodes:
        results = [value.name for value in node.outputs]
        if not node.regions:
            edges.add_edges_from((operand, result) for operand in node.operands for result in results)
        for region in node.regions:
            _add(region, edges)
            number = len(region.inputs) - len(node.operands)
            edges.add_edges_from(zip(node.operands, (value.name for value in region.inputs[number:]), strict=True))
            edges.add_edges_from((str(made), result) for made, result in zip(region.outputs, results, strict=True))
