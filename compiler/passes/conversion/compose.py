"""Two conversions, one after the other, as one graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh, copied, with_operands
from ogive.compiler.ir.types import TensorType
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
    fresh = Fresh.of(before)
    nodes, outputs = copied(second.definition.graph, {}, {}, fresh, lambda path: path)
    joining = _Joining(renamed, fresh, {name: value.type for name, value in before.values.items()})
    both = joining.graph(before, Graph((), nodes, outputs), made)
    handed = {path: made[middle] for path, middle in second.kept if middle in made}
    kept = tuple((path, renamed[middle]) for path, middle in second.kept if middle in renamed)
    whole = replace(both, outputs=(*both.outputs[len(before.outputs) :], *handed.values()))
    tidy = on_graphs(lambda graph: drop_dead(forward(graph)))(replace(second.definition, graph=whole)).graph
    return conversion(first.source, second.result, tidy, (*second.targets, *handed), kept)


@dataclass(slots=True)
class _Joining:
    """One graph after another: `renamed` weights stay as they are, `types` are those of what the first makes."""

    renamed: Mapping[str, str]
    fresh: Fresh
    types: dict[str, TensorType]

    def graph(self, first: Graph, second: Graph, made: Mapping[str, str]) -> Graph:
        """Both and their outputs, where the second reads what the first has `made`; loops of one path are one."""
        nodes = list(first.nodes)
        loops = {node.path: at for at, node in enumerate(nodes) if node.regions}
        names: dict[str, Operand] = {}
        for node in second.nodes:
            if node.op == "weight" and node.path in made:
                names[node.outputs[0].name] = made[node.path]
            elif node.op == "weight":
                nodes.append(node.at(self.renamed[node.path]))
            elif node.path in loops:
                nodes[loops[node.path]] = self.joined_loop(nodes[loops[node.path]], node, made)
            elif node.regions:
                bare = node.structure.without_inputs(range(len(node.inputs))) if node.structure is not None else None
                alone = replace(node, inputs=(), outputs=(), regions=(EMPTY,), structure=bare)
                nodes.append(self.joined_loop(alone, node, made))
            else:
                nodes.append(with_operands(node, names))
        outputs = tuple(names.get(x, x) if isinstance(x, str) else x for x in second.outputs)
        return Graph((*first.inputs, *second.inputs), tuple(nodes), (*first.outputs, *outputs))

    def joined_loop(self, first: Node, second: Node, made: Mapping[str, str]) -> Node:
        """Both bodies in each iteration: what the first yields, the second reads before it is stacked; of what is made
        outside, stacked, it reads its own part.
        """
        yields = {value.name: str(name) for value, name in zip(first.outputs, first.regions[0].outputs, strict=True)}
        body = second.regions[0]
        read = dict.fromkeys(node.path for node in body.walk() if node.op == "weight" and node.path in made)
        below = {path: yields[made[path]] for path in read if made[path] in yields}
        slices = []
        for path in [path for path in read if path not in below]:
            type = self.types[made[path]]
            value = self.fresh.value(type.with_axes(*type.axes[1:]), "part")
            self.types[value.name] = value.type
            below[path] = value.name
            slices.append((made[path], value))
        self.types.update((value.name, value.type) for value in first.regions[0].values.values())
        joined = self.graph(first.regions[0], body, below)
        assert first.structure is not None, first
        return replace(
            first,
            inputs=(*(name for name, _ in slices), *first.inputs, *second.inputs),
            outputs=(*first.outputs, *second.outputs),
            regions=(replace(joined, inputs=(*(value for _, value in slices), *joined.inputs)),),
            structure=first.structure.taking(len(slices) + len(second.inputs), 0),
        )
