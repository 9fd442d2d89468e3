"""What the pool of a poset must be, by another way: a largest closure is a smallest cut (Picard 1976)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networkx as nx

from ogive.compiler.posets.poset import Poset


def least_cut(poset: Poset, x: Sequence[float]) -> float:
    """The pool of one window: all that is positive, less a smallest cut."""
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_nodes_from(("source", "sink"))
    for i, value in enumerate(x):
        graph.add_edge(*(("source", i) if value > 0 else (i, "sink")), capacity=abs(value))
    graph.add_edges_from(poset.pairs)  # an edge without capacity is never cut
    cut, _ = nx.minimum_cut(graph, "source", "sink")
    return sum(v for v in x if v > 0) - cut
