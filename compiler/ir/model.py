"""The typed IR: definitions hold graphs, graphs hold frozen nodes, nodes hold regions or call definitions.

A definition is one block at one choice of everything that is not a size. Its sizes stay symbolic: they are its own
`Unknown`s, and a use binds them to sizes of the user (`Node.bindings`, `Instance.bindings`, `Model.bindings`). So a
definition is checked, emitted and drawn once however often, and at however many widths, it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ogive.compiler.ir.attributes import AbstractCallAttrs, ExternAttrs, FaultAttrs, LoopAttrs, PlainStructure
from ogive.compiler.ir.signature_lists import SignatureLists
from ogive.compiler.ir.structure import StructureBase
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Condition, Size, Unknown

if TYPE_CHECKING:
    from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number that is not a whole one and may depend on sizes: `sqrt(d // heads)`, `1 / n`, `0.5 * p`.

    `fn` is an operator (`+ - * / // % ** neg`) or a function name (`sqrt log exp log2 ceil floor min max`), computed as
    Python does; `fn == "static"` names a float static of the definition that is not known (args: its name alone).
    """

    fn: str
    args: tuple[Any, ...]  # Size | int | float | Scalar | str


@dataclass(frozen=True, slots=True)
class Const:
    """A literal operand: its element type adapts to its neighbour tensor."""

    value: int | float | bool | Size | Scalar


Operand = str | Const | None  # the name of a value, a literal, or nothing: an optional input that is not given


@dataclass(frozen=True, slots=True)
class Value:
    """One result of a node, or an input of a graph. Names are unique within a definition, regions included.

    A value may be absent when the model runs: an optional input, and what one arm of a `phase` or a `given` leaves out.
    `compiler.maybe` tells which, and when.
    """

    name: str
    type: TensorType
    hint: str = field(default="", compare=False)  # the name it has in the source, where it has one


Bindings = tuple[tuple[Unknown, Size], ...]
Attrs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class CallAttrs(StructureBase):
    """`call`: applies `callee`, whose unknowns are `bindings` in sizes of the caller, as the instance at `path` (""
    for a block without weights). Inputs follow those of the callee (None: absent; a value that may be absent goes to an
    optional one). `supplied` names weights that are given at the call: (path inside the callee, value), those of all
    iterations of its loops stacked.
    """

    op: ClassVar[str] = "call"
    callee: Definition | None = None
    bindings: Bindings = ()
    path: str = ""
    supplied: tuple[tuple[str, str], ...] = ()


Structure = PlainStructure | CallAttrs
STRUCTURES: Mapping[str, type[Structure]] = MappingProxyType({each.op: each for each in Structure.__args__})
UNFINISHED = frozenset((AbstractCallAttrs.op, FaultAttrs.op))  # only in definitions that are not checked yet, or faulty


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Most are primitive operations of `compiler.ops`: then `attrs` are the statics after resolution. The others, which
    hold or apply graphs, touch weights or only tell something, have a `structure` instead (`compiler.ir.attributes`),
    whose class says what the regions are and how inputs, results and those of the regions belong together; `op` is
    the name of that class.
    """

    op: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Value, ...]
    attrs: Attrs = ()
    regions: tuple[Graph, ...] = ()
    structure: Structure | None = None
    span: Span | None = field(default=None, compare=False, repr=False)

    @staticmethod
    def of(
        structure: Structure,
        inputs: tuple[Operand, ...],
        outputs: tuple[Value, ...],
        regions: tuple[Graph, ...] = (),
        span: Span | None = None,
    ) -> Node:
        """A structural operation."""
        return Node(structure.op, inputs, outputs, (), regions, structure, span)

    @property
    def path(self) -> str:
        """The weight, the instance or the loop that it is about; "" for none."""
        return "" if self.structure is None else self.structure.path

    @property
    def call(self) -> CallAttrs | None:
        """Its structure, where it is a call."""
        return self.structure if isinstance(self.structure, CallAttrs) else None

    @property
    def callee(self) -> Definition | None:
        """What a call applies."""
        return None if self.call is None else self.call.callee

    @property
    def bindings(self) -> Bindings:
        """The unknowns of what a call applies, in sizes of the caller."""
        return () if self.call is None else self.call.bindings

    @property
    def supplied(self) -> tuple[tuple[str, str], ...]:
        """The weights that a call gives to what it applies."""
        return () if self.call is None else self.call.supplied

    def at(self, path: str) -> Node:
        """The node about another weight, instance or loop."""
        if path == self.path or self.structure is None:
            return self
        return replace(self, structure=replace(self.structure, path=path))  # type: ignore[arg-type]

    def calling(
        self,
        callee: Definition | None = None,
        bindings: Bindings | None = None,
        supplied: tuple[tuple[str, str], ...] | None = None,
    ) -> Node:
        """A call of something else, or with other sizes or weights; None is what it was."""
        told = self.call
        assert told is not None, self
        callee, bindings = callee or told.callee, told.bindings if bindings is None else bindings
        supplied = told.supplied if supplied is None else supplied
        return replace(self, structure=CallAttrs(callee, bindings, told.path, supplied))

    def reading(self, at: Callable[[Operand], Operand]) -> Node:
        """The node with a function applied to what it reads."""
        node = replace(self, inputs=tuple(map(at, self.inputs)))
        return (
            node.calling(supplied=tuple((path, str(at(name))) for path, name in node.supplied))
            if node.supplied
            else node
        )

    def attr(self, name: str, default: Any = None) -> Any:
        """The attribute of that name. Raises AttributeError for what the structure of the node holds."""
        if self.structure is not None and name in self.structure.__slots__:
            raise AttributeError(f"`{name}` of `{self.op}` is in its structure")
        for key, value in self.attrs:
            if key == name:
                return value
        return default

    @property
    def loop(self) -> LoopAttrs | None:
        """Its structure, where it is a loop."""
        return self.structure if isinstance(self.structure, LoopAttrs) else None

    @property
    def settings(self) -> Attrs:
        """All that it says of itself by name: its attributes, or the fields of its structure."""
        return self.attrs if self.structure is None else self.structure.pairs

    def map_settings(self, function: Callable[[Any], Any]) -> Node:
        """The node with a function applied to the value of each of its settings."""
        if self.structure is not None:
            return replace(self, structure=self.structure.map_values(function))
        return replace(self, attrs=tuple((key, function(value)) for key, value in self.attrs)) if self.attrs else self

    def giving(self, outputs: tuple[Value, ...]) -> Node:
        """The node with other names or types for its results."""
        return Node(self.op, self.inputs, outputs, self.attrs, self.regions, self.structure, self.span)

    @property
    def operands(self) -> tuple[str, ...]:
        """The names of the values that the node reads, without literals and absent inputs."""
        names = [x for x in self.inputs if isinstance(x, str)]
        return tuple(names) if self.structure is None else (*names, *(name for _, name in self.supplied))


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run. A region sees its own inputs alone (captures are inputs)."""

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Operand, ...]

    @cached_property
    def values(self) -> dict[str, Value]:
        """Inputs and results by name."""
        found = {value.name: value for value in self.inputs}
        for node in self.nodes:
            found.update((value.name, value) for value in node.outputs)
        return found

    @cached_property
    def producers(self) -> dict[str, Node]:
        return {value.name: node for node in self.nodes for value in node.outputs}

    @cached_property
    def users(self) -> dict[str, tuple[Node, ...]]:
        """The nodes that read a value, once for each reading; outputs of the graph are not among them."""
        found: dict[str, list[Node]] = {name: [] for name in self.values}
        for node in self.nodes:
            for name in node.operands:
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def walk(self) -> Iterator[Node]:
        """All nodes, those of regions after the node that holds them."""
        for node in self.nodes:
            yield node
            for region in node.regions:
                yield from region.walk()


@dataclass(frozen=True, slots=True)
class Init:
    """How a weight starts: a named initializer with settings, or (name == "expression") a graph without inputs."""

    name: str
    attrs: Attrs = ()
    graph: Graph | None = None

    @property
    def reads_weights(self) -> bool:
        """Whether it is an expression of other weights: where these are stacked, it is one of all indices at once."""
        return self.graph is not None and any(node.op == "weight" for node in self.graph.walk())


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor that the definition owns. `path` is its place below the definition; iterations of `repeat` are `*`."""

    path: str
    type: TensorType
    kind: Literal["param", "state"]
    init: Init
    keep: Graph | None = None  # weight -> weight, applied at the start and after every step
    span: Span | None = field(default=None, compare=False, repr=False)
    nonzero: int | None = None  # how many of its entries count, where a mask takes the others


@dataclass(frozen=True, slots=True)
class Instance:
    """A block with weights of its own, at `path`: "c_attn", "h.*.attn", "stages.0.blocks.1.bottleneck".

    `inits` overrides initializers below it: (path inside the instance, Init), the last one wins.
    """

    path: str
    definition: Definition
    bindings: Bindings
    inits: tuple[tuple[str, Init], ...] = ()
    omitted: tuple[str, ...] = ()  # weights below it that every call supplies: they are not stored
    keeps: tuple[tuple[str, Graph], ...] = ()  # constraints of weights below it: (path, weight -> weight)
    vectorized: Size | None = None  # `each`: weights of all indices stacked on a new first axis of this size
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Loop:
    """A `repeat`: what stands at `path + ".*."` exists `count` times."""

    path: str
    count: Size


Member = Weight | Instance | Loop


@dataclass(frozen=True, slots=True)
class Static:
    """A static of the definition. Sizes and nats have an `Unknown`; all else a value that is part of its identity."""

    name: str
    kind: str
    unknown: Unknown | None = None
    value: Any = None


@dataclass(frozen=True)
class Definition:
    """A block, checked. `block` is its qualified name ("std.nn.Linear", "Attention"); `name` is unique in a program.

    `statics` come first in source order, then `sizes`: the unknowns that the inputs bind. `facts` are conditions that
    held where choices were made at compile time (they are true of every use of this definition); `conditions` are
    those that a use must meet. `step` runs after each step of the optimizer: it reads weights and updates them.
    """

    name: str
    block: str
    statics: tuple[Static, ...]
    sizes: tuple[Unknown, ...]
    graph: Graph
    output_names: tuple[str | None, ...]
    optional: tuple[bool, ...]  # for each input, whether it may be absent
    members: tuple[Member, ...]
    conditions: tuple[Condition, ...]
    facts: tuple[Condition, ...] = ()
    doc: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)
    step: Graph | None = None
    output_labels: tuple[tuple[str | None, ...], ...] = field(default=(), compare=False, repr=False)  # as declared
    named: tuple[tuple[str, Size], ...] = field(default=(), compare=False, repr=False)  # what the source calls sizes
    lists: SignatureLists = field(default_factory=SignatureLists, compare=False, repr=False)

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        return tuple(m for m in self.members if isinstance(m, Weight))

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(m for m in self.members if isinstance(m, Instance))

    @cached_property
    def loops(self) -> dict[str, Loop]:
        return {m.path: m for m in self.members if isinstance(m, Loop)}

    @cached_property
    def graphs(self) -> tuple[Graph, ...]:
        """All graphs that it holds: its own, that of its step, and those by which weights start and stay."""
        inits = [init for instance in self.instances for _, init in instance.inits]
        inits += [weight.init for weight in self.weights]
        keeps = [keep for instance in self.instances for _, keep in instance.keeps]
        keeps += [weight.keep for weight in self.weights if weight.keep is not None]
        starts = [init.graph for init in inits if init.graph is not None]
        return (self.graph, *([] if self.step is None else [self.step]), *starts, *keeps)

    @cached_property
    def callees(self) -> tuple[Definition, ...]:
        """The definitions that it uses directly, as instances and in calls, each once for each use."""
        calls = (node.callee for graph in self.graphs for node in graph.walk())
        return (*(each.definition for each in self.instances), *(callee for callee in calls if callee is not None))

    @cached_property
    def owners(self) -> tuple[tuple[str, str], ...]:
        """Every weight at or below: its path, and the block that owns it."""
        found = [(weight.path, self.block) for weight in self.weights]
        for each in self.instances:
            found += [(f"{each.path}.{path}", block) for path, block in each.definition.owners]
        return tuple(found)

    @cached_property
    def foreign(self) -> Node | None:
        """The node of a module of the user's (`extern`), which is then all that the definition holds."""
        return next((node for node in self.graph.nodes if isinstance(node.structure, ExternAttrs)), None)

    @cached_property
    def powered(self) -> bool:
        """Whether a size here or below has a power with a symbolic exponent, which may be no number of a model."""
        return any(
            (node.callee is not None and (node.callee.powered or any(size.powered for _, size in node.bindings)))
            or any(axis.size.powered for value in node.outputs for axis in value.type.axes)
            for node in self.graph.walk()
        )

    @cached_property
    def stateless(self) -> bool:
        """True where it owns no weight, directly or below, and no module of the user's."""
        if self.foreign is not None:
            return False
        return not any(
            isinstance(m, Weight) or (isinstance(m, Instance) and not m.definition.stateless) for m in self.members
        )


@dataclass(frozen=True, slots=True)
class Model:
    """An entry point: a definition with every static given. Sizes of inputs stay symbolic."""

    name: str
    definition: Definition
    bindings: tuple[tuple[Unknown, int], ...]  # the statics' unknowns
    conditions: tuple[Condition, ...]  # on run-time sizes, checked at the entry
    inits: tuple[tuple[str, Init], ...] = ()
    doc: str = ""
