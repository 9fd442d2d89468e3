"""W0907: a pool of a poset over numbers that are never negative is an average, whatever the poset."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.compiler.ir.model import Graph
from ogive.compiler.passes.posets.signs import is_pool, never_negative
from ogive.grammar.diagnostics import Diagnostic


def averages(graph: Graph) -> Iterator[Diagnostic]:
    """Say of each pool of a poset whether its operand is never negative."""
    for node in graph.walk():
        for region in node.regions:
            yield from _of(region)
    yield from _of(graph)


def _of(graph: Graph) -> Iterator[Diagnostic]:
    for node in graph.nodes:
        maker = never_negative(graph, node.inputs[0]) if is_pool(node) else None
        if maker is not None and node.span is not None:
            said = "a poset pool" if is_pool(maker) else f"`{maker.op}`"
            yield Diagnostic(
                "W0907",
                f"after {said} the pool of every poset is k² times the average pool",
                node.span,
                help="pool before it, or write `k**2 * avg_pool[k](x)`, which is the same and cheaper",
            )
