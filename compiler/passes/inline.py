"""Puts small functions, and blocks to which weights are handed, into the graphs that call them."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir import Definition, Graph, Node, Operand
from ogive.compiler.ops import OPS
from ogive.compiler.passes.substitute import Fresh, copied, with_operands

SMALL = 6  # operations; larger functions stay functions


def inline(definition: Definition) -> Definition:
    """f(x) = the body of f with x in the place of its input, for small f and for f that is handed its weights."""
    fresh = Fresh.of(definition.graph)
    graph = _inlined(definition.graph, fresh)
    return definition if graph is definition.graph else replace(definition, graph=graph)


def _inlined(graph: Graph, fresh: Fresh) -> Graph:
    nodes: list[Node] = []
    renamed: dict[str, Operand] = {}
    changed = False
    for node in graph.nodes:
        regions = tuple(_inlined(region, fresh) for region in node.regions)
        if any(a is not b for a, b in zip(regions, node.regions, strict=True)):
            node, changed = replace(node, regions=regions), True
        node = with_operands(node, renamed)
        callee = node.callee
        if callee is None or not _wanted(node, callee):
            nodes.append(node)
            continue
        changed = True
        body, outputs = _body(node, callee, fresh)
        nodes += body
        renamed.update({value.name: output for value, output in zip(node.outputs, outputs, strict=True)})
    if not changed:
        return graph
    return Graph(graph.inputs, tuple(nodes), tuple(_at(x, renamed) for x in graph.outputs))


def _at(operand: Operand, renamed: dict[str, Operand]) -> Operand:
    return renamed.get(operand, operand) if isinstance(operand, str) else operand


def _wanted(node: Node, callee: Definition) -> bool:
    if node.op != "call":
        return False
    if node.supplied:
        return not any(inner.regions for inner in callee.graph.nodes)
    if node.path or not callee.stateless:
        return False
    nodes = list(callee.graph.walk())
    if any(inner.op == "given" for inner in nodes) or any(operand is None for operand in node.inputs):
        return False
    return len(nodes) <= SMALL or any(inner.op in OPS and OPS[inner.op].random for inner in nodes)


def _body(node: Node, callee: Definition, fresh: Fresh) -> tuple[list[Node], list[Operand]]:
    names: dict[str, Operand] = {
        value.name: operand for value, operand in zip(callee.graph.inputs, node.inputs, strict=True)
    }
    handed = dict(node.supplied)
    body = callee.graph
    for inner in body.nodes:
        if inner.op == "weight" and inner.path in handed:
            names[inner.outputs[0].name] = handed[inner.path]
    kept = tuple(
        _handed_on(inner, handed, names) for inner in body.nodes if not (inner.op == "weight" and inner.path in handed)
    )

    def place(path: str) -> str:
        return f"{node.path}.{path}" if node.path else path

    nodes, outputs = copied(replace_nodes(body, kept), dict(node.bindings), names, fresh, place)
    hints = {output: value for output, value in zip(outputs, node.outputs, strict=True) if isinstance(output, str)}
    named = [
        replace(
            inner,
            outputs=tuple(
                replace(value, hint=hints[value.name].hint, type=hints[value.name].type)
                if value.name in hints
                else value
                for value in inner.outputs
            ),
            span=node.span,
        )
        for inner in nodes
    ]
    if not node.supplied:
        return named, list(outputs)
    again = _inlined(Graph((), tuple(named), outputs), fresh)  # what it hands on to the blocks that it calls
    return list(again.nodes), list(again.outputs)


def _handed_on(node: Node, handed: dict[str, str], names: dict[str, Operand]) -> Node:
    """A call inside the body is handed those weights that lie below it."""
    if node.op != "call" or not node.path:
        return node
    below = {path.removeprefix(f"{node.path}."): v for path, v in handed.items() if path.startswith(f"{node.path}.")}
    names.update((f"handed {value}", value) for value in below.values())
    return replace(node, supplied=(*node.supplied, *((path, f"handed {value}") for path, value in below.items())))


def replace_nodes(graph: Graph, nodes: tuple[Node, ...]) -> Graph:
    """The graph with other nodes."""
    return Graph(graph.inputs, nodes, graph.outputs)
