"""Multiply-adds of one forward pass as a formula in the sizes of the inputs. Element-wise work is not counted.

A derivative costs its function, and on the way back a product more for each operand of a product that it goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from ogive.compiler.ir.model import CallAttrs, Definition, Graph, Model, Node, Operand
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.interpreter import Visitor
from ogive.compiler.ops.recipe import Side, atoms_of
from ogive.compiler.sizes import Size, size

Types = Sequence[TensorType]
Mask = tuple[bool, ...]  # for each input or output, whether the derivative goes through it


def multiply_adds(model: Model) -> Size:
    """The count of a whole model, symbolic where sizes of inputs stay open."""
    count = _Counter().definition(model.definition, (False,) * len(model.definition.graph.inputs))
    return count.ahead.subs({unknown: size(value) for unknown, value in model.bindings})


def runs(node: Node) -> Size:
    """How often the body of a node runs: the iterations of a loop, the indices of `over` and `each`."""
    times = None if node.structure is None else node.structure.times
    return size(1) if times is None else times


def taken(node: Node) -> Sequence[Graph]:
    """The bodies that run: as deployed, and with every optional input."""
    return node.regions if node.structure is None else node.structure.used(node.regions)


@dataclass(frozen=True, slots=True)
class _Count:
    """Multiply-adds ahead, those of the way back, and which outputs it starts from."""

    ahead: Size
    back: Size
    live: Mask


class LiveGraph(NamedTuple):
    """A graph, and its values so far through which the derivative goes."""

    graph: Graph
    names: set[str]


@dataclass
class _Counter(Visitor[LiveGraph, _Count]):
    known: dict[tuple[int, Mask], _Count] = field(default_factory=dict)  # of definitions, by identity

    def definition(self, definition: Definition, live: Mask) -> _Count:
        """The count of a definition in its own sizes, where the derivative goes through some inputs."""
        key = (id(definition), live)
        if key not in self.known:
            self.known[key] = self.graph(definition.graph, live)
        return self.known[key]

    def graph(self, graph: Graph, live: Mask) -> _Count:
        """The count of a graph."""
        names = {value.name for value, on in zip(graph.inputs, live, strict=True) if on}
        ahead = back = size(0)
        for node in graph.nodes:
            count = self.node(LiveGraph(graph, names), node)
            times = runs(node)
            ahead, back = ahead + times * count.ahead, back + times * count.back
            names |= {value.name for value, on in zip(node.outputs, count.live, strict=True) if on}
        return _Count(ahead, back, _mask(graph.outputs, names))

    def operation(self, frame: LiveGraph, node: Node) -> _Count:
        """The count of one run of a node."""
        live = _mask(node.inputs, frame.names)
        on = any(live) and node.op != "stop_gradient"
        ahead, back = _products(node, frame.graph, live)
        return _Count(ahead, back if on else size(0), (on,) * len(node.outputs))

    def visit_grad(self, frame: LiveGraph, node: Node, told: GradAttrs) -> _Count:
        live = _mask(node.inputs, frame.names)
        inner = self.graph(node.regions[0], (True, *(False,) * (len(live) - 1)))
        total = inner.ahead + inner.back  # products all; a derivative of these has two factors to go through
        return _Count(total, 2 * total if any(live) else size(0), (any(live),))

    def visit_call(self, frame: LiveGraph, node: Node, told: CallAttrs) -> _Count:
        assert node.callee is not None, node
        count = self.definition(node.callee, _mask(node.inputs, frame.names))
        inside = dict(node.bindings)
        return _Count(count.ahead.subs(inside), count.back.subs(inside), count.live)

    def visit_loop(self, frame: LiveGraph, node: Node, told: LoopAttrs) -> _Count:
        return self.bodies(node, _mask(node.inputs, frame.names), told.carried)

    def visit_vectorized(self, frame: LiveGraph, node: Node, told: VectorizedAttrs) -> _Count:
        return self.bodies(node, _mask(node.inputs, frame.names))

    def visit_choice(self, frame: LiveGraph, node: Node, told: ChoiceAttrs) -> _Count:
        return self.bodies(node, _mask(node.inputs, frame.names))

    def visit_custom_grad(self, frame: LiveGraph, node: Node, told: CustomGradAttrs) -> _Count:
        live = _mask(node.inputs, frame.names)
        count = self.bodies(node, live)
        if any(live):
            return replace(count, back=self.graph(node.regions[1], (False,) * len(node.regions[1].inputs)).ahead)
        return count

    def visit_weight(self, frame: LiveGraph, node: Node, told: WeightAttrs) -> _Count:
        return self.operation(frame, node)

    def visit_update(self, frame: LiveGraph, node: Node, told: UpdateAttrs) -> _Count:
        return self.operation(frame, node)

    def visit_assume(self, frame: LiveGraph, node: Node, told: AssumeAttrs) -> _Count:
        return self.operation(frame, node)

    def visit_tap(self, frame: LiveGraph, node: Node, told: TapAttrs) -> _Count:
        return self.operation(frame, node)

    def visit_extern(self, frame: LiveGraph, node: Node, told: ExternAttrs) -> _Count:
        return self.operation(frame, node)

    def visit_initial(self, frame: LiveGraph, node: Node, told: InitialAttrs) -> _Count:
        return self.operation(frame, node)

    def bodies(self, node: Node, live: Mask, carried: int = 0) -> _Count:
        """The count of the bodies of a node; what a loop carries is live where any iteration makes it so."""
        while True:
            found = [self.graph(region, live) for region in taken(node)]
            outputs = tuple(any(side) for side in zip(*(each.live for each in found), strict=True))
            joined = (*(a or b for a, b in zip(live[:carried], outputs[:carried], strict=True)), *live[carried:])
            if joined == live:
                break
            live = joined
        ahead, back = (
            sum(counts, size(0)) for counts in zip(*((each.ahead, each.back) for each in found), strict=True)
        )
        return _Count(ahead, back, outputs)


def _mask(names: Sequence[Operand], live: set[str]) -> Mask:
    return tuple(isinstance(name, str) and name in live for name in names)


def _products(node: Node, graph: Graph, live: Mask) -> tuple[Size, Size]:
    """The multiply-adds of an operation, and of its derivative in the operands that are live."""
    given = [(graph.values[name].type, on) for name, on in zip(node.inputs, live, strict=True) if isinstance(name, str)]
    types, ons = [type for type, _ in given], [on for _, on in given]
    if node.op == "attention":
        return _attention(types, ons)
    count = COUNTS.get(node.op)
    if count is None:
        return size(0), size(0)
    once = count(node, types, node.outputs[0].type)
    return once, sum(ons[:2]) * once if node.op != "einsum" else sum(ons) * once


def _product(axes: Sequence[Axis]) -> Size:
    total = size(1)
    for axis in axes:
        total = total * axis.size
    return total


def _einsum(node: Node, types: Types, result: TensorType) -> Size:
    """Two operands at a time, from the left; where nothing is summed, the work is element-wise."""
    recipe = node.attr("recipe")
    sides = [_names(side) for side in recipe.inputs]
    total, kept = size(0), sides[0]
    for at, side in enumerate(sides[1:], 1):
        wanted = {
            **_names(recipe.outputs[0]),
            **{name: length for later in sides[at + 1 :] for name, length in later.items()},
        }
        met = {**kept, **side}
        kept = {name: length for name, length in met.items() if name in wanted}
        if len(kept) < len(met):
            once = size(1)
            for length in met.values():
                once = once * length
            total = total + once
    return total


def _names(side: Side) -> dict[str, Size]:
    return {atom.name: atom.size for atom in atoms_of(side)}


def _matmul(node: Node, types: Types, result: TensorType) -> Size:
    return _product(result.axes) * types[0].axes[-1].size


def _linear(node: Node, types: Types, result: TensorType) -> Size:
    return _product(result.axes) * types[1].axes[1].size


def _conv(node: Node, types: Types, result: TensorType) -> Size:
    return _product(result.axes) * _product(types[1].axes[1:])


def _conv_transpose(node: Node, types: Types, result: TensorType) -> Size:
    return _product(types[0].axes) * _product(types[1].axes[1:])


def _attention(types: Types, live: Sequence[bool]) -> tuple[Size, Size]:
    """Scores and their product with the values; the way back takes a product for each, and one for the scores."""
    q, k, v = types[:3]
    scores, values = (_product(q.axes[:-1]) * k.axes[-2].size * width.axes[-1].size for width in (q, v))
    back = (live[0] + live[1]) * scores + (live[2] + (live[0] or live[1])) * values
    return scores + values, back


COUNTS: dict[str, Callable[[Node, Types, TensorType], Size]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "einsum": _einsum,
    "linear": _linear,
    "matmul": _matmul,
}
