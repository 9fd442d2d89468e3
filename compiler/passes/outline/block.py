"""One block of a model that was made flat, said in its own sizes again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ogive.compiler.ir.model import (
    Bindings,
    CallAttrs,
    Const,
    Definition,
    Graph,
    Instance,
    Member,
    Node,
    Operand,
    Value,
    Weight,
)
from ogive.compiler.ir.substitute import Fresh, Sizes, in_sizes, type_in_sizes
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.mentions import mentioned, unknowns_of
from ogive.compiler.ir_tools.verify import faults, weight_type
from ogive.compiler.passes.cleanup.deploy_flatten import graph_in_sizes, init_in_sizes
from ogive.compiler.passes.cleanup.flatten import InlinedCall, Origins
from ogive.compiler.sizes import Size, Unknown, size

Calls = tuple[InlinedCall, ...]
SCALAR = TensorType("float", ())


class Apart(Exception):
    """What is left of a block is no block: its parts stay where they are."""


def holds(call: InlinedCall, paths: Iterable[str]) -> bool:
    """Whether all these paths lie below that of a call."""
    return all(path.startswith(call.path + ".") for path in paths)


@dataclass(slots=True)
class Blocks:
    """The members of the model, under full paths, and the blocks that were made so far."""

    origins: Origins
    members: list[Member]
    made: list[Definition] = field(default_factory=list)
    calls: dict[str, Calls] = field(default_factory=dict)  # by a value that a new call gives: what it is a call of

    def one(self, definition: Definition) -> Definition:
        """The definition, or an equal one that was made before."""
        found = next((made for made in self.made if made == definition), definition)
        if found is definition:
            self.made.append(definition)
        return found

    def named(self, value: Value, depth: int) -> Value:
        """A value that leaves its block for a place inside of so many calls: it has the name that it has there, if any.

        A variable for what has none would hold its memory longer than its reader needs it.
        """
        origin = self.origins.get(value.name)
        return value if origin is None else replace(value, hint=origin.above.get(depth, ""))

    def take(self, below: Sequence[Member], instance: Instance) -> None:
        """Put an instance in the place of the members that it holds."""
        at = next(i for i, member in enumerate(self.members) if member is below[0])
        gone = set(map(id, below))
        rest = [member for member in self.members[at:] if id(member) not in gone]
        self.members = [*self.members[:at], instance, *rest]


@dataclass(slots=True)
class OutlinedBlock:
    """What is left of one block: its body in the sizes of the model, to be said in its own."""

    blocks: Blocks
    calls: Calls
    outside: Graph
    body: Graph
    fresh: Fresh = field(default_factory=lambda: Fresh(set()))
    names: dict[str, Operand] = field(default_factory=dict)  # value of the model -> value of the block
    types: dict[str, TensorType] = field(default_factory=dict)  # of the values of the block
    instances: dict[str, Bindings] = field(default_factory=dict)  # of the block, by path
    sizes: dict[Unknown, Size] = field(default_factory=dict)  # of the block, in those of the model
    fixed: Sizes = field(default_factory=dict)  # those of its statics that are numbers in it
    strict: bool = False  # whether the types of what is called must be equal, sizes as they stand

    def __post_init__(self) -> None:
        for call in self.calls:
            self.sizes = {unknown: value.subs(self.sizes) for unknown, value in call.bindings}

    @property
    def call(self) -> InlinedCall:
        """The block that was here."""
        return self.calls[-1]

    def node(self) -> Node:
        """The call of the new definition. Raises `Apart` where the body does not read as one."""
        call = self.call
        below = [member for member in self.blocks.members if holds(call, [member.path])]
        steps = [node for node in self.body.nodes if node.op != "weight"]
        if not below or len(steps) < 2 or any(node.op in ("given", "assume") for node in self.body.nodes):
            raise Apart
        made = {value.name for node in self.body.nodes for value in node.outputs}
        given = {str(x): at for at, x in reversed(list(enumerate(call.inputs))) if isinstance(x, str)}
        read = {x for node in self.body.nodes for x in node.operands if x not in made} | (set(self.body.outputs) - made)
        if not read <= given.keys():
            raise Apart
        sources = sorted((str(x) for x in read), key=given.__getitem__)
        definition = self.settled(below, {name: call.definition.graph.inputs[given[name]] for name in sources})
        bare = replace(definition, facts=())  # choices that the source made, and that may not matter any more
        if faults(bare) and faults(definition):  # what is a number here meets what is a size there
            raise Apart
        definition = self.blocks.one(definition if faults(bare) else bare)
        bindings = tuple((unknown, value) for unknown, value in self.sizes.items() if unknown not in self.fixed)
        self.blocks.take(below, Instance(call.path, definition, bindings, span=definition.span))
        results = tuple(self.blocks.named(self.outside.values[str(x)], len(self.calls) - 1) for x in self.body.outputs)
        self.blocks.calls.update((value.name, self.calls) for value in results)
        return Node.of(CallAttrs(definition, bindings, call.path), tuple(sources), results)

    def settled(self, below: Sequence[Member], entries: Mapping[str, Value]) -> Definition:
        """The definition, in which a static that only layers have, such as a stride, is the number that it is there."""
        first = self.built(below, entries)
        self.strict = True
        for needed in (_of_weights(first) | _of_attributes(first), _of_weights(first)):
            free = _statics(self.call.definition) - needed
            self.fixed = {
                unknown: value for unknown, value in self.sizes.items() if unknown in free and value.is_number
            }
            self.fresh, self.names, self.types, self.instances = Fresh(set()), {}, {}, {}
            try:
                return self.built(below, entries)
            except Apart:
                continue
        raise Apart

    def built(self, below: Sequence[Member], entries: Mapping[str, Value]) -> Definition:
        """The definition with these members, and inputs for these values of the model."""
        source = self.call.definition
        inputs = tuple(self.entry(name, value) for name, value in entries.items())
        nodes = tuple(self.own(node) for node in self.body.nodes)
        outputs = tuple(self.names[str(x)] for x in self.body.outputs)
        return replace(
            source,
            block="" if source.block.startswith("std.") else source.block,
            statics=tuple(static for static in source.statics if static.unknown not in self.fixed),
            graph=Graph(inputs, nodes, outputs),
            output_names=(None,) * len(outputs),
            optional=(False,) * len(inputs),
            members=tuple(self.member(member) for member in below),
            conditions=tuple(condition.subs(self.fixed) for condition in source.conditions),
            facts=tuple(fact.subs(self.fixed) for fact in source.facts),
            step=None,
        )

    def member(self, member: Member) -> Member:
        """A member in the sizes of the block, under its path there."""
        path = self.path(member.path)
        match member:
            case Weight():
                return replace(self.started(member), path=path, type=self.weight(path, member.type))
            case Instance():
                if path not in self.instances:
                    raise Apart
                return replace(member, path=path, bindings=self.instances[path])
            case _:
                return replace(member, path=path)

    def started(self, member: Weight) -> Weight:
        """A weight that starts, and stays, by the sizes of the block: where a number of a loop is one of them."""
        known = {unknown for item in mentioned(replace(member, type=SCALAR)) for unknown in unknowns_of(item)}
        own = {each: size(unknown) for unknown, value in self.sizes.items() for each in known if value == size(each)}
        if not known:
            return member
        if known - own.keys():
            raise Apart
        keep = None if member.keep is None else graph_in_sizes(member.keep, own)
        return replace(member, init=init_in_sizes(member.init, own), keep=keep)

    def weight(self, path: str, flat: TensorType) -> TensorType:
        """The type of a weight: that of the source, where it still is that."""
        type = weight_type(self.call.definition, path)
        known = type is not None and type_in_sizes(type, self.sizes) == flat
        return type_in_sizes(type, self.fixed) if type is not None and known else flat

    def entry(self, name: str, value: Value) -> Value:
        made = replace(
            value, name=self.fresh.name(value.hint or value.name), type=type_in_sizes(value.type, self.fixed)
        )
        self.names[name], self.types[made.name] = made.name, made.type
        return self.checked(made, self.outside.values[name].type)

    def checked(self, value: Value, flat: TensorType) -> Value:
        """A value whose type, at the sizes of the block, is that which it has in the model."""
        if [a.size for a in type_in_sizes(value.type, self.sizes).axes] != [a.size for a in flat.axes]:
            raise Apart
        return value

    def path(self, path: str) -> str:
        return path[len(self.call.path) + 1 :]

    def up(self, calls: Calls) -> list[Sizes]:
        """What leads from the sizes of the last of these calls to those of the block."""
        if calls[: len(self.calls)] != self.calls:
            raise Apart
        return [*(dict(call.bindings) for call in reversed(calls[len(self.calls) :])), self.fixed]

    def value(self, value: Value, node: Node | None = None) -> Value:
        """A value of the body in the sizes of the block."""
        origin = self.blocks.origins.get(value.name)
        if node is not None and node.op == "weight":
            type = self.weight(self.path(node.path), value.type)
        elif origin is None:
            raise Apart
        else:
            type = origin.type
            for sizes in self.up(origin.calls):
                type = type_in_sizes(type, sizes)
        made = Value(self.fresh.name(value.hint or "v"), type, value.hint)
        self.names[value.name], self.types[made.name] = made.name, type
        return self.checked(made, value.type)

    def own(self, node: Node) -> Node:
        """A node of the body in the sizes of the block."""
        if node.supplied:
            raise Apart
        inputs: tuple[Operand, ...] = tuple(self.names[x] if isinstance(x, str) else x for x in node.inputs)
        told = node
        if node.callee is None and node.op != "weight":
            told, inputs = self.settings(node, inputs)
        regions = tuple(self.region(region) for region in node.regions)
        outputs = tuple(self.value(value, node) for value in node.outputs)
        if node.callee is not None:
            told = told.calling(bindings=self.bindings(node, inputs, outputs))
            self.instances.setdefault(self.path(node.path), told.bindings)
        made = replace(told, inputs=inputs, outputs=outputs, regions=regions)
        return made.at(self.path(node.path) if node.path else "")

    def settings(self, node: Node, inputs: tuple[Operand, ...]) -> tuple[Node, tuple[Operand, ...]]:
        """A node with settings, and inputs: those of the source where no pass has changed them, else numbers alone."""
        origin = self.blocks.origins.get(node.outputs[0].name) if node.outputs else None
        literals = [x for x in node.inputs if isinstance(x, Const)]
        if origin is not None and origin.node is not None and origin.flat is not None:
            same = origin.flat.op == node.op and origin.flat.settings == node.settings
            before = [x for x in origin.flat.inputs if isinstance(x, Const)]
            if same and before == literals:
                told, own = origin.node, [x for x in origin.node.inputs if isinstance(x, Const)]
                for sizes in self.up(origin.calls):
                    told = told.map_settings(partial(in_sizes, sizes=sizes))
                    own = [in_sizes(x, sizes) for x in own]
                rest = iter(own)
                node = replace(node, attrs=told.attrs, structure=told.structure)
                return node, tuple(next(rest) if isinstance(x, Const) else x for x in inputs)
        raise Apart

    def region(self, region: Graph) -> Graph:
        inputs = tuple(self.value(value) for value in region.inputs)
        nodes = tuple(self.own(node) for node in region.nodes)
        return Graph(inputs, nodes, tuple(self.names[x] if isinstance(x, str) else x for x in region.outputs))

    def bindings(self, node: Node, inputs: tuple[Operand, ...], outputs: tuple[Value, ...]) -> Bindings:
        """The sizes of a block that is called, in those of this one: read off the types of what goes in and out."""
        callee = node.callee
        assert callee is not None, node
        flat = dict(node.bindings)
        given = zip(callee.graph.inputs, inputs, strict=True)
        pairs = [(value.type, self.types[x]) for value, x in given if isinstance(x, str)]
        made = zip(callee.graph.outputs, outputs, strict=True)
        pairs += [(callee.graph.values[x].type, value.type) for x, value in made if isinstance(x, str)]
        inner = self.blocks.calls.get(node.outputs[0].name) if node.outputs else None
        if inner is not None:
            found: dict[Unknown, Size] = dict(inner[-1].bindings)
            for sizes in self.up(inner[:-1]):
                found = {unknown: value.subs(sizes) for unknown, value in found.items()}
        else:
            found = {unknown: value for a, b in pairs for unknown, value in _read(a, b)}
        bound = tuple((unknown, found.get(unknown, value)) for unknown, value in flat.items())
        if any(value.subs(self.sizes) != flat[unknown] for unknown, value in bound):
            raise Apart
        for inner_type, type in pairs if self.strict else ():
            if [axis.size for axis in type_in_sizes(inner_type, dict(bound)).axes] != [axis.size for axis in type.axes]:
                raise Apart
        return bound


def _statics(definition: Definition) -> set[Unknown]:
    return {static.unknown for static in definition.statics if static.unknown is not None}


def _of_weights(definition: Definition) -> set[Unknown]:
    """The unknowns in the shapes of weights."""
    sizes = [axis.size for member in definition.weights for axis in member.type.axes]
    for instance in definition.instances:
        sizes += [value for unknown, value in instance.bindings if unknown in _statics(instance.definition)]
    return {unknown for value in sizes for unknown in value.unknowns}


def _of_attributes(definition: Definition) -> set[Unknown]:
    """The unknowns in what operations with settings give."""
    nodes = [node for node in definition.graph.walk() if node.op != "call" and node.settings]
    sizes = [axis.size for node in nodes for value in node.outputs for axis in value.type.axes]
    return {unknown for value in sizes for unknown in value.unknowns}


def _read(inner: TensorType, outer: TensorType) -> list[tuple[Unknown, Size]]:
    """The unknowns that stand alone in a type, and what they are in another."""
    pairs = [(a.size, b.size) for a, b in zip(inner.axes, outer.axes, strict=True)]
    return [(unknown, b) for a, b in pairs for unknown in a.unknowns if a == size(unknown)]
