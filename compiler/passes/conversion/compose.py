"""Two conversions, one after the other, as one graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ogive.compiler.ir.model import Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh, copied, with_operands
from ogive.compiler.passes.cleanup.simplify import forward
from ogive.compiler.passes.conversion.graph import Conversion, conversion
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.passes.infra.driver import on_graphs

EMPTY = Graph((), (), ())


def chained(first: Conversion, second: Conversion) -> Conversion:
    """The weights of `second.result` from those of `first.source`."""
    assert first.result is second.source, (first.result.name, second.source.name)
    before = first.definition.graph
    made = {path: str(name) for path, name in zip(first.targets, before.outputs, strict=True)}
    renamed = dict(first.kept)
    nodes, outputs = copied(second.definition.graph, {}, {}, Fresh.of(before), lambda path: path)
    both = _joined(before, Graph((), nodes, outputs), made, renamed)
    handed = {path: made[middle] for path, middle in second.kept if middle in made}
    kept = tuple((path, renamed[middle]) for path, middle in second.kept if middle in renamed)
    whole = replace(both, outputs=(*both.outputs[len(before.outputs) :], *handed.values()))
    tidy = on_graphs(lambda graph: drop_dead(forward(graph)))(replace(second.definition, graph=whole)).graph
    return conversion(first.source, second.result, tidy, (*second.targets, *handed), kept)


def _joined(first: Graph, second: Graph, made: Mapping[str, str], renamed: Mapping[str, str]) -> Graph:
    """Both graphs and their outputs, where the second reads what the first has `made`; loops of one path are one."""
    nodes = list(first.nodes)
    loops = {node.path: at for at, node in enumerate(nodes) if node.regions}
    names: dict[str, Operand] = {}
    for node in second.nodes:
        if node.op == "weight" and node.path in made:
            names[node.outputs[0].name] = made[node.path]
        elif node.op == "weight":
            nodes.append(node.at(renamed[node.path]))
        elif node.path in loops:
            nodes[loops[node.path]] = _one_loop(nodes[loops[node.path]], node, made, renamed)
        elif node.regions:
            nodes.append(replace(node, regions=(_joined(EMPTY, node.regions[0], {}, renamed),)))
        else:
            nodes.append(with_operands(node, names))
    outputs = tuple(names.get(x, x) if isinstance(x, str) else x for x in second.outputs)
    return Graph((), tuple(nodes), (*first.outputs, *outputs))


def _one_loop(first: Node, second: Node, made: Mapping[str, str], renamed: Mapping[str, str]) -> Node:
    """Both bodies in each iteration: what the first yields, the second reads before it is stacked."""
    yields = {value.name: str(name) for value, name in zip(first.outputs, first.regions[0].outputs, strict=True)}
    below = {path: yields[name] for path, name in made.items() if name in yields}
    body = _joined(first.regions[0], second.regions[0], below, renamed)
    return replace(first, outputs=(*first.outputs, *second.outputs), regions=(body,))
