"""Graphs put into others: calls inlined, weights handed on, and where each value stood before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import CustomGradAttrs, RepeatAttrs, Structure
from ogive.compiler.ir.model import Bindings, Const, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir.presence import ALWAYS, NEVER, given
from ogive.compiler.ir.substitute import Fresh, Sizes, in_sizes, type_in_sizes
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir.weights import weight_types
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.ir_tools.maybe import Maybe
from ogive.compiler.passes.cleanup.flat_absent import without_inputs, without_results
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.sizes import Size, Unknown, size

Names = dict[str, Operand]


@dataclass(frozen=True, slots=True, eq=False)
class InlinedCall:
    """A block with weights that was inlined: its path, its sizes in those of its caller, and what it was given."""

    path: str
    definition: Definition
    bindings: Bindings
    inputs: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class InlineOrigin:
    """Where a value stood: the calls around it, outermost first; its type, and the node, in sizes of the innermost.

    `flat` is the node as it became, to see whether a pass has changed it; inputs of regions have no node. `above` has
    what the callers name it, by how many calls are around them.
    """

    calls: tuple[InlinedCall, ...]
    type: TensorType
    node: Node | None = None
    flat: Node | None = None
    above: Mapping[int, str] = field(default_factory=dict)


Origins = dict[str, InlineOrigin]


@dataclass(frozen=True, slots=True)
class InlineContext:
    """Where a graph that is inlined stands: path, sizes, weights handed to it, its inputs as the caller has them.

    `own` gives the sizes of the graph in those of the block around it, which is the last of `calls`.
    """

    prefix: str
    sizes: Sizes
    supplied: Mapping[str, str]
    inputs: Mapping[str, Operand]
    vectorized: frozenset[str] = frozenset()  # the instances of the definition whose weights are stacked
    calls: tuple[InlinedCall, ...] = ()
    own: Sizes = field(default_factory=dict)

    def path(self, path: str) -> str:
        return ".".join(part for part in (self.prefix, path) if part)


def vectorized_instances(definition: Definition) -> frozenset[str]:
    """The paths of the instances whose weights are stacked."""
    return frozenset(instance.path for instance in definition.instances if instance.vectorized is not None)


def inlined(
    graph: Graph, place: InlineContext, fresh: Fresh, types: Mapping[str, TensorType], maybe: Collection[str] = ()
) -> tuple[list[Node], tuple[Operand, ...]]:
    """The nodes of a graph at a place of another, and its outputs: what trains stays. `types` are those of the values
    that it is handed there; those of `maybe` may be absent.
    """
    return Flattening(fresh, set(maybe), types=dict(types), trained=True).graph(graph, dict(place.inputs), place)


@dataclass(frozen=True, slots=True)
class _Handed:
    """Supplied weights that the regions of a node read: sliced by its iterations, or captured."""

    at: int  # where slices stand among its inputs
    slices: Mapping[str, str]
    captured: Mapping[str, str]
    twice: bool = False  # captured by both regions, each in its own part of the inputs

    def among(self, inputs: tuple[Operand, ...]) -> tuple[Operand, ...]:
        """The inputs of the node with theirs."""
        first = self.captured.values() if self.twice else self.slices.values()
        return (*inputs[: self.at], *first, *inputs[self.at :], *self.captured.values())

    def structure(self, before: Structure | None) -> Structure | None:
        """What the node says of its inputs with theirs among them."""
        if isinstance(before, CustomGradAttrs):
            return replace(before, captured=before.captured + len(self.captured))
        return replace(before, sliced=before.sliced + len(self.slices)) if isinstance(before, RepeatAttrs) else before


@dataclass(slots=True)
class Flattening:
    """One walk: the names and the types of what it makes, and where that stood."""

    fresh: Fresh
    maybe: set[str] = field(default_factory=set)  # values that may be absent when the model runs
    vectorized: set[str] = field(default_factory=set)  # paths of instances that stay
    types: dict[str, TensorType] = field(default_factory=dict)  # of the values that are made here
    stored: dict[str, str] = field(default_factory=dict)  # those that are weights: their paths
    trained: bool = False  # whether dropout, phases and updates stay
    origins: Origins = field(default_factory=dict)

    def graph(self, graph: Graph, names: Names, place: InlineContext) -> tuple[list[Node], tuple[Operand, ...]]:
        """The nodes of a graph, inlined here; `names` has the operands of its inputs and takes those of its values."""
        nodes: list[Node] = []
        for node in graph.nodes:
            nodes += self.node(node, names, place)
        return nodes, tuple(self.operand(output, names, place) for output in graph.outputs)

    def operand(self, operand: Operand, names: Names, place: InlineContext) -> Operand:
        if isinstance(operand, str):
            return names[operand]
        return in_sizes(operand, place.sizes) if isinstance(operand, Const) else None

    def node(self, node: Node, names: Names, place: InlineContext) -> list[Node]:
        if own_effect(node) & (Effect.WRITES | Effect.SHOWS) and not self.trained:
            return []
        if node.op == "dropout" and not self.trained:
            names[node.outputs[0].name] = self.operand(node.inputs[0], names, place)
            return []
        if node.op == "weight" and node.path in place.supplied:
            names[node.outputs[0].name] = place.supplied[node.path]
            return []
        if node.op == "phase" and not self.trained:
            return self.inlined(node, node.regions[1], names, place)
        if isinstance(node.structure, RepeatAttrs) and not self.trained:
            if self.skipped(node, node.structure, names, place):
                return []
        if node.op == "given":
            return self.choice(node, names, place)
        if (
            node.op == "call"
            and node.callee is not None
            and node.path not in place.vectorized
            and not node.callee.foreign
        ):
            return self.call(node, node.callee, names, place)
        return [self.copy(node, names, place)]

    def inlined(self, node: Node, region: Graph, names: Names, place: InlineContext) -> list[Node]:
        """A region with its node's inputs in the place of its own."""
        for value, operand in zip(region.inputs, node.inputs, strict=True):
            names[value.name] = self.operand(operand, names, place)
        nodes, outputs = self.graph(region, names, place)
        names.update({value.name: output for value, output in zip(node.outputs, outputs, strict=True)})
        return nodes

    def skipped(self, node: Node, loop: RepeatAttrs, names: Names, place: InlineContext) -> bool:
        """A loop of no iterations gives back what it carries; one that collects stays."""
        if loop.count.subs(place.sizes) != size(0) or loop.results(node.outputs).yielded:
            return False
        given = (self.operand(operand, names, place) for operand in loop.parts(node.inputs).carried)
        names.update({value.name: operand for value, operand in zip(node.outputs, given, strict=True)})
        return True

    def choice(self, node: Node, names: Names, place: InlineContext) -> list[Node]:
        """`given(mask)` is decided where the caller's operand is known to be there or not."""
        asked = self.operand(node.inputs[0], names, place)
        if asked is None:
            return self.inlined(node, node.regions[1], names, place)
        if asked not in self.maybe:
            return self.inlined(node, node.regions[0], names, place)
        return [self.copy(node, names, place)]

    def call(self, node: Node, callee: Definition, names: Names, place: InlineContext) -> list[Node]:
        inputs = tuple(self.operand(operand, names, place) for operand in node.inputs)
        inner: Names = {value.name: x for value, x in zip(callee.graph.inputs, inputs, strict=True)}
        sizes: dict[Unknown, Size] = {unknown: value.subs(place.sizes) for unknown, value in node.bindings}
        handed = {path: str(names[name]) for path, name in node.supplied}
        path = place.path(node.path) if node.path else place.prefix
        handed = {**(below(place.supplied, node.path) if node.path else {}), **handed}  # its own user has the last word
        shared = self.shared(callee, handed)
        if shared is not None:
            path, handed = shared, {}
        mine = tuple((unknown, value.subs(place.own)) for unknown, value in node.bindings)
        calls, own = place.calls, dict(mine)
        if node.path:
            calls, own = (*calls, InlinedCall(path, callee, mine, inputs)), {}
        there = InlineContext(path, sizes, handed, dict(inner), vectorized_instances(callee), calls, own)
        nodes, outputs = self.graph(callee.graph, inner, there)
        for value, output in zip(node.outputs, outputs, strict=True):
            names[value.name] = output
            origin = self.origins.get(output) if isinstance(output, str) else None
            if origin is not None and len(calls) > len(place.calls) and origin.calls[: len(calls)] == calls:
                above = {**origin.above, len(place.calls): value.hint}
                self.origins[str(output)] = replace(origin, above=above)
        return nodes

    def shared(self, callee: Definition, handed: Mapping[str, str]) -> str | None:
        """The path of the instance whose weights a call is handed, all of them."""
        bases = {self.stored.get(name, "").removesuffix(path) for path, name in handed.items()}
        base = bases.pop() if len(bases) == 1 else ""
        if not base.endswith(".") or any(path not in handed for path, _ in weight_types(callee, {})):
            return None
        return base[:-1]

    def copy(self, node: Node, names: Names, place: InlineContext) -> Node:
        if node.regions:
            absent = [at for at, x in enumerate(node.inputs) if self.operand(x, names, place) is None]
            node, nothing = without_inputs(node, absent) if absent else (node, ())
            names.update(dict.fromkeys(nothing))
        path = place.path(node.path) if node.path else ""
        if node.callee is not None and path:
            self.vectorized.add(path)
        inputs = tuple(self.operand(operand, names, place) for operand in node.inputs)
        supplied = [(where, str(names[name])) for where, name in node.supplied]
        if node.callee is not None and node.path:
            supplied = list({**below(place.supplied, node.path), **dict(supplied)}.items())
        handed = self.handed(node, place)
        asked = inputs[0] if node.op == "given" else None
        known = (asked, None)  # in its first region, what a choice asks for is there
        pairs = zip(node.regions, known, strict=False)
        regions = tuple(self.region(region, inputs, names, place, handed, there) for region, there in pairs)
        results = node.outputs
        node, gone = without_results(replace(node, regions=regions))
        names.update({results[at].name: None for at in gone})
        settled = node.map_settings(lambda value: in_sizes(value, place.sizes))
        outputs = tuple(self.value(value, names, place.sizes) for value in node.outputs)
        if node.op == "weight":
            self.stored[outputs[0].name] = path
        made = replace(
            settled,
            inputs=handed.among(inputs),
            supplied=tuple(supplied),
            structure=handed.structure(settled.structure),
            path=path,
            bindings=tuple((unknown, value.subs(place.sizes)) for unknown, value in node.bindings),
            outputs=outputs,
        )
        own = replace(
            node.map_settings(lambda value: in_sizes(value, place.own)),
            inputs=tuple(in_sizes(x, place.own) if isinstance(x, Const) else x for x in node.inputs),
        )
        for before, value in zip(node.outputs, outputs, strict=True):
            self.origins[value.name] = InlineOrigin(place.calls, type_in_sizes(before.type, place.own), own, made)
        self.maybe.update(self.may_be_absent(made))
        return made

    def may_be_absent(self, node: Node) -> Iterator[str]:
        """The results of a node that may be absent when the model runs."""
        if node.op == "call" and node.callee is not None:
            pairs = zip(node.callee.graph.inputs, node.inputs, strict=True)
            asked = {given(v.name): NEVER if x is None else ALWAYS for v, x in pairs if x not in self.maybe}
            found = (when.put(asked) != ALWAYS for when in Maybe().definition(node.callee))
            yield from (value.name for value, open in zip(node.outputs, found, strict=True) if open)
        elif node.op != "custom_grad":
            for at, value in enumerate(node.outputs):
                outputs = [region.outputs[at] for region in node.regions]
                if any(x is None or x in self.maybe for x in outputs):
                    yield value.name

    def handed(self, node: Node, place: InlineContext) -> _Handed:
        """The supplied weights that the regions of a node read, and how they come in."""
        turned = f"{node.path}.*." if node.op == "repeat" else None
        found = {where: name for where, name in place.supplied.items() if any(reads(r, where) for r in node.regions)}
        slices = {where: name for where, name in found.items() if turned and where.startswith(turned)}
        captured = {where: name for where, name in found.items() if where not in slices}
        if isinstance(node.structure, CustomGradAttrs):  # first the captures of its first region, then of its second
            return _Handed(1 + node.structure.captured, {}, captured, twice=True)
        return _Handed(0 if node.loop is None else len(node.loop.parts(node.inputs).own), slices, captured)

    def region(
        self,
        region: Graph,
        outside: tuple[Operand, ...],
        names: Names,
        place: InlineContext,
        handed: _Handed,
        there: Operand = None,
    ) -> Graph:
        """A region; `there` is an operand that is not absent in it."""
        inputs = tuple(self.value(value, names, place.sizes) for value in region.inputs)
        for before, value in zip(region.inputs, inputs, strict=True):
            self.origins[value.name] = InlineOrigin(place.calls, type_in_sizes(before.type, place.own))
        for value, operand in zip(inputs, outside, strict=False):
            if operand in self.maybe and operand != there:
                self.maybe.add(value.name)
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
