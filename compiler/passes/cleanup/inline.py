"""Puts small functions, and blocks to which weights are handed, into the graphs that call them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Bindings, CallAttrs, Definition, Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh, copied, with_operands
from ogive.compiler.ir.weights import weight_types
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.ir_tools.maybe import maybe
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriting
from ogive.compiler.passes.cleanup.flatten import InlineContext, inlined

SMALL = 6  # operations; larger functions stay functions


def inline(definition: Definition) -> Definition:
    """f(x) = the body of f with x in the place of its input, for small f and for f that is handed its weights."""
    graph = _Inliner(definition, Fresh.of(definition.graph)).rewritten(definition.graph)
    return definition if graph is definition.graph else replace(definition, graph=graph)


@dataclass(slots=True)
class _Inlining(Rewriting):
    stored: dict[str, str] = field(default_factory=dict)  # the weights that the graph reads: values and their paths


@dataclass(frozen=True, slots=True)
class _Inliner(LocalRewriter[_Inlining]):
    """Puts the bodies of what a graph calls in the place of the calls, regions included."""

    definition: Definition
    fresh: Fresh

    def start(self, graph: Graph) -> _Inlining:
        return _Inlining(graph.inputs)

    def visit_weight(self, frame: _Inlining, node: Node, told: WeightAttrs) -> Sequence[Operand]:
        frame.stored[node.outputs[0].name] = node.path
        return self.keep(frame, node)

    def visit_call(self, frame: _Inlining, node: Node, told: CallAttrs) -> Sequence[Operand]:
        node = with_operands(node, frame.names)
        same = shared_instance(self.definition, node, frame.stored)
        if same is not None:
            node = node.at(same).calling(supplied=())
        assert node.callee is not None, node
        if _alone(node, node.callee):
            nodes, outputs = _whole(node, node.callee, self.fresh, maybe(self.definition).open)
            frame.nodes += nodes
            return outputs
        if not _wanted(node, node.callee):
            return frame.add(node)
        nodes, outputs = body_of(node, node.callee, self.fresh)
        if not node.supplied:
            frame.nodes += nodes
            return outputs
        # what it hands on to the blocks that it calls
        inside = _Inlining(nodes=frame.nodes, stored=frame.stored)
        return self.graph(inside, Graph((), tuple(nodes), tuple(outputs)))


def shared_instance(definition: Definition, node: Node, stored: Mapping[str, str]) -> str | None:
    """The instance whose weights a call is handed, all of them: the call is one of that instance."""
    if not node.supplied or node.callee is None:
        return None
    path, value = node.supplied[0]
    first = stored.get(value, "")
    base = first[: -len(path) - 1]
    held = next((m for m in definition.instances if m.path == base), None)
    if held is None or _settings(held.definition, held.bindings) != _settings(node.callee, node.bindings):
        return None
    if any(stored.get(value) != f"{base}.{path}" for path, value in node.supplied):
        return None
    return base if {path for path, _ in weight_types(node.callee, {})} <= {path for path, _ in node.supplied} else None


def _settings(definition: Definition, bindings: Bindings) -> tuple[object, ...]:
    """The block and its statics, sizes in those of the user."""
    sizes = dict(bindings)
    statics = tuple((s.name, s.value if s.unknown is None else sizes[s.unknown]) for s in definition.statics)
    return definition.block, statics


def _given(node: Node, callee: Definition) -> dict[str, Operand]:
    return {value.name: operand for value, operand in zip(callee.graph.inputs, node.inputs, strict=True)}


def _alone(node: Node, callee: Definition) -> bool:
    """Whether a block with branches is handed all its weights and has no instance, which a target could call."""
    if node.path or not node.supplied:
        return False
    return any(inner.regions for inner in callee.graph.nodes)


def _whole(node: Node, callee: Definition, fresh: Fresh, absent: Collection[str]) -> tuple[list[Node], list[Operand]]:
    """The body with its branches, into which the weights are handed."""
    place = InlineContext("", dict(node.bindings), dict(node.supplied), _given(node, callee))
    kinds = dict(weight_types(callee, dict(node.bindings)))
    types = {value: kinds[path] for path, value in node.supplied}
    nodes, outputs = inlined(callee.graph, place, fresh, types, absent)
    return nodes, list(outputs)


def _wanted(node: Node, callee: Definition) -> bool:
    if node.supplied:
        handed = {path for path, _ in node.supplied}
        return not any(inner.regions or (inner.op == "update" and inner.path in handed) for inner in callee.graph.nodes)
    if node.path or not callee.stateless:
        return False
    nodes = list(callee.graph.walk())
    if any(inner.op == "given" for inner in nodes) or any(operand is None for operand in node.inputs):
        return False
    return len(nodes) <= SMALL or any(own_effect(inner) & Effect.DRAWS for inner in nodes)


def body_of(node: Node, callee: Definition, fresh: Fresh) -> tuple[list[Node], list[Operand]]:
    """What a call applies, in its place: nodes, and what stands for its results."""
    names = _given(node, callee)
    handed = dict(node.supplied)
    body = callee.graph
    for inner in body.nodes:
        if inner.op == "weight" and inner.path in handed:
            names[inner.outputs[0].name] = handed[inner.path]
    kept = tuple(
        _handed_on(inner, handed, names) for inner in body.nodes if not (inner.op == "weight" and inner.path in handed)
    )

    def place(path: str) -> str:
        return f"{node.path}.{path}" if node.path else path

    nodes, outputs = copied(replace_nodes(body, kept), dict(node.bindings), names, fresh, place)
    hints = {output: value for output, value in zip(outputs, node.outputs, strict=True) if isinstance(output, str)}
    named = [
        replace(
            inner,
            outputs=tuple(
                replace(value, hint=hints[value.name].hint, type=hints[value.name].type)
                if value.name in hints
                else value
                for value in inner.outputs
            ),
            span=node.span,
        )
        for inner in nodes
    ]
    return named, list(outputs)


def _handed_on(node: Node, handed: dict[str, str], names: dict[str, Operand]) -> Node:
    """A call inside the body is handed those weights that lie below it."""
    if node.op != "call" or not node.path:
        return node
    below = {path.removeprefix(f"{node.path}."): v for path, v in handed.items() if path.startswith(f"{node.path}.")}
    names.update((f"handed {value}", value) for value in below.values())
    more = tuple((path, f"handed {value}") for path, value in below.items() if path not in dict(node.supplied))
    return node.calling(supplied=(*node.supplied, *more))


def replace_nodes(graph: Graph, nodes: tuple[Node, ...]) -> Graph:
    """The graph with other nodes."""
    return Graph(graph.inputs, nodes, graph.outputs)
