"""Calls inside of what is vectorized: an instance has one definition, so its calls agree on operands with the axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from ogive.compiler.ir.model import Bindings, CallAttrs, Definition, Graph, Instance, Member, Node, Operand, Value
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriting
from ogive.compiler.ops.recipe import AxisPattern
from ogive.compiler.passes.vectorize.regions import Called, Flags
from ogive.compiler.passes.vectorize.stacked_weights import stacked_inits
from ogive.compiler.passes.vectorize.values import UNIT, Values, places
from ogive.compiler.sizes import Size, Unknown, size


@dataclass(frozen=True, slots=True)
class VectorizedDefinition:
    """A vectorized definition, the unknown that is the size of its axis, and which of its results have it."""

    definition: Definition
    axis: Unknown
    outputs: Flags


class Definitions(Protocol):
    """The vectorized definitions of a model."""

    def of(self, definition: Definition, inputs: Flags, stacked: bool, whole: bool, axis: Size) -> VectorizedDefinition:
        """A definition at every index: `inputs` tell which have the axis, `stacked` whether weights have it.

        With `whole`, every call inside is made with the axis in all its inputs.
        """


@dataclass(slots=True)
class Calls:
    """The calls of one definition.

    `needed` holds for each instance and definition that is called which inputs have the axis in some call: where it
    grows, the graph is vectorized once more.
    """

    definitions: Definitions
    definition: Definition
    every: Size | None = None  # the definition is vectorized with all its weights, over an axis of that size
    whole: bool = False
    kind: str = ""  # `over` or `each`, of the region that is being vectorized
    needed: dict[tuple[str, int], Flags] = field(default_factory=dict)
    wholes: dict[str, Size] = field(default_factory=dict)  # instances of which parts are called from outside
    vectorized: dict[int, VectorizedDefinition] = field(
        default_factory=dict
    )  # by identity of the vectorized definition
    size: int = 0

    def grew(self) -> bool:
        """Whether more was needed since the last time."""
        before, self.size = self.size, sum(map(sum, self.needed.values())) + len(self.needed) + len(self.wholes)
        return before != self.size

    @contextmanager
    def inside(self, kind: str) -> Iterator[None]:
        """Inside a region of that kind."""
        outer, self.kind = self.kind, kind
        yield
        self.kind = outer

    def owner(self, path: str) -> Instance | None:
        """The instance of the definition at or above a path."""
        instances = self.definition.instances
        return next((m for m in instances if path == m.path or path.startswith(f"{m.path}.")), None)

    def stacked(self, path: str) -> bool:
        """Whether the weights at a path are of every index for itself."""
        if self.every is not None:
            return bool(path)
        owner = self.owner(path)
        return self.kind == "each" and owner is not None and owner.vectorized is not None

    def call(self, node: Node, inputs: Flags, axis: Size) -> Called | None:
        """The definition that a call becomes."""
        callee = node.callee
        assert callee is not None, node
        if any(inner.op == "extern" for inner in callee.graph.nodes):
            return None
        stacked, whole = not callee.stateless and self.stacked(node.path), self.whole
        if node.path:
            owner = self.owner(node.path)
            if owner is not None and owner.path != node.path:
                whole = True
                self.wholes[owner.path] = axis
            whole = whole or node.path in self.wholes
            key = (node.path, id(callee))
            before = self.needed.get(key, (False,) * len(inputs))
            inputs = tuple(a or b or whole for a, b in zip(before, inputs, strict=True))
            self.needed[key] = inputs
        found = self.definitions.of(callee, inputs, stacked, whole, axis)
        self.vectorized[id(found.definition)] = found
        return Called(found.definition, inputs, found.outputs, (*node.bindings, (found.axis, axis)))

    def members(self, graph: Graph) -> tuple[Member, ...]:
        """The members, with the definitions that calls now have."""
        callees = {n.path: n for n in graph.walk() if n.op == "call" and n.path and id(n.callee) in self.vectorized}
        return tuple(self._member(member, callees.get(member.path)) for member in self.definition.members)

    def _member(self, member: Member, call: Node | None) -> Member:
        if not isinstance(member, Instance):
            return member
        definition, bindings = member.definition, member.bindings
        if call is not None and call.callee is not None:
            definition, bindings = call.callee, call.bindings
        else:
            axis = member.vectorized or self.every or self.wholes.get(member.path)
            if axis is None:
                return member
            definition, bindings = self._uncalled(member, axis)
        return replace(
            member,
            definition=definition,
            bindings=bindings,
            vectorized=None,
            inits=stacked_inits(definition, member.inits),
        )

    def _uncalled(self, member: Instance, axis: Size) -> tuple[Definition, Bindings]:
        """The definition of an instance that is not called itself: parts of it are, or its weights are read."""
        flags = (True,) * len(member.definition.graph.inputs)
        stacked = self.every is not None or member.vectorized is not None
        found = self.definitions.of(member.definition, flags, stacked, True, axis)
        return found.definition, (*member.bindings, (found.axis, axis))


def agree(graph: Graph, calls: Calls, fresh: Fresh, maybe: set[str]) -> Graph:
    """Calls outside of regions of an instance that is vectorized elsewhere, as those at one index. `maybe` are the
    values that may be absent.
    """
    vectorized = {n.path: n for n in graph.walk() if n.op == "call" and n.path and id(n.callee) in calls.vectorized}
    if not vectorized:
        return graph

    return _AtOneIndex(calls, vectorized, fresh, maybe).rewritten(graph)


@dataclass(frozen=True, slots=True)
class _AtOneIndex(LocalRewriter[Rewriting]):
    calls: Calls
    vectorized: Mapping[str, Node]  # the calls of vectorized definitions, by path
    fresh: Fresh
    maybe: set[str]

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)

    def visit_call(self, frame: Rewriting, node: Node, told: CallAttrs) -> Sequence[Operand]:
        other = self.vectorized.get(node.path)
        if other is None or id(node.callee) in self.calls.vectorized:
            return frame.add(node)
        values = Values(Axis(size(1)), self.fresh, types=frame.types, maybe=self.maybe)
        frame.nodes += _at_one_index(node, other, self.calls, values)
        return [value.name for value in node.outputs]


def _at_one_index(node: Node, other: Node, calls: Calls, values: Values) -> list[Node]:
    """f(x) = f'(x[None])[0] for the vectorized f'."""
    assert other.callee is not None, other
    found = calls.vectorized[id(other.callee)]
    inputs = list(node.inputs)
    for at, (operand, param) in enumerate(zip(node.inputs, found.definition.graph.inputs, strict=True)):
        plain = node.callee.graph.inputs[at].type if node.callee is not None else param.type
        if isinstance(operand, str) and len(param.type.axes) > len(plain.axes):
            axes = places(values.types[operand])
            inputs[at] = values.moved(operand, axes, (UNIT, *axes))
    results = tuple(
        values.fresh.value(values.over(v.type), v.hint) if flag else v
        for v, flag in zip(node.outputs, found.outputs, strict=True)
    )
    bindings = (*node.bindings, (found.axis, size(1)))
    call = replace(node, inputs=tuple(inputs), outputs=results).calling(found.definition, bindings)
    after = [
        _first(values, value, result)
        for value, result in zip(node.outputs, results, strict=True)
        if result is not value
    ]
    return [*values.nodes, call, *after]


def _first(values: Values, value: Value, result: Value) -> Node:
    """`y[0]`, as a move."""
    axes = places(value.type)
    recipe = AxisPattern(((UNIT, *axes),), (axes,))
    move = Node("rearrange", (result.name,), (value,), (("recipe", recipe),))
    if value.name not in values.maybe:
        return move
    values.types[result.name] = result.type
    return values.where_given(move)
