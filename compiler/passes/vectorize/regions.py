"""Vectorizing of what holds or calls graphs: loops, choices, derivatives, weights and their changes, calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ogive.compiler.ir.attributes import (
    AssumeAttrs,
    ChoiceAttrs,
    CustomGradAttrs,
    GradAttrs,
    LoopAttrs,
    RepeatAttrs,
    ScanAttrs,
    TapAttrs,
    UpdateAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import Attrs, Bindings, CallAttrs, Const, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir_tools.effects import Effect, Effects, own_effect
from ogive.compiler.ir_tools.interpreter import Interpreter
from ogive.compiler.passes.vectorize.rules import rule_of
from ogive.compiler.passes.vectorize.values import Values, places
from ogive.compiler.sizes import Size

Flags = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Called:
    """A definition that is applied at every index at once: which inputs and results have the axis."""

    definition: Definition
    inputs: Flags
    outputs: Flags
    bindings: Bindings


class Members(Protocol):
    """What is known of the definition that holds the graph."""

    def stacked(self, path: str) -> bool:
        """Whether the weights at a path are of every index for itself."""

    def call(self, node: Node, inputs: Flags, axis: Size) -> Called | None:
        """The definition that a call becomes; None for one that cannot be vectorized."""


@dataclass(frozen=True, slots=True)
class Vectorizer(Interpreter[Values, Operand]):
    """Appends the nodes of a graph at every index of the axis; a value of the graph means one of the new graph."""

    members: Members

    def read(self, frame: Values, operand: Operand) -> Operand:
        return frame.names[operand] if isinstance(operand, str) else operand

    def bind(self, frame: Values, value: Value, meaning: Operand) -> None:
        frame.names[value.name] = meaning

    def operation(self, frame: Values, node: Node) -> Sequence[Operand]:
        inputs = tuple(self.inputs(frame, node))
        rule = rule_of(node.op) if any(map(frame.has, inputs)) or own_effect(node) & Effect.DRAWS else None
        if rule is None:
            return self.alone(frame, node)
        rule(frame, node, inputs)
        return [frame.names[value.name] for value in node.outputs]

    def alone(self, frame: Values, node: Node) -> Sequence[Operand]:
        """A node that does not depend on the axis."""
        return frame.add(replace(node, inputs=tuple(self.inputs(frame, node))), False)

    def inside(
        self, values: Values, graph: Graph, flags: Sequence[bool], full: Sequence[bool] | None = None
    ) -> tuple[Graph, Flags]:
        """A region whose inputs have the axis as told; and which of its outputs do, at least those of `full`."""
        inner = Values(values.axis, values.fresh, maybe=values.maybe)
        inputs = [inner.input(value, flag) for value, flag in zip(graph.inputs, flags, strict=True)]
        outputs = self.graph(inner, graph)
        wanted = full or (False,) * len(outputs)
        pairs = zip(outputs, wanted, strict=True)
        outputs = tuple(inner.full(_tensor(x)) if want and x is not None else x for x, want in pairs)
        return inner.graph(inputs, outputs), tuple(map(inner.has, outputs))

    # weights

    def visit_weight(self, frame: Values, node: Node, told: WeightAttrs) -> Sequence[Operand]:
        """Weights of every index for itself are stacked on a first axis."""
        mapped = self.members.stacked(node.path)
        return frame.add(replace(node, outputs=_bound(frame, node, (mapped,))), mapped)

    def visit_update(self, frame: Values, node: Node, told: UpdateAttrs) -> Sequence[Operand]:
        """A state of every index for itself; one that all share becomes the mean of what they would make of it."""
        (value,) = self.inputs(frame, node)
        if self.members.stacked(node.path):
            value = frame.full(value)
        elif frame.has(value):
            type = frame.base(value)
            op, attrs = ("mean", (("axes", (0,)),)) if type.floating else ("slice", _last(frame, len(type.axes)))
            value = frame.make(op, (value,), type, mapped=False, attrs=attrs)
        return frame.add(replace(node, inputs=(value,)), False)

    def visit_tap(self, frame: Values, node: Node, told: TapAttrs) -> Sequence[Operand]:
        """What is seen is the values at all indices."""
        (value,) = self.inputs(frame, node)
        return frame.add(replace(node, inputs=(frame.full(value),)), False)

    def visit_assume(self, frame: Values, node: Node, told: AssumeAttrs) -> Sequence[Operand]:
        """A condition on sizes holds for every index."""
        return self.alone(frame, node)

    # choices and loops

    def visit_choice(self, frame: Values, node: Node, told: ChoiceAttrs) -> Sequence[Operand]:
        """Both branches are vectorized; a result has the axis where it has it in one of them."""
        inputs = tuple(self.inputs(frame, node))
        flags = tuple(map(frame.has, inputs))
        found = [self.inside(frame, graph, flags)[1] for graph in node.regions]
        outputs = tuple(any(flag) for flag in zip(*found, strict=True))
        regions = tuple(self.inside(frame, graph, flags, outputs)[0] for graph in node.regions)
        made = replace(node, inputs=inputs, outputs=_bound(frame, node, outputs), regions=regions)
        return frame.add(made, outputs)

    def visit_loop(self, frame: Values, node: Node, told: LoopAttrs) -> Sequence[Operand]:
        """Carried values have the axis as soon as one iteration gives it to them."""
        (graph,), inputs = node.regions, self.inputs(frame, node)
        flags = self._settled(frame, node, told, inputs)
        before, has = told.parts(inputs), told.parts(flags)
        results = told.results(self.inside(frame, graph, flags)[1])
        yields = has.sliced[0] if isinstance(told, ScanAttrs) else any(results.yielded)
        given = [frame.full(x) if flag else x for x, flag in zip(before.carried, has.carried, strict=True)]
        if isinstance(told, ScanAttrs):
            axes = tuple(axis + flag for axis, flag in zip(told.axes, has.sliced, strict=True))
            sliced = [frame.full(x) if flag else x for x, flag in zip(before.sliced, has.sliced, strict=True)]
            told = replace(told, axes=axes, axis=axes[0])
        else:
            sliced = [_turned(frame, x) for x in before.sliced]
        wanted = (*has.carried, *[yields] * len(results.yielded))
        made, outputs = self.inside(frame, graph, flags, wanted)
        found = replace(node, inputs=(*given, *sliced, *before.captured), structure=told, regions=(made,))
        if isinstance(told, ScanAttrs) or not yields:
            return frame.add(replace(found, outputs=_bound(frame, node, outputs)), outputs)
        return _stacked_iterations(frame, found, told, outputs)

    def _settled(self, values: Values, node: Node, loop: LoopAttrs, inputs: Sequence[Operand]) -> list[bool]:
        """Which inputs of a loop have the axis: what is yielded by a `scan` has it with its first sliced operand."""
        flags = list(map(values.has, inputs))
        while True:
            has, made = loop.parts(flags), loop.results(self.inside(values, node.regions[0], flags)[1])
            carried, sliced = (a or b for a, b in zip(has.carried, made.carried, strict=True)), list(has.sliced)
            if isinstance(loop, ScanAttrs):
                sliced[0] = sliced[0] or any(made.yielded)
            found = [*carried, *sliced, *has.captured]
            if found == flags:
                return flags
            flags = found

    # derivatives

    def visit_grad(self, frame: Values, node: Node, told: GradAttrs) -> Sequence[Operand]:
        """The derivative of the sum over all indices, of which each depends on its own operand alone."""
        graph, inputs = node.regions[0], self.inputs(frame, node)
        same = not any(map(frame.has, inputs)) and not self.inside(frame, graph, (False,) * len(inputs))[1][0]
        if same and not by_index(graph):
            return self.alone(frame, node)
        graph, _ = self.inside(frame, graph, (True, *map(frame.has, inputs[1:])), (True,))
        (output,) = graph.outputs
        type = graph.values[str(output)].type
        total = frame.fresh.value(type.with_axes())
        summed = Node("sum", (output,), (total,), (("axes", (0,)),), span=node.span)
        graph = Graph(graph.inputs, (*graph.nodes, summed), (total.name,))
        given = (frame.full(inputs[0]), *inputs[1:])
        return frame.add(replace(node, inputs=given, outputs=_bound(frame, node, (True,)), regions=(graph,)), True)

    def visit_custom_grad(self, frame: Values, node: Node, told: CustomGradAttrs) -> Sequence[Operand]:
        """Both the value and its derivative are vectorized, with the axis in operand and result."""
        inputs = self.inputs(frame, node)
        flags = tuple(map(frame.has, inputs))
        forward, _ = self.inside(frame, node.regions[0], (True, *told.forward(flags).captured), (True,))
        backward, _ = self.inside(frame, node.regions[1], (True, True, *told.backward(flags).captured), (True,))
        given, regions = (frame.full(inputs[0]), *inputs[1:]), (forward, backward)
        return frame.add(replace(node, inputs=given, outputs=_bound(frame, node, (True,)), regions=regions), True)

    # calls

    def visit_call(self, frame: Values, node: Node, told: CallAttrs) -> Sequence[Operand]:
        """A call of the vectorized definition."""
        assert node.callee is not None, node
        assert not node.supplied, f"weights are supplied to {node.callee.name}, which is not inlined"
        inputs = self.inputs(frame, node)
        flags = tuple(map(frame.has, inputs))
        if not any(flags) and not self.members.stacked(node.path) and not by_index(node.callee.graph):
            return self.alone(frame, node)
        called = self.members.call(node, flags, frame.axis.size)
        if called is None:
            return one_by_one(frame, node, inputs)
        pairs = zip(inputs, called.inputs, strict=True)
        made = replace(
            node,
            inputs=tuple(frame.full(x) if flag and x is not None else x for x, flag in pairs),
            outputs=_bound(frame, node, called.outputs),
        )
        return frame.add(made.calling(called.definition, called.bindings), called.outputs)


def _tensor(operand: Operand) -> Operand:
    assert not isinstance(operand, Const), operand
    return operand


def _bound(values: Values, node: Node, flags: Sequence[bool]) -> tuple[Value, ...]:
    """The results of a node, those of `flags` with the axis."""
    pairs = zip(node.outputs, flags, strict=True)
    return tuple(replace(value, type=values.over(value.type)) if flag else value for value, flag in pairs)


def _last(values: Values, rank: int) -> Attrs:
    items = (("index", values.axis.size - 1), *[("all",)] * rank)
    return (("items", items),)


def _turned(values: Values, operand: Operand) -> Operand:
    """A value of every iteration with the iterations first: `n t ... -> t n ...`."""
    if not isinstance(operand, str) or not values.has(operand):
        return operand
    axes = places(values.base(operand))
    return values.moved(operand, (values.place, *axes), (axes[0], values.place, *axes[1:]), mapped=False)


def _stacked_iterations(values: Values, node: Node, loop: LoopAttrs, flags: Flags) -> Sequence[Operand]:
    """What is yielded comes with the iterations first."""
    results, has = loop.results(node.outputs), loop.results(flags)
    carried = _bound(values, replace(node, outputs=results.carried), has.carried)
    made = []
    for value in results.yielded:
        first, *rest = value.type.axes
        made.append(values.fresh.value(value.type.with_axes(first, values.axis, *rest), value.hint))
        if value.name in values.maybe:
            values.maybe.add(made[-1].name)
    values.add(replace(node, outputs=(*carried, *made)), (*has.carried, *[False] * len(made)))
    values.names.update((value.name, value.name) for value in carried)
    for value, result in zip(results.yielded, made, strict=True):
        axes = places(value.type)
        turned = (axes[0], values.place, *axes[1:])
        values.bind(value, values.moved(result.name, turned, (values.place, *axes)))
    return [values.names[value.name] for value in node.outputs]


def by_index(graph: Graph) -> bool:
    """Whether each index does something of its own, also without the axis: it draws numbers, or shows a value."""
    return bool(Effects().of_graph(graph) & (Effect.DRAWS | Effect.SHOWS))


def one_by_one(values: Values, node: Node, inputs: Sequence[Operand]) -> Sequence[Operand]:
    """The one loop that is left: a module of the user's own (`extern`), of which nothing is known, index by index.

    `each` refuses such a module, whose weights cannot be stacked.
    """
    turned = list(dict.fromkeys(x for x in inputs if isinstance(x, str) and values.has(x)))
    inside: dict[str, str] = {}
    params: list[Value] = []
    for x in dict.fromkeys((*turned, *(x for x in inputs if isinstance(x, str)))):
        value = values.fresh.value(values.base(x))
        inside[x] = value.name
        params.append(value)
    results = tuple(values.fresh.value(value.type) for value in node.outputs)
    own = replace(node, inputs=tuple(inside[x] if isinstance(x, str) else x for x in inputs), outputs=results)
    graph = Graph(tuple(params), (own,), tuple(value.name for value in results))
    told = RepeatAttrs(values.axis.size, 0, len(turned), None)
    outputs = _bound(values, node, (True,) * len(node.outputs))
    return values.add(Node.of(told, tuple(inside), outputs, (graph,), span=node.span), True)
