"""Walks that give another graph: from the start to the end, values that mean operands of the new graph; or backwards,
where what a node keeps depends on what is read after it. A graph in which nothing changes stays the same object.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ogive.compiler.ir.attributes import (
    AbstractCallAttrs,
    AssumeAttrs,
    ChoiceAttrs,
    CustomGradAttrs,
    ExternAttrs,
    FaultAttrs,
    GivenAttrs,
    GradAttrs,
    InitialAttrs,
    LoopAttrs,
    PhaseAttrs,
    TapAttrs,
    TappedAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Graph, Node, Operand, Value
from ogive.compiler.ir.substitute import with_operands
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.interpreter import Interpreter, Visitor


@dataclass(slots=True)
class Rewriting:
    """A graph on its way into another: its inputs there, the nodes so far, and the values that are others there."""

    inputs: tuple[Value, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    names: dict[str, Operand] = field(default_factory=dict)

    @property
    def types(self) -> dict[str, TensorType]:
        """The types of all values so far."""
        return {value.name: value.type for value in (*self.inputs, *(v for node in self.nodes for v in node.outputs))}

    def add(self, node: Node) -> Sequence[Operand]:
        """Append a node; its results."""
        self.nodes.append(node)
        return [value.name for value in node.outputs]


S = TypeVar("S", bound=Rewriting)


class Rewriter(Interpreter[S, Operand], Generic[S]):
    """Methods append nodes to the frame and give what stands for the results of the node.

    A value keeps its name unless a method gives another; `rewritten` is for a graph, `region` of the interpreter puts
    the nodes of one graph into another.
    """

    __slots__ = ()

    @abstractmethod
    def start(self, graph: Graph) -> S:
        """The frame of a graph that is rewritten."""

    def read(self, frame: S, operand: Operand) -> Operand:
        return frame.names.get(operand, operand) if isinstance(operand, str) else operand

    def bind(self, frame: S, value: Value, meaning: Operand) -> None:
        if meaning != value.name:
            frame.names[value.name] = meaning

    def rewritten(self, graph: Graph) -> Graph:
        """The graph that this makes of one."""
        frame = self.start(graph)
        outputs = self.graph(frame, graph)
        same = not frame.names and len(frame.nodes) == len(graph.nodes)
        if same and all(a is b for a, b in zip(frame.nodes, graph.nodes, strict=True)):
            return graph
        return Graph(graph.inputs, tuple(frame.nodes), tuple(outputs))

    def with_regions(self, node: Node) -> Node:
        """A node whose regions are rewritten."""
        return with_regions(node, [self.rewritten(region) for region in node.regions])

    def keep(self, frame: S, node: Node) -> Sequence[Operand]:
        """The node with its regions rewritten, reading what stands for its operands."""
        return frame.add(with_operands(self.with_regions(node), frame.names))

    def operation(self, frame: S, node: Node) -> Sequence[Operand]:
        return self.keep(frame, node)


class LocalRewriter(Rewriter[S], Generic[S]):
    """A rewriter that changes a few operations and keeps all others; here are those that may be kept unseen."""

    __slots__ = ()

    def visit_loop(self, frame: S, node: Node, told: LoopAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_vectorized(self, frame: S, node: Node, told: VectorizedAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_choice(self, frame: S, node: Node, told: ChoiceAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_grad(self, frame: S, node: Node, told: GradAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_custom_grad(self, frame: S, node: Node, told: CustomGradAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_call(self, frame: S, node: Node, told: CallAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_weight(self, frame: S, node: Node, told: WeightAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_update(self, frame: S, node: Node, told: UpdateAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_assume(self, frame: S, node: Node, told: AssumeAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_tap(self, frame: S, node: Node, told: TapAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_extern(self, frame: S, node: Node, told: ExternAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)

    def visit_initial(self, frame: S, node: Node, told: InitialAttrs) -> Sequence[Operand]:
        return self.keep(frame, node)


class Pruner(Visitor[set[str], Node]):
    """Goes through a graph from its end: methods give a node without what nothing reads; the frame is what is read."""

    __slots__ = ()

    def needed(self, live: set[str], node: Node) -> bool:
        """Whether the node stays."""
        return True

    @abstractmethod
    def opened(self, live: set[str], node: Node, own: int) -> Node:
        """A node whose results may go, and its captures: the inputs after the first `own`."""

    @abstractmethod
    def closed(self, live: set[str], node: Node) -> Node:
        """A node with regions all of whose results and inputs stay."""

    def pruned(self, graph: Graph) -> Graph:
        """The graph without what nothing reads."""
        live = {x for x in graph.outputs if isinstance(x, str)}
        kept: list[Node] = []
        for node in reversed(graph.nodes):
            if self.needed(live, node):
                kept.append(self.node(live, node))
                live.update(kept[-1].operands)
        kept.reverse()
        same = len(kept) == len(graph.nodes) and all(a is b for a, b in zip(kept, graph.nodes, strict=True))
        return graph if same else Graph(graph.inputs, tuple(kept), graph.outputs)

    def with_regions(self, node: Node) -> Node:
        """A node whose regions are pruned."""
        return with_regions(node, [self.pruned(region) for region in node.regions])

    def operation(self, live: set[str], node: Node) -> Node:
        return node

    def visit_loop(self, live: set[str], node: Node, told: LoopAttrs) -> Node:
        return self.opened(live, node, len(told.parts(node.inputs).own))

    def visit_phase(self, live: set[str], node: Node, told: PhaseAttrs) -> Node:
        return self.opened(live, node, 0)

    def visit_given(self, live: set[str], node: Node, told: GivenAttrs) -> Node:
        return self.opened(live, node, 1)  # what it asks for

    def visit_tapped(self, live: set[str], node: Node, told: TappedAttrs) -> Node:
        return self.closed(live, node)

    def visit_vectorized(self, live: set[str], node: Node, told: VectorizedAttrs) -> Node:
        return self.closed(live, node)

    def visit_grad(self, live: set[str], node: Node, told: GradAttrs) -> Node:
        return self.closed(live, node)

    def visit_custom_grad(self, live: set[str], node: Node, told: CustomGradAttrs) -> Node:
        return self.closed(live, node)

    def visit_call(self, live: set[str], node: Node, told: CallAttrs) -> Node:
        return node

    def visit_weight(self, live: set[str], node: Node, told: WeightAttrs) -> Node:
        return node

    def visit_update(self, live: set[str], node: Node, told: UpdateAttrs) -> Node:
        return node

    def visit_assume(self, live: set[str], node: Node, told: AssumeAttrs) -> Node:
        return node

    def visit_tap(self, live: set[str], node: Node, told: TapAttrs) -> Node:
        return node

    def visit_extern(self, live: set[str], node: Node, told: ExternAttrs) -> Node:
        return node

    def visit_initial(self, live: set[str], node: Node, told: InitialAttrs) -> Node:
        return node

    def visit_static(self, live: set[str], node: Node, told: AbstractCallAttrs) -> Node:
        return node

    def visit_fault(self, live: set[str], node: Node, told: FaultAttrs) -> Node:
        return node


def with_regions(node: Node, regions: Sequence[Graph]) -> Node:
    """The node with other regions; itself where they are its own."""
    same = all(a is b for a, b in zip(regions, node.regions, strict=True))
    return node if same else replace(node, regions=tuple(regions))
