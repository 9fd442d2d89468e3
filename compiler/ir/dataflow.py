"""The flow of values through a graph, as networkx has graphs: a view of names, which stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogive.compiler.ir.model import Graph

if TYPE_CHECKING:
    from networkx import DiGraph


def flow(graph: Graph) -> DiGraph[str]:
    """An edge from each value to each that is computed from it, through the bodies of loops too: what an iteration
    carries on goes back into the next.
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
        if node.loop is None:
            edges.add_edges_from((operand, result) for operand in node.operands for result in results)
            continue
        (region,) = node.regions
        _add(region, edges)
        inside = [value.name for value in region.inputs]
        again = zip(node.loop.results(region.outputs).carried, node.loop.parts(inside).carried, strict=True)
        pairs = (*zip(node.inputs, inside, strict=True), *zip(region.outputs, results, strict=True), *again)
        edges.add_edges_from((a, b) for a, b in pairs if isinstance(a, str))
