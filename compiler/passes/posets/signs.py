"""Numbers that are never negative, seen through what keeps signs and through calls."""

from __future__ import annotations

from ogive.compiler.ir.model import Const, Graph, Node, Operand
from ogive.compiler.ops import Trait, has

POOLS = frozenset(("std.posets.PosetPool", "std.posets.poset_pool"))


def is_pool(node: Node) -> bool:
    """Whether a node is a pool of a poset by the library's block."""
    return node.callee is not None and node.callee.block in POOLS


def never_negative(graph: Graph, operand: Operand | None) -> Node | None:
    """What makes a value positive or zero, if anything does."""
    return _origin(graph, operand)[0]


def _origin(graph: Graph, operand: Operand | None) -> tuple[Node | None, str]:
    """That node; where there is none, the value from which the operand has its sign."""
    name = str(operand)
    while (node := graph.producers.get(name)) is not None:
        if has(node.op, Trait.NONNEGATIVE) or is_pool(node):
            return node, name
        if node.op == "call":
            below, name = _through(node, name)
            if below is not None:
                return below, name
        else:
            name = _kept(node)
        if not name:
            return None, ""
    return None, name


def _through(node: Node, name: str) -> tuple[Node | None, str]:
    """What makes a result of a call positive or zero, or else the operand whose sign it has."""
    assert node.callee is not None
    graph = node.callee.graph
    at = next(i for i, value in enumerate(node.outputs) if value.name == name)
    found, source = _origin(graph, graph.outputs[at])
    inputs = {value.name: i for i, value in enumerate(graph.inputs)}
    given = node.inputs[inputs[source]] if found is None and source in inputs else None
    return found, given if isinstance(given, str) else ""


def _kept(node: Node) -> str:
    """The operand whose sign the result has; "" where there is none."""
    if node.op == "mul":
        return next((x for x, other in (node.inputs, node.inputs[::-1]) if _positive(other) and isinstance(x, str)), "")
    keeps = has(node.op, Trait.KEEPS_SIGN) or (node.op == "pad" and not node.attr("value", 0) < 0)
    return node.inputs[0] if keeps and len(node.inputs) == 1 and isinstance(node.inputs[0], str) else ""


def _positive(operand: Operand | None) -> bool:
    value = operand.value if isinstance(operand, Const) else None
    return isinstance(value, int | float) and value > 0
