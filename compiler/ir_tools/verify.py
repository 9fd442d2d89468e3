"""Checks the IR: names, types, regions, calls. What it finds is a fault of the compiler, not of its user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import NamedTuple

from ogive.compiler.ir.attributes import (
    AssumeAttrs,
    ChoiceAttrs,
    CustomGradAttrs,
    ExternAttrs,
    GradAttrs,
    InitialAttrs,
    LoopAttrs,
    TapAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import (
    STRUCTURES,
    UNFINISHED,
    CallAttrs,
    Const,
    Definition,
    Graph,
    Instance,
    Member,
    Model,
    Node,
    Operand,
    Value,
)
from ogive.compiler.ir.substitute import type_in_sizes
from ogive.compiler.ir.types import Axis, TensorType, pack_name
from ogive.compiler.ir.weights import loops_in, weight_types
from ogive.compiler.ir_tools.interpreter import Visitor
from ogive.compiler.ir_tools.maybe import maybe
from ogive.compiler.ir_tools.mentions import in_graph, mentioned, unknowns_of
from ogive.compiler.ops import OPS
from ogive.compiler.sizes import Facts, Size, Unknown


class InvalidIR(AssertionError):
    """The IR does not hold together."""


def verify(subject: Model | Definition) -> None:
    """Raise `Broken` with all faults of a model or a definition, and of what it uses."""
    root = subject.definition if isinstance(subject, Model) else subject
    found = [fault for definition in _all(root) for fault in faults(definition)]
    if found:
        raise InvalidIR("\n".join(found))


def faults(definition: Definition) -> list[str]:
    """What is wrong with one definition."""
    check = _Check(definition, Facts.of((*definition.conditions, *definition.facts)))
    found = list(check.run())
    if not found:
        reads = maybe(definition).faults
        found = [f"{definition.name}: {shown(node)} takes {name}, which may be absent there" for node, name in reads]
    return found


def _all(root: Definition) -> list[Definition]:
    found: dict[int, Definition] = {}

    def visit(definition: Definition) -> None:
        if id(definition) in found:
            return
        found[id(definition)] = definition
        for callee in definition.callees:
            visit(callee)

    visit(root)
    return list(found.values())


class NodeContext(NamedTuple):
    """What a node reads: the types of its inputs, and all values before it."""

    types: Sequence[TensorType | None]
    known: Mapping[str, Value]


@dataclass
class _Check(Visitor[NodeContext, Iterable[str]]):
    """Faults, as text. What holds graphs is only looked at where its structure is right."""

    definition: Definition
    facts: Facts
    names: set[str] = field(default_factory=set)

    def run(self) -> Iterator[str]:
        for text in self.graph(self.definition.graph):
            yield f"{self.definition.name}: {text}"
        yield from (f"{self.definition.name}: {text}" for text in self.foreign())
        if self.definition.step is not None:
            for text in _Check(self.definition, self.facts).graph(self.definition.step):
                yield f"{self.definition.name}: {text}, after a step"
        counts = (len(self.definition.graph.outputs), len(self.definition.output_names))
        if counts[0] != counts[1]:
            yield f"{self.definition.name}: {counts[0]} outputs and {counts[1]} names of outputs"
        if len(self.definition.optional) != len(self.definition.graph.inputs):
            yield f"{self.definition.name}: `optional` does not speak of each input"

    def foreign(self) -> Iterator[str]:
        """Sizes that nothing here binds: neither statics, nor sizes of inputs, nor the number of a loop around them."""
        own = {static.unknown for static in self.definition.statics if static.unknown is not None}
        own.update(self.definition.sizes)
        numbers = {node.path: node.loop.index for node in self.definition.graph.walk() if node.loop is not None}
        for member in self.definition.members:
            around = {number for path, number in numbers.items() if path and member.path.startswith(f"{path}.*.")}
            found = {unknown for item in mentioned(_without_inputs(member)) for unknown in unknowns_of(item)}
            found -= own | around
            yield from (f"{member.path} speaks of `{unknown}`, which is not bound here" for unknown in found)
        yield from self.unbound(self.definition.graph, own)

    def unbound(self, graph: Graph, own: set[Unknown]) -> Iterator[str]:
        """The same of the nodes of a graph."""
        for node in graph.nodes:
            alone = replace(node, regions=())
            items = in_graph(Graph((), (alone,), ()))
            number = None if node.loop is None else node.loop.index
            found = {unknown for item in items for unknown in unknowns_of(item)} - own - {number}
            yield from (f"{shown(node)} speaks of `{unknown}`, which is not bound here" for unknown in found)
            for region in node.regions:
                yield from self.unbound(region, own | {number} if number is not None else own)

    def graph(self, graph: Graph) -> Iterator[str]:
        known: dict[str, Value] = {}
        for value in graph.inputs:
            yield from self.named(value, known)
        for node in graph.nodes:
            missing = [name for name in node.operands if name not in known]
            if missing:
                yield f"{shown(node)} reads {', '.join(missing)}, not defined before it"
                known.update((value.name, value) for value in node.outputs)
                continue
            yield from self.faults(node, known)
            for value in node.outputs:
                yield from self.named(value, known)
        yield from (f"output {x} is not defined" for x in graph.outputs if isinstance(x, str) and x not in known)

    def named(self, value: Value, known: dict[str, Value]) -> Iterator[str]:
        if value.name in self.names:
            yield f"the name {value.name} appears twice"
        self.names.add(value.name)
        known[value.name] = value
        for axis in value.type.axes:
            if axis.pack is not None and pack_name(axis.size, "") != axis.pack:
                yield f"{value.name} has a pack {axis}, and its axes are {axis.size} together"

    def faults(self, node: Node, known: Mapping[str, Value]) -> Iterator[str]:
        faults = list(self.structure(node))
        yield from faults
        if faults:
            return
        for region in node.regions:
            yield from (f"{text}, in {shown(node)}" for text in self.graph(region))
        types = [known[x].type if isinstance(x, str) else None for x in node.inputs]
        yield from self.node(NodeContext(types, known), node)

    def operation(self, frame: NodeContext, node: Node) -> Iterable[str]:
        return ()

    def visit_weight(self, frame: NodeContext, node: Node, told: WeightAttrs) -> Iterable[str]:
        return self.weight(node, node.outputs[0].type, told.stacked)

    def visit_update(self, frame: NodeContext, node: Node, told: UpdateAttrs) -> Iterable[str]:
        return self.weight(node, frame.types[0], 0)

    def visit_assume(self, frame: NodeContext, node: Node, told: AssumeAttrs) -> Iterable[str]:
        return ()

    def visit_tap(self, frame: NodeContext, node: Node, told: TapAttrs) -> Iterable[str]:
        return ()

    def visit_extern(self, frame: NodeContext, node: Node, told: ExternAttrs) -> Iterable[str]:
        return ()

    def visit_initial(self, frame: NodeContext, node: Node, told: InitialAttrs) -> Iterable[str]:
        return ()

    def weight(self, node: Node, have: TensorType | None, stacked: int) -> Iterator[str]:
        wanted = weight_type(self.definition, node.path, stacked)
        if wanted is None:
            yield f"{shown(node)}: no weight at {node.path}"
            return
        if have is None or not self.same(have, wanted):
            yield f"{shown(node)}: the weight is {wanted}, not {have}"

    def visit_call(self, frame: NodeContext, node: Node, told: CallAttrs) -> Iterator[str]:
        callee, types = node.callee, frame.types
        if callee is None:
            yield f"{shown(node)}: calls nothing"
            return
        if node.path and not holds(self.definition, node.path) and not callee.stateless:
            yield f"{shown(node)}: no instance at {node.path}"
        bindings = dict(node.bindings)
        yield from unbound(shown(node), callee, bindings)
        if len(types) != len(callee.graph.inputs):
            yield f"{shown(node)}: {len(types)} inputs for {len(callee.graph.inputs)}"
            return
        for have, value, optional, operand in zip(
            types, callee.graph.inputs, callee.optional, node.inputs, strict=True
        ):
            yield from self.argument(node, have, type_in_sizes(value.type, bindings), optional, operand)
        results = [callee.graph.values.get(x) if isinstance(x, str) else None for x in callee.graph.outputs]
        if len(results) != len(node.outputs):
            yield f"{shown(node)}: {len(node.outputs)} results of {len(results)}"
            return
        for made, wanted in zip(node.outputs, results, strict=True):
            if wanted is not None and not self.same(made.type, type_in_sizes(wanted.type, bindings)):
                yield f"{shown(node)}: gives {type_in_sizes(wanted.type, bindings)}, not {made.type}"
        for path, name in node.supplied:
            inside = weight_type(callee, path, loops_in(path))
            if inside is None or not self.same(frame.known[name].type, type_in_sizes(inside, bindings)):
                yield f"{shown(node)}: {name} does not fit the weight {path}"

    def argument(
        self, node: Node, have: TensorType | None, wanted: TensorType, optional: bool, operand: Operand
    ) -> Iterator[str]:
        if operand is None and not optional:
            yield f"{shown(node)}: an input is absent"
        if have is not None and not self.same(have, wanted):
            yield f"{shown(node)}: takes {wanted}, is given {have}"

    def structure(self, node: Node) -> Iterator[str]:
        """An operation has attributes, or else the structure of its name."""
        wanted = STRUCTURES.get(node.op)
        if node.op in UNFINISHED or (wanted is None and node.op not in OPS):
            yield f"{shown(node)}: no such operation"
        elif type(node.structure) is not (wanted or NoneType):
            names = [each.__name__ for each in (type(node.structure), wanted or NoneType)]
            yield f"{shown(node)}: its structure is {names[0]}, not {names[1]}"
        elif wanted is not None and node.attrs:
            yield f"{shown(node)}: it has attributes beside its structure"

    def visit_loop(self, frame: NodeContext, node: Node, told: LoopAttrs) -> Iterator[str]:
        (region,), loop, types = node.regions, told, frame.types
        if len(region.inputs) != len(types) or len(region.outputs) != len(node.outputs):
            yield f"{shown(node)}: its region has {len(region.inputs)} inputs and {len(region.outputs)} outputs"
            return
        parts = loop.parts(types)
        made = loop.results([value.type for value in node.outputs])
        counts = (len(parts.carried), len(made.carried), len(parts.sliced), len(loop.slice_axes))
        if counts != (loop.carried, loop.carried, loop.sliced, loop.sliced):
            yield f"{shown(node)}: {len(types)} inputs, of which it carries {loop.carried} and slices {loop.slice_axes}"
            return
        slices = [have and without(have, axis) for have, axis in zip(parts.sliced, loop.slice_axes, strict=True)]
        sliced = [(have, axis) for have, axis in zip(parts.sliced, loop.slice_axes, strict=True) if have is not None]
        yield from self.lengths(node, (*sliced, *((type, loop.yield_axis) for type in made.yielded)), loop.count)
        yield from self.taken(node, region, (*parts.carried, *slices, *parts.captured))
        yield from self.given(node, region, (*made.carried, *(without(type, loop.yield_axis) for type in made.yielded)))
        for before, after in zip(parts.carried, made.carried, strict=True):
            if before is not None and not self.same(before, after):
                yield f"{shown(node)}: it carries {before} into the loop and {after} out of it"

    def lengths(self, node: Node, whole: Sequence[tuple[TensorType, int]], length: Size) -> Iterator[str]:
        """Axes that a node runs along against how often it runs."""
        for type, axis in whole:
            if not self.facts.equal(type.axes[axis].size, length):
                yield f"{shown(node)}: axis {axis} of {type} is not of length {length}"

    def visit_vectorized(self, frame: NodeContext, node: Node, told: VectorizedAttrs) -> Iterator[str]:
        (region,), types, parts = node.regions, frame.types, told.parts(frame.types)
        counts = (told.mapped, len(told.in_axes), len(told.out_axes), len(region.inputs), len(region.outputs))
        if counts != (len(parts.sliced), len(parts.sliced), len(node.outputs), len(types), len(node.outputs)):
            yield f"{shown(node)}: its region has {len(region.inputs)} inputs and {len(region.outputs)} outputs"
            return
        taken = [(have, axis) for have, axis in zip(parts.sliced, told.in_axes, strict=True) if have is not None]
        made = [(value.type, axis) for value, axis in zip(node.outputs, told.out_axes, strict=True)]
        yield from self.lengths(node, (*taken, *made), told.size)
        slices = [have and without(have, axis) for have, axis in zip(parts.sliced, told.in_axes, strict=True)]
        yield from self.taken(node, region, (*slices, *parts.captured))
        yield from self.given(node, region, [without(type, axis) for type, axis in made])

    def visit_grad(self, frame: NodeContext, node: Node, told: GradAttrs) -> Iterator[str]:
        (region,), types = node.regions, frame.types
        if len(region.inputs) != len(types) or len(region.outputs) != 1:
            yield f"{shown(node)}: its region has {len(region.inputs)} inputs and {len(region.outputs)} outputs"
            return
        yield from self.taken(node, region, types)
        yield from self.given(node, region, [TensorType("float", ())])
        if types[0] is not None and not self.same(node.outputs[0].type, types[0]):
            yield f"{shown(node)}: the derivative of an operand {types[0]} is {node.outputs[0].type}"

    def visit_custom_grad(self, frame: NodeContext, node: Node, told: CustomGradAttrs) -> Iterator[str]:
        (value, derivative), types = node.regions, frame.types
        (result,), ahead, back = node.outputs, told.forward(types), told.backward(types)
        inputs = (*ahead.given, *ahead.captured), (*back.given, result.type, *back.captured)
        wanted = [len(found) for found in inputs]
        if wanted != [len(value.inputs), len(derivative.inputs)] or len(ahead.captured) != told.captured:
            yield f"{shown(node)}: its regions have {len(value.inputs)} and {len(derivative.inputs)} inputs"
            return
        for region, found in zip(node.regions, inputs, strict=True):
            yield from self.taken(node, region, found)
        yield from self.given(node, value, [result.type])
        if types[0] is not None:
            yield from self.given(node, derivative, [types[0]])

    def taken(self, node: Node, region: Graph, types: Sequence[TensorType | None]) -> Iterator[str]:
        """The inputs of a region against what its node gives it; None for what fits anything."""
        for at, (value, wanted) in enumerate(zip(region.inputs, types, strict=True)):
            if wanted is not None and not self.same(value.type, wanted):
                yield f"{shown(node)}: input {at} of its region is {value.type}, given {wanted}"

    def given(self, node: Node, region: Graph, types: Sequence[TensorType]) -> Iterator[str]:
        """The outputs of a region against what its node makes of them."""
        for at, (output, wanted) in enumerate(zip(region.outputs, types, strict=True)):
            made = region.values.get(output) if isinstance(output, str) else None
            if made is not None and not self.same(made.type, wanted):
                yield f"{shown(node)}: output {at} of its region is {made.type}, not {wanted}"

    def visit_choice(self, frame: NodeContext, node: Node, told: ChoiceAttrs) -> Iterator[str]:
        types = frame.types
        if len(node.regions) != 2:
            yield f"{shown(node)}: {len(node.regions)} branches"
        if node.op == "given" and not node.inputs:
            yield f"{shown(node)}: nothing to ask for"
        for region in node.regions:
            if len(region.inputs) != len(types) or len(region.outputs) != len(node.outputs):
                yield f"{shown(node)}: a branch with {len(region.inputs)} inputs and {len(region.outputs)} outputs"
                continue
            for value, have in zip(region.inputs, types, strict=True):
                if have is not None and not self.same(value.type, have):
                    yield f"{shown(node)}: a branch takes {value.type}, is given {have}"
            for made, output in zip(node.outputs, region.outputs, strict=True):
                if (
                    isinstance(output, str)
                    and output in region.values
                    and not self.same(region.values[output].type, made.type)
                ):
                    yield f"{shown(node)}: a branch gives {region.values[output].type}, not {made.type}"

    def same(self, a: TensorType, b: TensorType) -> bool:
        """Equal types, sizes under what the definition knows."""
        if a.elem != b.elem or len(a.axes) != len(b.axes):
            return False
        return all(self.same_axis(x, y) for x, y in zip(a.axes, b.axes, strict=True))

    def same_axis(self, a: Axis, b: Axis) -> bool:
        packs = (a.pack is None) == (b.pack is None)
        return packs and (a.size == b.size or self.facts.equal(a.size, b.size))


def _without_inputs(member: Member) -> Member:
    """A member without what its calls say of it: sizes of the inputs of an instance, which differ from call to call."""
    if not isinstance(member, Instance):
        return member
    read = {unknown for value in member.definition.graph.inputs for unknown in unknowns_of(value.type)}
    return replace(member, bindings=tuple(pair for pair in member.bindings if pair[0] not in read))


def without(type: TensorType, axis: int) -> TensorType:
    """The type of a slice along an axis."""
    return TensorType(type.elem, (*type.axes[:axis], *type.axes[axis + 1 :]))


def unbound(place: str, callee: Definition, bindings: Mapping[Unknown, Size]) -> Iterator[str]:
    """The unknowns of a callee that a use does not bind."""
    wanted = [*(s.unknown for s in callee.statics if s.unknown is not None), *callee.sizes]
    yield from (f"{place}: `{unknown}` of {callee.name} is not bound" for unknown in wanted if unknown not in bindings)


def holds(definition: Definition, path: str) -> bool:
    """Whether an instance stands at a path, which may lie in another one."""
    return any(
        path == m.path or (path.startswith(f"{m.path}.") and holds(m.definition, path[len(m.path) + 1 :]))
        for m in definition.instances
    )


def weight_type(definition: Definition, path: str, stacked: int = 0) -> TensorType | None:
    """The type of the weight at a path, which may lie in an instance; the iterations of its last loops may be stacked.
    None where there is no such weight, or not in so many loops.
    """
    whole = dict(weight_types(definition, {})).get(path)
    if whole is None or not 0 <= stacked <= loops_in(path):
        return None
    return TensorType(whole.elem, whole.axes[loops_in(path) - stacked :])


def shown(node: Node) -> str:
    """A node in a few words."""
    outputs = ", ".join(value.name for value in node.outputs)
    inputs = ", ".join(x if isinstance(x, str) else str(x.value) if isinstance(x, Const) else "-" for x in node.inputs)
    place = f" {node.path}" if node.path else ""
    return f"{outputs + ' = ' if outputs else ''}{node.op}{place}({inputs})"
