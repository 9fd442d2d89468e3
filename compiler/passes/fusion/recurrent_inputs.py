"""Loops as targets have kernels for them: the map of the inputs of a recurrent layer goes into its loop.

A layer maps all its tokens at once, before the loop that adds what it maps of its state. Kernels do both, so where the
loop with both in it is such a layer (`recurrent_cell`), it is written so; every other loop stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ogive.compiler.ir.attributes import CustomGradAttrs, GradAttrs, ScanAttrs, WeightAttrs
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Model, Node, Operand, Value
from ogive.compiler.ir.substitute import Fresh, with_operands
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.derivatives import grad_depths
from ogive.compiler.ir_tools.rewriter import LocalRewriter, Rewriting
from ogive.compiler.passes.cleanup.inline import body_of
from ogive.compiler.passes.fusion.recurrent_cell import RecurrentCell, recurrent_cell
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.infra.rewrite import producer

MAP = "std.nn.Linear"


Wanted = Callable[[RecurrentCell], bool]


def recurrent_inputs(model: Model, wanted: Wanted = lambda _: True, *, instances: bool = False) -> Model:
    """The model with its recurrent layers so, as far as they are `wanted`. Loops inside derivatives stay: kernels have
    no second ones.

    With `instances`, maps that are blocks of their own are opened where that makes a layer.
    """
    depths = grad_depths(model)
    return optimized(model, (lambda definition: _definition(definition, depths, wanted, instances),))


def _definition(definition: Definition, depths: Mapping[str, int], wanted: Wanted, instances: bool) -> Definition:
    if depths.get(definition.name, 0) or not any(node.op == "scan" for node in definition.graph.walk()):
        return definition
    fresh = Fresh.of(definition.graph)
    opened = _MapsOpened(fresh).rewritten(definition.graph) if instances else definition.graph
    graph = _LayersInLoops(fresh, wanted).rewritten(opened)
    return definition if graph is opened else replace(definition, graph=graph)


@dataclass(frozen=True, slots=True)
class _MapsOpened(LocalRewriter[Rewriting]):
    """Puts maps in the place of calls of them, regions included."""

    fresh: Fresh

    def start(self, graph: Graph) -> Rewriting:
        return Rewriting(graph.inputs)

    def visit_call(self, frame: Rewriting, node: Node, told: CallAttrs) -> Sequence[Operand]:
        node = with_operands(node, frame.names)
        if node.callee is None or node.callee.block != MAP or node.supplied:
            return frame.add(node)
        nodes, outputs = body_of(node, node.callee, self.fresh)
        frame.nodes += nodes
        return outputs


@dataclass(slots=True)
class _GraphInHand(Rewriting):
    source: Graph | None = None  # the graph as it was


@dataclass(frozen=True, slots=True)
class _LayersInLoops(LocalRewriter[_GraphInHand]):
    """Writes loops so, but for those inside derivatives."""

    fresh: Fresh
    wanted: Wanted

    def start(self, graph: Graph) -> _GraphInHand:
        return _GraphInHand(graph.inputs, source=graph)

    def rewritten(self, graph: Graph) -> Graph:
        found = LocalRewriter.rewritten(self, graph)
        return found if found is graph else drop_dead(found)

    def visit_scan(self, frame: _GraphInHand, node: Node, told: ScanAttrs) -> Sequence[Operand]:
        node = self.with_regions(node)
        assert frame.source is not None
        *before, made = _layer(node, frame.source, self.fresh, self.wanted) or [node]
        frame.nodes += before
        return frame.add(made)

    def visit_grad(self, frame: _GraphInHand, node: Node, told: GradAttrs) -> Sequence[Operand]:
        return frame.add(node)

    def visit_custom_grad(self, frame: _GraphInHand, node: Node, told: CustomGradAttrs) -> Sequence[Operand]:
        return frame.add(node)


def _layer(node: Node, graph: Graph, fresh: Fresh, wanted: Wanted) -> list[Node] | None:
    """The nodes of a loop that is a layer."""
    outer, weights = _weights_outside(node, fresh)
    candidates = [_mapped_inside(outer, graph, fresh), outer]
    for each in candidates:
        cell = None if each is None or each is node else recurrent_cell(each)
        if each is not None and cell is not None and wanted(cell):
            return [*weights, each]
    return None


def _weights_outside(node: Node, fresh: Fresh) -> tuple[Node, list[Node]]:
    """The loop reading its weights before it starts, and the nodes that read them."""
    body, moved = node.regions[0], []
    inputs: list[Operand] = list(node.inputs)
    captures: list[Value] = list(body.inputs)
    for each in body.nodes:
        if isinstance(each.structure, WeightAttrs):
            (inner,) = each.outputs
            value = fresh.value(inner.type, inner.hint)
            moved.append(replace(each, outputs=(value,)))
            inputs.append(value.name)
            captures.append(inner)
    if not moved:
        return node, []
    nodes = tuple(each for each in body.nodes if not isinstance(each.structure, WeightAttrs))
    return replace(node, inputs=tuple(inputs), regions=(Graph(tuple(captures), nodes, body.outputs),)), moved


def _mapped_inside(node: Node, graph: Graph, fresh: Fresh) -> Node | None:
    """The loop over what a `linear` maps, with the map inside."""
    told, body = node.structure, node.regions[0]
    assert isinstance(told, ScanAttrs), node
    made = producer(graph, node.inputs[told.carried], "linear") if told.sliced == 1 else None
    if made is None or not all(isinstance(x, str) for x in made.inputs if x is not None):
        return None
    x, *weights = [str(operand) for operand in made.inputs if operand is not None]
    type, mapped = graph.values[x].type, told.parts(body.inputs).sliced[0]
    item = fresh.value(TensorType(type.elem, tuple(a for at, a in enumerate(type.axes) if at != told.axes[0])), "")
    captures = tuple(fresh.value(graph.values[name].type, graph.values[name].hint) for name in weights)
    names = (item.name, *(value.name for value in captures))
    first = Node("linear", (*names, *(None,) * (3 - len(names))), (mapped,), span=made.span)
    before = [item if value is mapped else value for value in body.inputs]
    inputs = [x if at == told.carried else operand for at, operand in enumerate(node.inputs)]
    inside = Graph((*before, *captures), (first, *body.nodes), body.outputs)
    return replace(node, inputs=(*inputs, *weights), regions=(inside,))
