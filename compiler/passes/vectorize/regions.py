"""Vectorizing of what holds or calls graphs: loops, choices, derivatives, weights and their changes, calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from ogive.compiler.ir.attributes import CustomGradAttrs, LoopAttrs, RepeatAttrs, ScanAttrs
from ogive.compiler.ir.model import Attrs, Bindings, Const, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir_tools.effects import Effect, Effects, own_effect
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


def vectorize_nodes(values: Values, members: Members, nodes: Sequence[Node]) -> None:
    """Append the nodes at every index of the axis."""
    for node in nodes:
        inputs = tuple(values.names[x] if isinstance(x, str) else x for x in node.inputs)
        if node.op in STRUCTURE:
            STRUCTURE[node.op](values, members, node, inputs)
            continue
        rule = rule_of(node.op) if any(map(values.has, inputs)) or own_effect(node) & Effect.DRAWS else None
        if rule is None:
            _alone(values, node, inputs)
        else:
            rule(values, node, inputs)


def _alone(values: Values, node: Node, inputs: Sequence[Operand]) -> None:
    """A node that does not depend on the axis."""
    values.add(replace(node, inputs=tuple(inputs)), False)
    values.names.update((value.name, value.name) for value in node.outputs)


def region(
    values: Values, members: Members, graph: Graph, flags: Sequence[bool], full: Sequence[bool] | None = None
) -> tuple[Graph, Flags]:
    """A region whose inputs have the axis as told; and which of its outputs do, at least those of `full`."""
    inner = Values(values.axis, values.fresh, maybe=values.maybe)
    inputs = [inner.input(value, flag) for value, flag in zip(graph.inputs, flags, strict=True)]
    vectorize_nodes(inner, members, graph.nodes)
    outputs = [inner.names[x] if isinstance(x, str) else x for x in graph.outputs]
    wanted = full or (False,) * len(outputs)
    pairs = zip(outputs, wanted, strict=True)
    outputs = [inner.full(_tensor(x)) if want and x is not None else x for x, want in pairs]
    return inner.graph(inputs, outputs), tuple(map(inner.has, outputs))


def _tensor(operand: Operand) -> Operand:
    assert not isinstance(operand, Const), operand
    return operand


def _bound(values: Values, node: Node, flags: Sequence[bool]) -> tuple[Value, ...]:
    """The results of a node, those of `flags` with the axis."""
    values.names.update((value.name, value.name) for value in node.outputs)
    pairs = zip(node.outputs, flags, strict=True)
    return tuple(replace(value, type=values.over(value.type)) if flag else value for value, flag in pairs)


# --- weights ----------------------------------------------------------------------------------------------------------


def weight(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """Weights of every index for itself are stacked on a first axis."""
    del inputs
    mapped = members.stacked(node.path)
    values.add(replace(node, outputs=_bound(values, node, (mapped,))), mapped)


def update(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """A state of every index for itself; one that all share becomes the mean of what they would make of it."""
    (value,) = inputs
    if members.stacked(node.path):
        value = values.full(value)
    elif values.has(value):
        type = values.base(value)
        op, attrs = ("mean", (("axes", (0,)),)) if type.floating else ("slice", _last(values, len(type.axes)))
        value = values.make(op, (value,), type, mapped=False, attrs=attrs)
    values.add(replace(node, inputs=(value,)), False)


def _last(values: Values, rank: int) -> Attrs:
    items = (("index", values.axis.size - 1), *[("all",)] * rank)
    return (("items", items),)


def tap(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """What is seen is the values at all indices."""
    del members
    (value,) = inputs
    values.add(replace(node, inputs=(values.full(value),)), False)


def unchanged(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """A condition on sizes holds for every index."""
    del members
    _alone(values, node, inputs)


# --- choices and loops ------------------------------------------------------------------------------------------------


def choice(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """Both branches are vectorized; a result has the axis where it has it in one of them."""
    flags = tuple(map(values.has, inputs))
    found = [region(values, members, graph, flags)[1] for graph in node.regions]
    outputs = tuple(any(flag) for flag in zip(*found, strict=True))
    regions = tuple(region(values, members, graph, flags, outputs)[0] for graph in node.regions)
    values.add(replace(node, inputs=tuple(inputs), outputs=_bound(values, node, outputs), regions=regions), outputs)


def loop(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """Carried values have the axis as soon as one iteration gives it to them."""
    told: LoopAttrs | None = node.loop
    assert told is not None, node
    (graph,) = node.regions
    flags = _settled(values, members, node, told, inputs)
    before, has = told.parts(inputs), told.parts(flags)
    results = told.results(region(values, members, graph, flags)[1])
    yields = has.sliced[0] if isinstance(told, ScanAttrs) else any(results.yielded)
    given = [values.full(x) if flag else x for x, flag in zip(before.carried, has.carried, strict=True)]
    if isinstance(told, ScanAttrs):
        axes = tuple(axis + flag for axis, flag in zip(told.axes, has.sliced, strict=True))
        sliced = [values.full(x) if flag else x for x, flag in zip(before.sliced, has.sliced, strict=True)]
        told = replace(told, axes=axes, axis=axes[0])
    else:
        sliced = [_turned(values, x) for x in before.sliced]
    wanted = (*has.carried, *[yields] * len(results.yielded))
    made, outputs = region(values, members, graph, flags, wanted)
    found = replace(node, inputs=(*given, *sliced, *before.captured), structure=told, regions=(made,))
    if isinstance(told, ScanAttrs) or not yields:
        values.add(replace(found, outputs=_bound(values, node, outputs)), outputs)
    else:
        _stacked_iterations(values, found, told, outputs)


def _settled(values: Values, members: Members, node: Node, loop: LoopAttrs, inputs: Sequence[Operand]) -> list[bool]:
    """Which inputs of a loop have the axis: what is yielded by a `scan` has it with its first sliced operand."""
    flags = list(map(values.has, inputs))
    while True:
        has, made = loop.parts(flags), loop.results(region(values, members, node.regions[0], flags)[1])
        carried, sliced = (a or b for a, b in zip(has.carried, made.carried, strict=True)), list(has.sliced)
        if isinstance(loop, ScanAttrs):
            sliced[0] = sliced[0] or any(made.yielded)
        found = [*carried, *sliced, *has.captured]
        if found == flags:
            return flags
        flags = found


def _turned(values: Values, operand: Operand) -> Operand:
    """A value of every iteration with the iterations first: `n t ... -> t n ...`."""
    if not isinstance(operand, str) or not values.has(operand):
        return operand
    axes = places(values.base(operand))
    return values.moved(operand, (values.place, *axes), (axes[0], values.place, *axes[1:]), mapped=False)


def _stacked_iterations(values: Values, node: Node, loop: LoopAttrs, flags: Flags) -> None:
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
    for value, result in zip(results.yielded, made, strict=True):
        axes = places(value.type)
        turned = (axes[0], values.place, *axes[1:])
        values.bind(value, values.moved(result.name, turned, (values.place, *axes)))


# --- derivatives ------------------------------------------------------------------------------------------------------


def gradient(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """The derivative of the sum over all indices, of which each depends on its own operand alone."""
    flags = (True, *map(values.has, inputs[1:]))
    graph = node.regions[0]
    same = not any(map(values.has, inputs)) and not region(values, members, graph, (False,) * len(inputs))[1][0]
    if same and not by_index(graph):
        _alone(values, node, inputs)
        return
    graph, _ = region(values, members, graph, flags, (True,))
    (output,) = graph.outputs
    type = graph.values[str(output)].type
    total = values.fresh.value(type.with_axes())
    summed = Node("sum", (output,), (total,), (("axes", (0,)),), span=node.span)
    graph = Graph(graph.inputs, (*graph.nodes, summed), (total.name,))
    given = (values.full(inputs[0]), *inputs[1:])
    values.add(replace(node, inputs=given, outputs=_bound(values, node, (True,)), regions=(graph,)), True)


def custom(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """Both the value and its derivative are vectorized, with the axis in operand and result."""
    told, flags = node.structure, tuple(map(values.has, inputs))
    assert isinstance(told, CustomGradAttrs), node
    forward, _ = region(values, members, node.regions[0], (True, *told.forward(flags).captured), (True,))
    backward, _ = region(values, members, node.regions[1], (True, True, *told.backward(flags).captured), (True,))
    given = (values.full(inputs[0]), *inputs[1:])
    regions = (forward, backward)
    values.add(replace(node, inputs=given, outputs=_bound(values, node, (True,)), regions=regions), True)


# --- calls ------------------------------------------------------------------------------------------------------------


def call(values: Values, members: Members, node: Node, inputs: Sequence[Operand]) -> None:
    """A call of the vectorized definition."""
    assert node.callee is not None, node
    assert not node.supplied, f"weights are supplied to {node.callee.name}, which is not inlined"
    flags = tuple(map(values.has, inputs))
    if not any(flags) and not members.stacked(node.path) and not by_index(node.callee.graph):
        _alone(values, node, inputs)
        return
    called = members.call(node, flags, values.axis.size)
    if called is None:
        one_by_one(values, node, inputs)
        return
    given = [values.full(x) if flag and x is not None else x for x, flag in zip(inputs, called.inputs, strict=True)]
    made = replace(
        node,
        inputs=tuple(given),
        outputs=_bound(values, node, called.outputs),
        callee=called.definition,
        bindings=called.bindings,
    )
    values.add(made, called.outputs)


def by_index(graph: Graph) -> bool:
    """Whether each index does something of its own, also without the axis: it draws numbers, or shows a value."""
    return bool(Effects().of_graph(graph) & (Effect.DRAWS | Effect.SHOWS))


def one_by_one(values: Values, node: Node, inputs: Sequence[Operand]) -> None:
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
    values.add(Node.of(told, tuple(inside), outputs, (graph,), span=node.span), True)


Vectorize = Callable[[Values, Members, Node, Sequence[Operand]], None]

STRUCTURE: MappingProxyType[str, Vectorize] = MappingProxyType(
    {
        "weight": weight,
        "update": update,
        "tap": tap,
        "assume": unchanged,
        "phase": choice,
        "given": choice,
        "tapped": choice,
        "repeat": loop,
        "scan": loop,
        "grad": gradient,
        "custom_grad": custom,
        "call": call,
    }
)
