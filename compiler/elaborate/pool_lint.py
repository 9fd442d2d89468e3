"""W0907: a pool of a poset over numbers that are never negative is an average, whatever the poset."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.compiler.ir import Graph, Node
from ogive.grammar.diagnostics import Diagnostic

POOL = "std.posets.poset_pool"
NONNEGATIVE = frozenset(("abs", "exp", "relu", "sigmoid", "softmax", "softplus", "sqrt", "square"))
KEEPING = frozenset(("avg_pool", "dropout", "max_pool", "rearrange"))  # the sign of their operand


def averages(graph: Graph) -> Iterator[Diagnostic]:
    """Say of each pool of a poset whether its operand is never negative."""
    for node in graph.walk():
        for region in node.regions:
            yield from _of(region)
    yield from _of(graph)


def _of(graph: Graph) -> Iterator[Diagnostic]:
    for node in graph.nodes:
        maker = _never_negative(graph, node) if _is_pool(node) else None
        if maker is not None and node.span is not None:
            said = "a poset pool" if _is_pool(maker) else f"`{maker.op}`"
            yield Diagnostic(
                "W0907",
                f"after {said} the pool of every poset is k² times the average pool",
                node.span,
                help="pool before it, or write `k**2 * avg_pool[k](x)`, which is the same and cheaper",
            )


def _is_pool(node: Node) -> bool:
    return node.callee is not None and node.callee.block == POOL


def _never_negative(graph: Graph, node: Node) -> Node | None:
    """What makes the operand of a pool positive or zero, if anything does."""
    maker = graph.producers.get(str(node.inputs[0]))
    while maker is not None and maker.op in KEEPING and len(maker.inputs) == 1:
        maker = graph.producers.get(str(maker.inputs[0]))
    return maker if maker is not None and (maker.op in NONNEGATIVE or _is_pool(maker)) else None
