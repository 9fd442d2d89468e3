"""What a channel without weights still gives: σ(0), which a map that reads it can have in its bias."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from ogive.compiler.analysis.frame.interpreter import DomainFrame
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import Provenance
from ogive.compiler.analysis.provenance.zeros import NONE, ZeroFrame, ZeroInterpreter, Zeros
from ogive.compiler.ir.model import Graph, Node, Value
from ogive.compiler.ir.substitute import open_settings, with_numbers
from ogive.compiler.ops import OPS

PASSED = frozenset(("dropout",))  # what leaves numbers as they are in use


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Channels of a leaf that are gone give `constant` times the entries of `weight` all the same: to `bias`."""

    weight: str
    bias: str
    leaf: Dim
    constant: float


def left_over(found: Provenance, kept: Mapping[Dim, object]) -> list[LeftOver]:
    """The maps that read channels which are no more, and a function of 0 in their place."""
    graph = found.model.definition.graph
    readings: dict[str, int] = {}
    for node in graph.walk():
        if node.op == "weight":
            readings[node.path] = readings.get(node.path, 0) + 1
    return [each for each in _in(graph, found, kept) if readings[each.weight] == readings[each.bias] == 1]


def _in(graph: Graph, found: Provenance, kept: Mapping[Dim, object]) -> Iterator[LeftOver]:
    for node in graph.nodes:
        for region in node.regions:
            yield from _in(region, found, kept)
        paths = _whole_map(graph, node)
        if paths is None:
            continue
        dims = found.weights[paths[0]]
        for leaf in dict.fromkeys(dims[1].leaves()):
            others = {each for dim in (dims[0], *dims[2:]) for each in dim.leaves()}
            here = leaf in kept and dims[1].found is leaf and leaf not in others
            constant = _constant(graph, node.inputs[0], found, paths[0], leaf) if here else 0.0
            if constant:
                yield LeftOver(*paths, leaf, constant)


def _whole_map(graph: Graph, node: Node) -> tuple[str, str] | None:
    """The weight and the bias of a map that reads every entry at every place; a border of zeros is no such place."""
    if node.op not in ("linear", "conv") or len(node.inputs) < 3:
        return None
    if node.op == "conv":
        pad = node.attr("pad")
        if pad == "same" or any(each != 0 for each in pad) or node.attr("groups") != 1:
            return None
    makers = [graph.producers.get(x) if isinstance(x, str) else None for x in node.inputs[1:3]]
    weight, bias = (maker.path if maker is not None and maker.op == "weight" else "" for maker in makers)
    return (weight, bias) if weight and bias else None


def _constant(graph: Graph, operand: object, found: Provenance, reader: str, leaf: Dim) -> float:
    """What stands at entries of a leaf of which all weights but those of the reader are 0; 0 where it is not known."""
    functions = []
    while isinstance(operand, str):
        maker = graph.producers.get(operand)
        spec = OPS.get(maker.op) if maker is not None else None
        if maker is None or spec is None:
            return 0.0
        told = with_numbers(maker)
        if maker.op in PASSED:
            operand = maker.inputs[0]
        elif spec.pointwise is not None and len(maker.inputs) == 1 and not open_settings(told):
            functions.append(spec.pointwise(dict(told.attrs)))
            operand = maker.inputs[0]
        else:
            break
    value = 0.0
    for facts in reversed(functions):
        if not facts.domain[0] <= value <= facts.domain[1]:
            return 0.0
        value = facts.value(value)
    known = value and abs(value) < inf and leaf in _zeros(found, reader).get(str(operand), ())
    return value if known else 0.0


def _zeros(found: Provenance, reader: str) -> Mapping[str, Zeros]:
    """For each value the leaves at which it is 0, where all weights but one are."""
    zeroed = {
        path: frozenset(leaf for dim in dims for leaf in dim.leaves()) if path != reader else frozenset()
        for path, dims in found.weights.items()
    }
    interpreter = _Kept(found, zeroed)
    graph = found.model.definition.graph
    frame: ZeroFrame = DomainFrame(graph)
    for value in graph.inputs:
        interpreter.bind(frame, value, NONE)
    interpreter.graph(frame, graph)
    return interpreter.meanings


class _Kept(ZeroInterpreter):
    """Keeps what it finds of each value."""

    __slots__ = ("meanings",)

    def __init__(self, found: Provenance, zeroed: Mapping[str, Zeros]) -> None:
        super().__init__(found, zeroed)
        self.meanings: dict[str, Zeros] = {}

    def bind(self, frame: ZeroFrame, value: Value, meaning: Zeros) -> None:
        super().bind(frame, value, meaning)
        self.meanings[value.name] = meaning
