"""One node of the IR to statements: weights, regions, calls, and the table of operations."""

from __future__ import annotations

from ogive.backends.pytorch.calls import applied
from ogive.backends.pytorch.errors import LoweringError
from ogive.backends.pytorch.lower import LOWER
from ogive.backends.pytorch.regions import REGIONS
from ogive.backends.pytorch.writer import Writer
from ogive.compiler.ir import Node


def write_node(writer: Writer, node: Node) -> None:
    """Write one node, or let it wait for its use."""
    if node.op == "weight":
        writer.scope.hold(node.outputs[0].name, writer.path(node.path))
    elif node.op in REGIONS:
        REGIONS[node.op](writer, node)
    elif node.op == "call":
        writer.express(node, lambda args: applied(writer, node, args), acts=writer.file.acts_call(node))
    elif node.op in LOWER:
        lower = LOWER[node.op]
        writer.express(node, lambda args: lower(writer, node, args), acts=writer.file.draws(node))
    else:
        raise LoweringError(f"`{node.op}` has no form in torch yet")
