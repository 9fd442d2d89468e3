"""One graph of a model as it is deployed: calls inlined, statics as numbers, the deployed phase taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ogive.compiler.ir import (
    Attrs,
    Bindings,
    Const,
    Definition,
    Graph,
    Init,
    Instance,
    Loop,
    Member,
    Model,
    Node,
    Operand,
    Value,
    Weight,
)
from ogive.compiler.passes.dead import drop_dead
from ogive.compiler.passes.substitute import Fresh, Sizes, in_sizes, type_in_sizes
from ogive.compiler.sizes import Size, Unknown, size
from ogive.compiler.types import TensorType
from ogive.compiler.weights import weight_types

Names = dict[str, Operand]
DROPPED = frozenset(("update", "tap"))


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A block with weights that was inlined: its path, its sizes in those of its caller, and what it was given."""

    path: str
    definition: Definition
    bindings: Bindings
    inputs: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stood: the calls around it, outermost first; its type, and the node, in sizes of the innermost.

    `flat` is the node as it became, to see whether a pass has changed it; inputs of regions have no node.
    """

    calls: tuple[Call, ...]
    type: TensorType
    node: Node | None = None
    flat: Node | None = None


Origins = dict[str, Origin]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a graph that is inlined stands: path, sizes, weights handed to it, its inputs as the caller has them.

    `own` gives the sizes of the graph in those of the block around it, which is the last of `calls`.
    """

    prefix: str
    sizes: Sizes
    supplied: Mapping[str, str]
    inputs: Mapping[str, Operand]
    lifted: frozenset[str] = frozenset()  # the instances of the definition whose weights are stacked
    calls: tuple[Call, ...] = ()
    own: Sizes = field(default_factory=dict)

    def path(self, path: str) -> str:
        return ".".join(part for part in (self.prefix, path) if part)


def deployed(model: Model) -> Model:
    """The model with one definition, as `flattened` gives it."""
    return flattened(model)[0]


def flattened(model: Model) -> tuple[Model, Origins]:
    """The model with one definition and no call, no training phase, no dropout and no probe; same outputs, same paths.

    Blocks that are lifted (`each`, `over`, `grad`) stay instances, since their weights are not the plain ones. With it
    goes where each value stood.
    """
    source = model.definition
    sizes = {unknown: size(number) for unknown, number in model.bindings}
    asked = zip(source.graph.inputs, source.optional, strict=True)
    flat = _Flat(Fresh(set()), {value.name: value.name for value, optional in asked if optional}, set())
    inputs = tuple(replace(value, type=type_in_sizes(value.type, sizes)) for value in source.graph.inputs)
    flat.fresh.taken.update(value.name for value in inputs)
    flat.types.update((value.name, value.type) for value in inputs)
    names: Names = {value.name: value.name for value in inputs}
    nodes, outputs = flat.graph(source.graph, names, _Place("", sizes, {}, dict(names), _lifts(source), (), sizes))
    graph = drop_dead(Graph(inputs, tuple(nodes), outputs))
    inits = tuple((path, _init(init, sizes)) for path, init in model.inits)
    members = tuple(read_members(graph, tuple(all_members(source, sizes, "", inits, flat.lifted))))
    bound = {unknown for unknown, _ in model.bindings}
    definition = replace(
        source,
        statics=(),
        graph=graph,
        members=members,
        conditions=tuple(condition.subs(sizes) for condition in source.conditions),
        facts=(),
        step=None,
        sizes=tuple(unknown for unknown in source.sizes if unknown not in bound),
    )
    return replace(model, definition=definition, bindings=(), inits=()), flat.origins


def read_members(graph: Graph, members: tuple[Member, ...]) -> Iterator[Member]:
    """The members that the graph reads, and the loops that hold them."""
    read = {node.path for node in graph.walk() if node.path}
    for member in members:
        if isinstance(member, Loop):
            inside = (other.path for other in members if not isinstance(other, Loop))
            if any(path in read and path.startswith(member.path + ".*.") for path in inside):
                yield member
        elif member.path in read:
            yield member


def all_members(
    definition: Definition, sizes: Sizes, prefix: str, inits: tuple[tuple[str, Init], ...], lifted: set[str]
) -> Iterator[Member]:
    """Weights and loops below a definition under their full paths; the instances that are lifted as they are."""
    for member in definition.members:
        path = prefix + member.path
        outer = tuple((p[len(member.path) + 1 :], i) for p, i in inits if p.startswith(member.path + "."))
        match member:
            case Weight():
                given = next((i for p, i in reversed(inits) if p == member.path), None)
                init = _init(member.init, sizes) if given is None else given
                keep = None if member.keep is None else _alone(member.keep, sizes)
                yield replace(member, path=path, type=type_in_sizes(member.type, sizes), init=init, keep=keep)
            case Loop(count=count):
                yield Loop(path, count.subs(sizes))
            case Instance():
                bindings = tuple((unknown, value.subs(sizes)) for unknown, value in member.bindings)
                below = (*((p, _init(init, sizes)) for p, init in member.inits), *outer)
                if path in lifted:
                    lift = None if member.lift is None else member.lift.subs(sizes)
                    yield replace(member, path=path, bindings=bindings, inits=below, lift=lift)
                else:
                    yield from all_members(member.definition, dict(bindings), path + ".", below, lifted)


def _lifts(definition: Definition) -> frozenset[str]:
    return frozenset(instance.path for instance in definition.instances if instance.lift is not None)


def _init(init: Init, sizes: Sizes) -> Init:
    graph = None if init.graph is None else _alone(init.graph, sizes)
    return Init(init.name, tuple((key, in_sizes(value, sizes)) for key, value in init.attrs), graph)


def _alone(graph: Graph, sizes: Sizes) -> Graph:
    """A graph beside the model's: an initializer, or what keeps a weight in bounds."""
    flat = _Flat(Fresh(set()), {}, set())
    names: Names = {}
    inputs = tuple(flat.value(value, names, sizes) for value in graph.inputs)
    nodes, outputs = flat.graph(graph, names, _Place("", sizes, {}, {}))
    return Graph(inputs, tuple(nodes), outputs)


@dataclass(frozen=True, slots=True)
class _Handed:
    """Supplied weights that the regions of a node read: sliced by its turns, or captured."""

    at: int  # where slices stand among its inputs
    slices: Mapping[str, str]
    captured: Mapping[str, str]
    attrs: Attrs
    twice: bool = False  # captured by both regions, each in its own part of the inputs

    def among(self, inputs: tuple[Operand, ...]) -> tuple[Operand, ...]:
        """The inputs of the node with theirs."""
        first = self.captured.values() if self.twice else self.slices.values()
        return (*inputs[: self.at], *first, *inputs[self.at :], *self.captured.values())


@dataclass(slots=True)
class _Flat:
    fresh: Fresh
    entries: dict[str, str]  # values that are optional inputs of the model, and their names there
    lifted: set[str]  # paths of instances that stay
    types: dict[str, TensorType] = field(default_factory=dict)  # of the values that are made here
    stored: dict[str, str] = field(default_factory=dict)  # those that are weights: their paths
    trained: bool = False  # whether dropout, phases and updates stay
    origins: Origins = field(default_factory=dict)

    def graph(self, graph: Graph, names: Names, place: _Place) -> tuple[list[Node], tuple[Operand, ...]]:
        """The nodes of a graph, inlined here; `names` has the operands of its inputs and takes those of its values."""
        nodes: list[Node] = []
        for node in graph.nodes:
            nodes += self.node(node, names, place)
        return nodes, tuple(self.operand(output, names, place) for output in graph.outputs)

    def operand(self, operand: Operand, names: Names, place: _Place) -> Operand:
        if isinstance(operand, str):
            return names[operand]
        return in_sizes(operand, place.sizes) if isinstance(operand, Const) else None

    def node(self, node: Node, names: Names, place: _Place) -> list[Node]:
        if node.op in DROPPED and not self.trained:
            return []
        if node.op == "dropout" and not self.trained:
            names[node.outputs[0].name] = self.operand(node.inputs[0], names, place)
            return []
        if node.op == "weight" and node.path in place.supplied:
            names[node.outputs[0].name] = place.supplied[node.path]
            return []
        if node.op == "phase" and not self.trained:
            return self.inlined(node, node.regions[1], names, place)
        if node.op == "given":
            return self.choice(node, names, place)
        if node.op == "call" and node.callee is not None and node.path not in place.lifted:
            return self.call(node, node.callee, names, place)
        return [self.copy(node, names, place)]

    def inlined(self, node: Node, region: Graph, names: Names, place: _Place) -> list[Node]:
        """A region with its node's inputs in the place of its own."""
        for value, operand in zip(region.inputs, node.inputs, strict=True):
            names[value.name] = self.operand(operand, names, place)
        nodes, outputs = self.graph(region, names, place)
        names.update({value.name: output for value, output in zip(node.outputs, outputs, strict=True)})
        return nodes

    def choice(self, node: Node, names: Names, place: _Place) -> list[Node]:
        """`given(mask)` is decided where the caller's operand is known to be there or not."""
        operand = place.inputs.get(str(node.attr("input")), node.attr("input"))
        if operand is None:
            return self.inlined(node, node.regions[1], names, place)
        if operand not in self.entries:
            return self.inlined(node, node.regions[0], names, place)
        return [replace(self.copy(node, names, place), attrs=(("input", self.entries[str(operand)]),))]

    def call(self, node: Node, callee: Definition, names: Names, place: _Place) -> list[Node]:
        inputs = tuple(self.operand(operand, names, place) for operand in node.inputs)
        inner: Names = {value.name: x for value, x in zip(callee.graph.inputs, inputs, strict=True)}
        sizes: dict[Unknown, Size] = {unknown: value.subs(place.sizes) for unknown, value in node.bindings}
        handed = {path: str(names[name]) for path, name in node.supplied}
        path = place.path(node.path) if node.path else place.prefix
        handed |= below(place.supplied, node.path) if node.path else {}
        shared = self.shared(callee, handed)
        if shared is not None:
            path, handed = shared, {}
        mine = tuple((unknown, value.subs(place.own)) for unknown, value in node.bindings)
        calls, own = place.calls, dict(mine)
        if node.path:
            calls, own = (*calls, Call(path, callee, mine, inputs)), {}
        there = _Place(path, sizes, handed, dict(inner), _lifts(callee), calls, own)
        nodes, outputs = self.graph(callee.graph, inner, there)
        names.update({value.name: output for value, output in zip(node.outputs, outputs, strict=True)})
        return nodes

    def shared(self, callee: Definition, handed: Mapping[str, str]) -> str | None:
        """The path of the instance whose weights a call is handed, all of them."""
        bases = {self.stored.get(name, "").removesuffix(path) for path, name in handed.items()}
        base = bases.pop() if len(bases) == 1 else ""
        if not base.endswith(".") or any(path not in handed for path, _ in weight_types(callee, {})):
            return None
        return base[:-1]

    def copy(self, node: Node, names: Names, place: _Place) -> Node:
        path = place.path(node.path) if node.path else ""
        if node.callee is not None and path:
            self.lifted.add(path)
        inputs = tuple(self.operand(operand, names, place) for operand in node.inputs)
        supplied = [(where, str(names[name])) for where, name in node.supplied]
        if node.callee is not None and node.path:
            supplied += below(place.supplied, node.path).items()
        handed = self.handed(node, place)
        regions = tuple(self.region(region, inputs, names, place, handed) for region in node.regions)
        attrs = {key: in_sizes(value, place.sizes) for key, value in node.attrs}
        outputs = tuple(self.value(value, names, place.sizes) for value in node.outputs)
        if node.op == "weight":
            self.stored[outputs[0].name] = path
        made = replace(
            node,
            inputs=handed.among(inputs),
            supplied=tuple(supplied),
            attrs=tuple({**attrs, **dict(handed.attrs)}.items()),
            regions=regions,
            path=path,
            bindings=tuple((unknown, value.subs(place.sizes)) for unknown, value in node.bindings),
            outputs=outputs,
        )
        own = replace(
            node,
            attrs=tuple((key, in_sizes(value, place.own)) for key, value in node.attrs),
            inputs=tuple(in_sizes(x, place.own) if isinstance(x, Const) else x for x in node.inputs),
        )
        for before, value in zip(node.outputs, outputs, strict=True):
            self.origins[value.name] = Origin(place.calls, type_in_sizes(before.type, place.own), own, made)
        return made

    def handed(self, node: Node, place: _Place) -> _Handed:
        """The supplied weights that the regions of a node read, and how they come in."""
        turned = f"{node.path}.*." if node.op == "repeat" else None
        found = {where: name for where, name in place.supplied.items() if any(reads(r, where) for r in node.regions)}
        slices = {where: name for where, name in found.items() if turned and where.startswith(turned)}
        captured = {where: name for where, name in found.items() if where not in slices}
        if node.op == "custom_grad":  # the captures of its first region stand before those of its second
            at = 1 + int(node.attr("captured"))
            return _Handed(at, {}, captured, (("captured", at - 1 + len(captured)),), twice=True)
        carry, turn = int(node.attr("carry", 0)), int(node.attr("turn", 0))
        return _Handed(carry + turn, slices, captured, (("turn", turn + len(slices)),) if slices else ())

    def region(
        self, region: Graph, outside: tuple[Operand, ...], names: Names, place: _Place, handed: _Handed
    ) -> Graph:
        inputs = tuple(self.value(value, names, place.sizes) for value in region.inputs)
        for before, value in zip(region.inputs, inputs, strict=True):
            self.origins[value.name] = Origin(place.calls, type_in_sizes(before.type, place.own))
        for value, operand in zip(inputs, outside, strict=False):
            if isinstance(operand, str) and operand in self.entries:
                self.entries[value.name] = self.entries[operand]
        slices: list[Value] = []
        captured: list[Value] = []
        supplied = dict(place.supplied)
        for where, name in (*handed.slices.items(), *handed.captured.items()):
            type = self.types[name]
            inner = type.with_axes(*type.axes[1:]) if where in handed.slices else type
            value = self.value(Value(name, inner, where.rpartition(".")[2]), {}, place.sizes)
            (slices if where in handed.slices else captured).append(value)
            supplied[where] = value.name
            if name in self.stored and where in handed.captured:
                self.stored[value.name] = self.stored[name]
        nodes, outputs = self.graph(region, names, replace(place, supplied=supplied))
        inputs = (*inputs[: handed.at], *slices, *inputs[handed.at :], *captured)
        return drop_dead(Graph(inputs, tuple(nodes), outputs))

    def value(self, value: Value, names: Names, sizes: Sizes) -> Value:
        name = self.fresh.name(value.hint or value.name)
        names[value.name] = name
        self.types[name] = type_in_sizes(value.type, sizes)
        return Value(name, self.types[name], value.hint)


def below(supplied: Mapping[str, str], path: str) -> dict[str, str]:
    """The supplied weights below an instance, by their paths below it."""
    return {where[len(path) + 1 :]: name for where, name in supplied.items() if where.startswith(f"{path}.")}


def reads(graph: Graph, path: str) -> bool:
    """Whether a graph reads the weight at a path, or calls an instance that holds it."""
    return any(
        (node.op == "weight" and node.path == path)
        or (node.op == "call" and node.path != "" and path.startswith(f"{node.path}."))
        for node in graph.walk()
    )
