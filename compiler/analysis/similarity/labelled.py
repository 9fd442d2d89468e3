"""A model as a graph of labelled nodes: what it computes, without what anything is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Const, Graph, Model, Node, Scalar, Value
from ogive.compiler.ops.recipe import AxisPattern, Part, Side
from ogive.compiler.sizes import Size

ROUNDS = 4  # of the hashes: what is that many steps away counts


@dataclass(frozen=True, slots=True)
class LabelledNode:
    """An operation, an input, a weight or an output. `inputs` are the nodes that it reads, in its order."""

    label: str
    inputs: tuple[int, ...]
    op: str
    path: str = ""
    shape: tuple[Size, ...] = ()


@dataclass(slots=True)
class LabelledGraph:
    """Nodes in an order in which they can run; those of the bodies of loops stand before the loop, which reads them."""

    nodes: list[LabelledNode] = field(default_factory=list)

    @property
    def edges(self) -> Iterator[tuple[int, int, int]]:
        """From, to, and at which operand."""
        for at, node in enumerate(self.nodes):
            for operand, source in enumerate(node.inputs):
                yield source, at, operand

    def colours(self, rounds: int = ROUNDS) -> list[list[str]]:
        """For each round a hash of each node: its label, then those of what it reads and of what reads it.

        Weisfeiler, Lehman 1968; Shervashidze et al. 2011. Graphs that are alike have the same hashes.
        """
        found = [[_hashed(node.label) for node in self.nodes]]
        readers: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for source, target, operand in self.edges:
            readers[source].append((operand, target))
        for _ in range(rounds):
            last = found[-1]
            found.append(
                [
                    _hashed(
                        last[at],
                        *(last[source] for source in node.inputs),
                        "read by",
                        *sorted(f"{operand} {last[target]}" for operand, target in readers[at]),
                    )
                    for at, node in enumerate(self.nodes)
                ]
            )
        return found

    @property
    def hash(self) -> str:
        """One of the whole graph: equal for graphs that are alike."""
        return _hashed(*sorted(self.colours()[-1]))


def _hashed(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def labelled(model: Model) -> LabelledGraph:
    """The graph of a flattened model."""
    graph = LabelledGraph()
    definition = model.definition
    known: dict[str, int] = {}
    for value in definition.graph.inputs:
        known[value.name] = _added(graph, LabelledNode(f"input {value.type.elem}", (), "input", "", _shape(value)))
    weights = {weight.path: weight.kind for weight in definition.weights}
    _walk(graph, definition.graph, known, weights, {})
    for output in definition.graph.outputs:
        if isinstance(output, str):
            _added(graph, LabelledNode("output", (known[output],), "output"))
    return graph


def _added(graph: LabelledGraph, node: LabelledNode) -> int:
    graph.nodes.append(node)
    return len(graph.nodes) - 1


def _shape(value: Value) -> tuple[Size, ...]:
    return tuple(axis.size for axis in value.type.axes)


def _walk(
    graph: LabelledGraph, inside: Graph, known: dict[str, int], weights: Mapping[str, str], tied: dict[str, int]
) -> None:
    for node in inside.nodes:
        if isinstance(node.structure, WeightAttrs):
            if node.path not in tied:
                label = f"weight {weights.get(node.path, '')} {_numbers(_shape(node.outputs[0]))}"
                tied[node.path] = _added(graph, LabelledNode(label, (), "weight", node.path, _shape(node.outputs[0])))
            known[node.outputs[0].name] = tied[node.path]
            continue
        read = [known[x] for x in node.inputs if isinstance(x, str)]
        for region in node.regions:
            for at, value in enumerate(region.inputs):
                operand = node.inputs[at] if len(region.inputs) == len(node.inputs) else None
                if isinstance(operand, str):
                    known[value.name] = known[operand]
                else:
                    label = f"region {at} {value.type.elem}"
                    known[value.name] = _added(graph, LabelledNode(label, (), "region", "", _shape(value)))
            _walk(graph, region, known, weights, tied)
            read += [known[x] for x in region.outputs if isinstance(x, str)]
        at = _added(graph, LabelledNode(label_of(node), tuple(read), node.op, "", _first(node)))
        for number, value in enumerate(node.outputs):
            known[value.name] = at
            if number:
                result = LabelledNode(f"result {number}", (at,), "result", "", _shape(value))
                known[value.name] = _added(graph, result)


def _first(node: Node) -> tuple[Size, ...]:
    return _shape(node.outputs[0]) if node.outputs else ()


def label_of(node: Node) -> str:
    """The operation and its settings; literals stand in their places."""
    literals = [f"{at}={_said(x.value)}" for at, x in enumerate(node.inputs) if isinstance(x, Const)]
    skipped = ("path", "callee", "bindings", "supplied", "index")
    settings = [f"{key}={_said(value)}" for key, value in node.settings if key not in skipped and value is not None]
    return " ".join([node.op, *literals, *settings])


def _said(value: Any) -> str:
    """A setting without names: of what is symbolic only that it is."""
    match value:
        case Size():
            return str(value) if value.is_number else "size"
        case AxisPattern():
            return _pattern(value)
        case Scalar(fn=fn, args=args):
            return f"{fn}({', '.join(map(_said, args))})"
        case tuple() | list():
            return f"({', '.join(map(_said, value))})"
        case bool() | int() | float() | None:
            return str(value)
        case str():
            return value
        case _:
            return type(value).__name__


def _pattern(recipe: AxisPattern) -> str:
    """With axes numbered as they come."""
    numbers: dict[str, int] = {}

    def group(parts: Sequence[Part]) -> str:
        named = ([str(numbers.setdefault(atom.name, len(numbers))) for atom in part] for part in parts)
        return f"({'+'.join(map('.'.join, named))})"

    def side(axes: Side) -> str:
        return " ".join(group(each.parts) for each in axes)

    halves = (", ".join(map(side, sides)) for sides in (recipe.inputs, recipe.outputs))
    return " -> ".join(halves)


def _numbers(shape: Sequence[Size]) -> str:
    return " ".join(str(each) if each.is_number else "size" for each in shape)
