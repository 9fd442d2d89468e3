"""`over` and `each` become ordinary operations on whole tensors, by batching rules; no loop over the axis is left.

A region is vectorized where it stands. A definition that it calls becomes a vectorized definition, once for each choice
of operands that have the axis: with weights stacked on a first axis (`each`), or the same weights (`over`). So the cost
follows the text. The axis stands first in every value that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import VectorizedAttrs
from ogive.compiler.ir.model import Definition, Graph, Instance, Model, Node, Operand, Static
from ogive.compiler.ir.substitute import Fresh, with_operands
from ogive.compiler.ir.types import Axis
from ogive.compiler.ir.weights import loops_in, weight_types
from ogive.compiler.ir_tools.maybe import maybe
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriting
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.inline_handed import inline_all_handed, inline_handed
from ogive.compiler.passes.infra.driver import Pass, optimized
from ogive.compiler.passes.vectorize.calls import Calls, VectorizedDefinition, agree
from ogive.compiler.passes.vectorize.regions import Flags, Vectorizer
from ogive.compiler.passes.vectorize.stacked_weights import stacked_inits, stacked_member
from ogive.compiler.passes.vectorize.values import Values
from ogive.compiler.sizes import Size, Unknown, size


def vectorize_model(model: Model, after: Sequence[Pass]) -> Model:
    """The model without `over` and `each`. Passes of `after` tidy what was vectorized; a model without them stays."""
    definitions = VectorizedDefinitions()
    found = optimized(model, (definitions.lowered,))
    if not definitions.changed:
        return model
    return optimized(replace(found, inits=stacked_inits(found.definition, found.inits)), after)


Key = tuple[int, Flags, bool, bool]


@dataclass(slots=True)
class VectorizedDefinitions:
    """The vectorized definitions of a model, and what they are made of."""

    made: dict[Key, VectorizedDefinition] = field(default_factory=dict)
    originals: list[Definition] = field(default_factory=list)  # keeps their identities taken
    changed: bool = False

    def lowered(self, definition: Definition) -> Definition:
        """The definition with its regions vectorized where they stand; its callees have been lowered."""
        # also where nothing calls it
        stacked = any(instance.vectorized is not None for instance in definition.instances)
        if not stacked and not any(node.op in ("over", "each") for node in definition.graph.walk()):
            return self.constrained(definition)
        self.changed = True
        definition = inline_handed(inline(definition))
        calls = Calls(self, definition)
        while True:
            fresh = Fresh.of(definition.graph)
            graph = _Lowering(calls, fresh, set(maybe(definition).open)).rewritten(definition.graph)
            if not calls.grew():
                break
        graph = agree(graph, calls, fresh, set(maybe(replace(definition, graph=graph)).open))
        return self.constrained(replace(definition, graph=graph, members=calls.members(graph)))

    def constrained(self, definition: Definition) -> Definition:
        """The definition; what it asks of a weight that is stacked further down holds at every index."""
        if not any(member.keeps for member in definition.instances):
            return definition
        calls = Calls(self, definition)
        members = tuple(_asked(calls, m) if isinstance(m, Instance) and m.keeps else m for m in definition.members)
        return replace(definition, members=members)

    def of(self, definition: Definition, inputs: Flags, stacked: bool, whole: bool, axis: Size) -> VectorizedDefinition:
        """A definition at every index: `inputs` tell which have the axis, `stacked` whether weights have it.

        With `whole`, every call inside is made with the axis in all its inputs.
        """
        key = (id(definition), inputs, stacked, whole)
        if key not in self.made:
            self.originals.append(definition)
            self.made[key] = self._made(inline_all_handed(definition), inputs, stacked, whole, axis)
        return self.made[key]

    def _made(
        self, definition: Definition, inputs: Flags, stacked: bool, whole: bool, axis: Size
    ) -> VectorizedDefinition:
        name = str(axis) if any(axis == size(unknown) for unknown in axis.unknowns) else "n"
        unknown = Unknown(name)
        calls = Calls(self, definition, every=size(unknown) if stacked else None, whole=whole)
        while True:
            values = Values(Axis(size(unknown), name), Fresh.of(definition.graph), maybe=set(maybe(definition).open))
            params = [values.input(value, flag) for value, flag in zip(definition.graph.inputs, inputs, strict=True)]
            outputs = Vectorizer(calls).graph(values, definition.graph)
            if not calls.grew():
                break
        graph = values.graph(params, outputs)
        members = calls.members(graph)
        if stacked:
            count = size(unknown)
            members = tuple(stacked_member(m, count, lambda keep: _kept(calls, keep, count)) for m in members)
        same = not stacked and _runs_through(definition, graph)
        static = (Static(name, "size", unknown),) if stacked else ()
        found = replace(
            definition,
            name=definition.name if same else _name(definition, stacked),
            block=definition.block if same else f"{'each' if stacked else 'over'} {definition.block}",
            statics=(*static, *definition.statics),
            sizes=definition.sizes if stacked else (unknown, *definition.sizes),
            graph=graph,
            members=members,
        )
        return VectorizedDefinition(found, unknown, tuple(map(values.has, outputs)))


def _name(definition: Definition, stacked: bool) -> str:
    """EachLinear, OverEnergy: after the block, since passes number definitions of one name."""
    name = definition.block.rpartition(".")[2].rpartition(" ")[2] or definition.name
    prefix = "Each" if stacked else "Over"
    return f"{prefix}{name[:1].upper()}{name[1:]}"


def _asked(calls: Calls, instance: Instance) -> Instance:
    """The constraints of weights below an instance, on as many axes as these are stacked on."""
    types = dict(weight_types(instance.definition, dict(instance.bindings)))
    keeps = []
    for path, keep in instance.keeps:
        axes = types[path].axes[loops_in(path) :]
        for axis in reversed(axes[: len(axes) - len(keep.inputs[0].type.axes)]):
            keep = _kept(calls, keep, axis.size)
        keeps.append((path, keep))
    return replace(instance, keeps=tuple(keeps))


def _kept(calls: Calls, graph: Graph, axis: Size) -> Graph:
    """A constraint, of one tensor, on the tensors of all indices."""
    values = Values(Axis(axis), Fresh.of(graph))
    params = [values.input(value, True) for value in graph.inputs]
    (output,) = Vectorizer(calls).graph(values, graph)
    return values.graph(params, [values.full(output)])


def _runs_through(definition: Definition, graph: Graph) -> bool:
    """Whether a vectorized graph is the same operations, one by one, so that the block itself takes one more axis."""
    old, new = definition.graph.nodes, graph.nodes
    if len(old) != len(new) or any(node.regions or node.callee for node in old):
        return False
    return all(a.op == b.op and a.inputs == b.inputs for a, b in zip(old, new, strict=True))


@dataclass(slots=True)
class _Lowering(LocalRewriter[Rewriting]):
    """Regions of `over` and `each` become nodes of the graph that holds them, innermost first."""

    calls: Calls
    fresh: Fresh
    maybe: set[str]  # values that may be absent where they stand

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)

    def visit_vectorized(self, frame: Rewriting, node: Node, told: VectorizedAttrs) -> Sequence[Operand]:
        """One region where it stands."""
        node = with_operands(self.with_regions(node), frame.names)
        values = Values(Axis(told.size), self.fresh, types=frame.types, maybe=self.maybe)
        region = node.regions[0]
        inside, outside = told.parts(region.inputs), told.parts(node.inputs)
        for value, operand, at in zip(inside.sliced, outside.sliced, told.in_axes, strict=True):
            values.names[value.name] = values.enter(str(operand), at)
        for value, operand in zip(inside.captured, outside.captured, strict=True):
            values.names[value.name] = operand
        with self.calls.inside(node.op):
            outputs = Vectorizer(self.calls).graph(values, region)
        results = []
        for value, output, at in zip(node.outputs, outputs, told.out_axes, strict=True):
            results.append(values.leave(str(output), at))
            values.bind(value, results[-1])
        frame.nodes += values.nodes
        return results
