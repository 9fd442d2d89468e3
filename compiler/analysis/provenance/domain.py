"""The domain of provenance: every axis of every value is a dimension, and operations say which are one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ogive.compiler.analysis.frame.interpreter import AbstractInterpreter, DomainFrame, UnknownOp
from ogive.compiler.analysis.provenance.dims import Dim, FrozenBy, meet
from ogive.compiler.analysis.provenance.kernels import KERNELS
from ogive.compiler.analysis.provenance.rules import RULES
from ogive.compiler.ir.attributes import (
    ChoiceAttrs,
    CustomGradAttrs,
    LoopAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Graph, Model, Node, Operand, Value, Weight

Dims = tuple[Dim, ...]
INPUT, OUTPUT = FrozenBy("an input of the model"), FrozenBy("an output of the model")


@dataclass(slots=True)
class ProvenanceFrame(DomainFrame[Dims]):
    """A graph, and the loop in whose body it stands."""

    loop: str = ""


@dataclass(slots=True)
class Provenance:
    """The dimensions of a model of one definition: those of its weights by path and of its values by name, those that
    attributes of a node name (atoms of patterns, `groups`) by the name of its first result, and what is unknown.
    """

    model: Model
    weights: dict[str, Dims] = field(default_factory=dict)
    values: dict[str, Dims] = field(default_factory=dict)
    named: dict[str, dict[str, Dim]] = field(default_factory=dict)
    unknown: tuple[UnknownOp, ...] = ()


def provenance(model: Model) -> Provenance:
    """Which axes of a flattened model are one, symbolic where sizes are."""
    found = Provenance(model)
    interpreter = ProvenanceInterpreter(found)
    definition = model.definition
    frame = ProvenanceFrame(definition.graph)
    for value in definition.graph.inputs:
        dims = fresh(value)
        for dim in dims:
            dim.freeze(INPUT)
        interpreter.bind(frame, value, dims)
    for weight in definition.weights:
        interpreter.stored(weight)
    for dims in interpreter.graph(frame, definition.graph):
        for dim in dims:
            dim.freeze(OUTPUT)
    found.unknown = tuple(interpreter.unknown)
    return found


def fresh(value: Value) -> Dims:
    """New dimensions for the axes of a value."""
    return tuple(Dim(axis.size) for axis in value.type.axes)


class ProvenanceInterpreter(AbstractInterpreter[ProvenanceFrame, Dims]):
    """Rules see the interpreter: they make dimensions, and name those of attributes."""

    __slots__ = ("_rules", "result")

    def __init__(self, result: Provenance) -> None:
        super().__init__()
        self.result = result
        self._rules = {name: partial(rule, self) for name, rule in {**RULES, **KERNELS}.items()}

    @property
    def rules(self) -> Mapping[str, Callable[[ProvenanceFrame, Node, Sequence[Dims]], Sequence[Dims]]]:
        return self._rules

    def literal(self, frame: ProvenanceFrame, operand: Operand) -> Dims:
        return ()

    def opaque(self, frame: ProvenanceFrame, value: Value) -> Dims:
        return fresh(value)

    def not_known(self, frame: ProvenanceFrame, node: Node, reason: str) -> Sequence[Dims]:
        """Nothing that it reads or makes may change, and no weight that is read inside of it."""
        results = super().not_known(frame, node, reason)
        by = FrozenBy(f"`{node.op}`: {reason}", node.span)
        inside = [
            each.path for region in node.regions for each in region.walk() if isinstance(each.structure, WeightAttrs)
        ]
        held = [self.result.weights[path] for path in inside if path in self.result.weights]
        for dims in (*self.inputs(frame, node), *results, *held):
            for dim in dims:
                dim.freeze(by)
        return results

    def bind(self, frame: ProvenanceFrame, value: Value, meaning: Dims) -> None:
        assert len(meaning) == len(value.type.axes), (value, meaning)
        super().bind(frame, value, meaning)
        self.result.values[value.name] = meaning
        for dim in meaning:
            dim.seen(frame.loop)

    def name(self, node: Node, dims: Mapping[str, Dim]) -> None:
        """Note the dimensions that attributes of a node speak of."""
        self.result.named[node.outputs[0].name] = dict(dims)

    def same(self, node: Node, a: Dim, b: Dim) -> Dim:
        """Two dimensions that meet in an operation."""
        meet(a, b, FrozenBy(f"`{node.op}` meets axes that are taken apart in two ways", node.span))
        return a

    def all_same(self, node: Node, a: Dims, b: Dims) -> None:
        """As `same`, axis by axis."""
        for x, y in zip(a, b, strict=True):
            self.same(node, x, y)

    # weights, loops, choices

    def stored(self, weight: Weight) -> None:
        """The dimensions of a weight."""
        dims = tuple(Dim(axis.size) for axis in weight.type.axes)
        self.result.weights[weight.path] = dims
        if weight.keep is not None:
            for dim in dims:
                dim.freeze(FrozenBy("a constraint (`keep`) is computed over it", weight.span))

    def visit_weight(self, frame: ProvenanceFrame, node: Node, told: WeightAttrs) -> Sequence[Dims]:
        (value,) = node.outputs
        dims = self.result.weights.get(node.path)
        if dims is None or told.stacked:
            return self.not_known(frame, node, "weights of all iterations, or of all indices, at once")
        assert len(dims) == len(value.type.axes), node
        return [dims]

    def visit_update(self, frame: ProvenanceFrame, node: Node, told: UpdateAttrs) -> Sequence[Dims]:
        dims = self.result.weights.get(node.path)
        (given,) = self.inputs(frame, node)
        if dims is not None and len(dims) == len(given):
            self.all_same(node, dims, given)
        return ()

    def visit_call(self, frame: ProvenanceFrame, node: Node, told: CallAttrs) -> Sequence[Dims]:
        return self.not_known(frame, node, "a block that stays whole: vectorized, or the user's own")

    def visit_choice(self, frame: ProvenanceFrame, node: Node, told: ChoiceAttrs) -> Sequence[Dims]:
        """All arms: what either reads is coupled."""
        given = self.inputs(frame, node)
        results: Sequence[Dims] = ()
        for region in node.regions:
            found = self.region(frame, region, self._filled(region, given))
            for dims, others in zip(results, found, strict=False):
                if dims and others:
                    self.all_same(node, dims, others)
            results = [b or a for a, b in zip(results or found, found, strict=True)]
        return [dims or self._absent(node, value) for dims, value in zip(results, node.outputs, strict=True)]

    def _filled(self, region: Graph, given: Sequence[Dims]) -> list[Dims]:
        """What a region is given; what is absent gets dimensions of its own."""
        return [
            dims if len(dims) == len(value.type.axes) else fresh(value)
            for dims, value in zip(given, region.inputs, strict=True)
        ]

    def _absent(self, node: Node, value: Value) -> Dims:
        dims = fresh(value)
        for dim in dims:
            dim.freeze(FrozenBy(f"`{node.op}`: absent in one arm", node.span))
        return dims

    def visit_custom_grad(self, frame: ProvenanceFrame, node: Node, told: CustomGradAttrs) -> Sequence[Dims]:
        return self.not_known(frame, node, "a derivative of its own")

    def visit_vectorized(self, frame: ProvenanceFrame, node: Node, told: VectorizedAttrs) -> Sequence[Dims]:
        return self.not_known(frame, node, "a block at every index of an axis")

    def visit_loop(self, frame: ProvenanceFrame, node: Node, told: LoopAttrs) -> Sequence[Dims]:
        """What a loop carries is one in all iterations; what it slices and yields keeps its axis."""
        given, region = self.inputs(frame, node), node.regions[0]
        inside: list[Dims] = []
        by = FrozenBy("the iterations of a loop", node.span)
        for at, (dims, value) in enumerate(zip(given, region.inputs, strict=True)):
            axis = told.input_axis(at)
            if axis is not None:
                dims[axis].freeze(by)
                dims = (*dims[:axis], *dims[axis + 1 :])
            inside.append(dims if len(dims) == len(value.type.axes) else fresh(value))
        body = ProvenanceFrame(region, frame.path, frame.known, node.path or frame.loop)
        found = self.region(body, region, inside)
        results: list[Dims] = []
        for at, (dims, value) in enumerate(zip(found, node.outputs, strict=True)):
            if told.carries(at):
                self.all_same(node, dims, inside[at])
                results.append(dims)
                continue
            stacked = Dim(value.type.axes[told.yield_axis].size)
            stacked.freeze(by)
            results.append((*dims[: told.yield_axis], stacked, *dims[told.yield_axis :]))
        return results
