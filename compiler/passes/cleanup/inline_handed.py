"""Puts blocks that are handed their weights into the regions of `over` and `each` that call them, loops and all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Definition, Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh, with_operands
from ogive.compiler.ir_tools.maybe import maybe
from ogive.compiler.passes.cleanup.flatten import InlineContext, inlined, vectorized_instances


def inline_handed(definition: Definition) -> Definition:
    """A weight that is supplied is a value: its batching rule is that of the operation that reads it."""
    around = _Around(Fresh.of(definition.graph), frozenset(maybe(definition).open))
    graph = _outside(definition.graph, around)
    return definition if graph is definition.graph else replace(definition, graph=graph)


def inline_all_handed(definition: Definition) -> Definition:
    """As `inline_handed`, everywhere in a definition that is itself vectorized."""
    if not any(node.supplied for node in definition.graph.walk()):
        return definition
    around = _Around(Fresh.of(definition.graph), frozenset(maybe(definition).open))
    return replace(definition, graph=_inlined(definition.graph, around))


@dataclass(frozen=True, slots=True)
class _Around:
    """The definition in which blocks are put: names, and the values that may be absent."""

    fresh: Fresh
    maybe: frozenset[str]


def _outside(graph: Graph, around: _Around) -> Graph:
    nodes = []
    for node in graph.nodes:
        inside = _inlined if node.op in ("over", "each") else _outside
        regions = tuple(inside(region, around) for region in node.regions)
        same = all(a is b for a, b in zip(regions, node.regions, strict=True))
        nodes.append(node if same else replace(node, regions=regions))
    if all(a is b for a, b in zip(nodes, graph.nodes, strict=True)):
        return graph
    return Graph(graph.inputs, tuple(nodes), graph.outputs)


def _inlined(graph: Graph, around: _Around) -> Graph:
    nodes: list[Node] = []
    renamed: dict[str, Operand] = {}
    for node in graph.nodes:
        found = with_operands(node, renamed)
        if found.regions:
            found = replace(found, regions=tuple(_inlined(region, around) for region in found.regions))
        if found.callee is None or not found.supplied:
            nodes.append(found)
            continue
        body, outputs = _body(found, found.callee, graph, nodes, around)
        nodes += body
        renamed.update({value.name: x for value, x in zip(found.outputs, outputs, strict=True)})
    outputs = tuple(renamed.get(x, x) if isinstance(x, str) else x for x in graph.outputs)
    return Graph(graph.inputs, tuple(nodes), outputs)


def _body(
    node: Node, callee: Definition, graph: Graph, before: list[Node], around: _Around
) -> tuple[list[Node], tuple[Operand, ...]]:
    types = {value.name: value.type for value in (*graph.inputs, *(v for made in before for v in made.outputs))}
    names: dict[str, Operand] = {v.name: x for v, x in zip(callee.graph.inputs, node.inputs, strict=True)}
    place = InlineContext(node.path, dict(node.bindings), dict(node.supplied), names, vectorized_instances(callee))
    return inlined(callee.graph, place, around.fresh, types, around.maybe)
