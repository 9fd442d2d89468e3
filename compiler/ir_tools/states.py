"""Which states a graph changes while it trains: those that it updates, and those of the instances that it calls."""

from __future__ import annotations

from ogive.compiler.ir.model import Definition, Graph, Node

Known = dict[int, tuple[Definition, frozenset[str]]]  # by identity of a definition


def changed(graph: Graph, known: Known | None = None) -> frozenset[str]:
    """The paths of the states that a graph changes."""
    known = {} if known is None else known
    return frozenset(path for node in graph.walk() for path in changed_by(node, known))


def changed_by(node: Node, known: Known) -> frozenset[str]:
    """The paths of the states that one node changes, but for its regions."""
    if node.op == "update":
        return frozenset((node.path,))
    if node.callee is None or not node.path:
        return frozenset()
    if id(node.callee) not in known:
        known[id(node.callee)] = node.callee, changed(node.callee.graph, known)
    return frozenset(f"{node.path}.{path}" for path in known[id(node.callee)][1])
