"""Which blocks run inside of derivatives."""

from __future__ import annotations

from ogive.compiler.ir.model import Definition, Graph, Model


def grad_depths(model: Model) -> dict[str, int]:
    """In how many `grad` a definition runs at most, by its name."""
    found: dict[str, int] = {}

    def visit(definition: Definition, depth: int) -> None:
        if found.get(definition.name, -1) < depth:
            found[definition.name] = depth
            walk(definition.graph, depth)

    def walk(graph: Graph, depth: int) -> None:
        for node in graph.nodes:
            if node.callee is not None:
                visit(node.callee, depth)
            for region in node.regions:
                walk(region, depth + (node.op == "grad"))

    visit(model.definition, 0)
    return found
