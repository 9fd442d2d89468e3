"""Graphs put into others: calls inlined, weights handed on, and where each value stood before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import (
    AssumeAttrs,
    CustomGradAttrs,
    ExternAttrs,
    GivenAttrs,
    GradAttrs,
    InitialAttrs,
    PhaseAttrs,
    RepeatAttrs,
    ScanAttrs,
    TapAttrs,
    TappedAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import Bindings, CallAttrs, Const, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir.presence import ALWAYS, NEVER, given
from ogive.compiler.ir.substitute import Fresh, Sizes, in_sizes, type_in_sizes
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir.weights import weight_types
from ogive.compiler.ir_tools.interpreter import Interpreter
from ogive.compiler.ir_tools.maybe import Maybe
from ogive.compiler.ir_tools.rewriter import Rewriting
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
    return Flattening(fresh, set(maybe), types=dict(types), trained=True).flat(graph, dict(place.inputs), place)


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


@dataclass(slots=True)
class Site(Rewriting):
    """The nodes of a graph so far, what stands for its values, and where it stands."""

    place: InlineContext = InlineContext("", {}, {}, {})


@dataclass(slots=True)
class Flattening(Interpreter[Site, Operand]):
    """One walk: the names and the types of what it makes, and where that stood."""

    fresh: Fresh
    maybe: set[str] = field(default_factory=set)  # values that may be absent when the model runs
    vectorized: set[str] = field(default_factory=set)  # paths of instances that stay
    types: dict[str, TensorType] = field(default_factory=dict)  # of the values that are made here
    stored: dict[str, str] = field(default_factory=dict)  # those that are weights: their paths
    trained: bool = False  # whether dropout, phases and updates stay
    origins: Origins = field(default_factory=dict)

    def flat(self, graph: Graph, names: Names, place: InlineContext) -> tuple[list[Node], tuple[Operand, ...]]:
        """The nodes of a graph, inlined here; `names` has the operands of its inputs and takes those of its values."""
        frame = Site((), [], names, place)
        outputs = self.graph(frame, graph)
        return frame.nodes, outputs

    def read(self, frame: Site, operand: Operand) -> Operand:
        if isinstance(operand, str):
            return frame.names[operand]
        return in_sizes(operand, frame.place.sizes) if isinstance(operand, Const) else None

    def bind(self, frame: Site, value: Value, meaning: Operand) -> None:
        frame.names[value.name] = meaning

    def operation(self, frame: Site, node: Node) -> Sequence[Operand]:
        if node.op == "dropout" and not self.trained:
            return [self.read(frame, node.inputs[0])]
        return self.copy(frame, node)

    def visit_weight(self, frame: Site, node: Node, told: WeightAttrs) -> Sequence[Operand]:
        if node.path in frame.place.supplied:
            return [frame.place.supplied[node.path]]
        (name,) = self.copy(frame, node)
        self.stored[str(name)] = frame.place.path(node.path)
        return [name]

    def visit_update(self, frame: Site, node: Node, told: UpdateAttrs) -> Sequence[Operand]:
        return self.copy(frame, node) if self.trained else ()

    def visit_tap(self, frame: Site, node: Node, told: TapAttrs) -> Sequence[Operand]:
        return self.copy(frame, node) if self.trained else ()

    def visit_assume(self, frame: Site, node: Node, told: AssumeAttrs) -> Sequence[Operand]:
        return self.copy(frame, node)

    def visit_extern(self, frame: Site, node: Node, told: ExternAttrs) -> Sequence[Operand]:
        return self.copy(frame, node)

    def visit_initial(self, frame: Site, node: Node, told: InitialAttrs) -> Sequence[Operand]:
        return self.copy(frame, node)

    def visit_phase(self, frame: Site, node: Node, told: PhaseAttrs) -> Sequence[Operand]:
        if self.trained:
            return self.copy(frame, node)
        return self.region(frame, node.regions[1], self.inputs(frame, node))

    def visit_given(self, frame: Site, node: Node, told: GivenAttrs) -> Sequence[Operand]:
        """It is decided where the caller's operand is known to be there or not."""
        asked = self.read(frame, node.inputs[0])
        if asked in self.maybe:
            return self.copy(frame, node, there=asked)
        return self.region(frame, node.regions[int(asked is None)], self.inputs(frame, node))

    def visit_tapped(self, frame: Site, node: Node, told: TappedAttrs) -> Sequence[Operand]:
        return self.copy(frame, node)

    def visit_vectorized(self, frame: Site, node: Node, told: VectorizedAttrs) -> Sequence[Operand]:
        return self.copy(frame, node)

    def visit_grad(self, frame: Site, node: Node, told: GradAttrs) -> Sequence[Operand]:
        return self.copy(frame, node)

    def visit_custom_grad(self, frame: Site, node: Node, told: CustomGradAttrs) -> Sequence[Operand]:
        """Captures of its first region come first, then those of its second."""
        return self.copy(frame, node, both=True)

    def visit_scan(self, frame: Site, node: Node, told: ScanAttrs) -> Sequence[Operand]:
        return self.copy(frame, node)

    def visit_repeat(self, frame: Site, node: Node, told: RepeatAttrs) -> Sequence[Operand]:
        """A loop of no iterations gives back what it carries; one that collects stays."""
        none = told.count.subs(frame.place.sizes) == size(0) and not told.results(node.outputs).yielded
        if none and not self.trained:
            return [self.read(frame, operand) for operand in told.parts(node.inputs).carried]
        return self.copy(frame, node, sliced=f"{node.path}.*.")

    def visit_call(self, frame: Site, node: Node, told: CallAttrs) -> Sequence[Operand]:
        callee, place = node.callee, frame.place
        assert callee is not None, node
        if node.path in place.vectorized or callee.foreign:
            return self.copy(frame, node)
        inputs = tuple(self.inputs(frame, node))
        inner: Names = {value.name: x for value, x in zip(callee.graph.inputs, inputs, strict=True)}
        sizes: dict[Unknown, Size] = {unknown: value.subs(place.sizes) for unknown, value in node.bindings}
        path = place.path(node.path) if node.path else place.prefix
        handed = self.given(frame, node)
        shared = self.shared(callee, handed)
        if shared is not None:
            path, handed = shared, {}
        mine = tuple((unknown, value.subs(place.own)) for unknown, value in node.bindings)
        calls, own = place.calls, dict(mine)
        if node.path:
            calls, own = (*calls, InlinedCall(path, callee, mine, inputs)), {}
        there = InlineContext(path, sizes, handed, dict(inner), vectorized_instances(callee), calls, own)
        outputs = self.graph(Site((), frame.nodes, inner, there), callee.graph)
        for value, output in zip(node.outputs, outputs, strict=True):
            origin = self.origins.get(output) if isinstance(output, str) else None
            if origin is not None and len(calls) > len(place.calls) and origin.calls[: len(calls)] == calls:
                above = {**origin.above, len(place.calls): value.hint}
                self.origins[str(output)] = replace(origin, above=above)
        return outputs

    def given(self, frame: Site, node: Node) -> dict[str, str]:
        """The weights that a call is handed: by its own user, who has the last word, and from further outside."""
        outside = below(frame.place.supplied, node.path) if node.path else {}
        return outside | {path: str(frame.names[name]) for path, name in node.supplied}

    def shared(self, callee: Definition, handed: Mapping[str, str]) -> str | None:
        """The path of the instance whose weights a call is handed, all of them."""
        bases = {self.stored.get(name, "").removesuffix(path) for path, name in handed.items()}
        base = bases.pop() if len(bases) == 1 else ""
        if not base.endswith(".") or any(path not in handed for path, _ in weight_types(callee, {})):
            return None
        return base[:-1]

    def copy(
        self, frame: Site, node: Node, *, there: Operand = None, sliced: str = "", both: bool = False
    ) -> Sequence[Operand]:
        """The node here. In its first region `there` is not absent; weights below `sliced` are those of an iteration;
        with `both`, its regions read captures of their own.
        """
        place, names, results = frame.place, frame.names, [value.name for value in node.outputs]
        if node.regions:
            absent = [at for at, x in enumerate(node.inputs) if self.read(frame, x) is None]
            node, nothing = without_inputs(node, absent) if absent else (node, ())
            names.update(dict.fromkeys(nothing))
        path = place.path(node.path) if node.path else ""
        if node.callee is not None and path:
            self.vectorized.add(path)
        inputs = tuple(self.inputs(frame, node))
        handed = self.handed(node, place, sliced, both)
        pairs = zip(node.regions, (there, None), strict=False)
        regions = tuple(self.held(frame, region, inputs, handed, asked) for region, asked in pairs)
        before = node.outputs
        node, gone = without_results(replace(node, regions=regions))
        names.update({before[at].name: None for at in gone})
        settled = node.map_settings(lambda value: in_sizes(value, place.sizes))
        outputs = tuple(self.value(value, names, place.sizes) for value in node.outputs)
        told = settled.structure
        made = replace(
            settled,
            inputs=handed.among(inputs),
            structure=None if told is None else told.taking(len(handed.slices), len(handed.captured)),
            outputs=outputs,
        ).at(path)
        if node.callee is not None:
            made = made.calling(supplied=tuple(self.given(frame, node).items()))
        own = replace(
            node.map_settings(lambda value: in_sizes(value, place.own)),
            inputs=tuple(in_sizes(x, place.own) if isinstance(x, Const) else x for x in node.inputs),
        )
        for old, value in zip(node.outputs, outputs, strict=True):
            self.origins[value.name] = InlineOrigin(place.calls, type_in_sizes(old.type, place.own), own, made)
        self.maybe.update(self.may_be_absent(made) if not both else ())
        frame.nodes.append(made)
        return [names[name] for name in results]

    def may_be_absent(self, node: Node) -> Iterator[str]:
        """The results of a node that may be absent when the model runs."""
        if node.callee is not None:
            pairs = zip(node.callee.graph.inputs, node.inputs, strict=True)
            asked = {given(v.name): NEVER if x is None else ALWAYS for v, x in pairs if x not in self.maybe}
            found = (when.put(asked) != ALWAYS for when in Maybe().definition(node.callee))
            yield from (value.name for value, open in zip(node.outputs, found, strict=True) if open)
        for at, value in enumerate(node.outputs):
            outputs = [region.outputs[at] for region in node.regions]
            if any(x is None or x in self.maybe for x in outputs):
                yield value.name

    def handed(self, node: Node, place: InlineContext, sliced: str, both: bool) -> _Handed:
        """The supplied weights that the regions of a node read, and how they come in."""
        found = {where: name for where, name in place.supplied.items() if any(reads(r, where) for r in node.regions)}
        slices = {where: name for where, name in found.items() if sliced and where.startswith(sliced)}
        captured = {where: name for where, name in found.items() if where not in slices}
        return _Handed(0 if node.structure is None else node.structure.taken_at, slices, captured, both)

    def held(self, frame: Site, region: Graph, outside: tuple[Operand, ...], handed: _Handed, there: Operand) -> Graph:
        """A region of a node that stays; `there` is an operand that is not absent in it."""
        names, place = frame.names, frame.place
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
        nodes, outputs = self.flat(region, names, replace(place, supplied=supplied))
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
