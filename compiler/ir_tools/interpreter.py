"""Walks over the IR: a method for each structural operation, an error where a walk has none.

A `Visitor` goes to the method for a node; what that gives is up to the subclass: an effect, a drawing, another node. An
`Interpreter` goes through graphs and gives each value a meaning: a value of another graph, an array of numbers, a
condition. What goes with a graph at a place of use is the frame.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar, assert_never

from ogive.compiler.ir.attributes import (
    AbstractCallAttrs,
    AssumeAttrs,
    ChoiceAttrs,
    CustomGradAttrs,
    EachAttrs,
    ExternAttrs,
    FaultAttrs,
    GivenAttrs,
    GradAttrs,
    InitialAttrs,
    LoopAttrs,
    OverAttrs,
    PhaseAttrs,
    RepeatAttrs,
    ScanAttrs,
    TapAttrs,
    TappedAttrs,
    UpdateAttrs,
    VectorizedAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import CallAttrs, Graph, Node, Operand, Value

F = TypeVar("F")  # what goes with a graph
R = TypeVar("R")  # what a method gives for a node
V = TypeVar("V")  # what a value means


class NotHandledError(NotImplementedError):
    """A walk has no method for an operation."""


class Visitor(ABC, Generic[F, R]):
    """Goes to the `visit_` method of a structural operation, and to `operation` for all others."""

    __slots__ = ()

    @abstractmethod
    def operation(self, frame: F, node: Node) -> R:
        """An operation of `compiler.ops`."""

    def unhandled(self, node: Node) -> Exception:
        """What is raised for an operation that has no method."""
        return NotHandledError(f"{type(self).__name__} does not handle `{node.op}`")

    def node(self, frame: F, node: Node) -> R:
        """What the method for a node gives."""
        match node.structure:
            case None:
                return self.operation(frame, node)
            case RepeatAttrs() as told:
                return self.visit_repeat(frame, node, told)
            case ScanAttrs() as told:
                return self.visit_scan(frame, node, told)
            case OverAttrs() as told:
                return self.visit_over(frame, node, told)
            case EachAttrs() as told:
                return self.visit_each(frame, node, told)
            case GradAttrs() as told:
                return self.visit_grad(frame, node, told)
            case CustomGradAttrs() as told:
                return self.visit_custom_grad(frame, node, told)
            case PhaseAttrs() as told:
                return self.visit_phase(frame, node, told)
            case GivenAttrs() as told:
                return self.visit_given(frame, node, told)
            case TappedAttrs() as told:
                return self.visit_tapped(frame, node, told)
            case CallAttrs() as told:
                return self.visit_call(frame, node, told)
            case WeightAttrs() as told:
                return self.visit_weight(frame, node, told)
            case UpdateAttrs() as told:
                return self.visit_update(frame, node, told)
            case AssumeAttrs() as told:
                return self.visit_assume(frame, node, told)
            case TapAttrs() as told:
                return self.visit_tap(frame, node, told)
            case ExternAttrs() as told:
                return self.visit_extern(frame, node, told)
            case InitialAttrs() as told:
                return self.visit_initial(frame, node, told)
            case AbstractCallAttrs() as told:
                return self.visit_static(frame, node, told)
            case FaultAttrs() as told:
                return self.visit_fault(frame, node, told)
            case other:
                assert_never(other)

    # what several have in common: a subclass may handle them as one

    def visit_loop(self, frame: F, node: Node, told: LoopAttrs) -> R:
        """`repeat` and `scan`."""
        raise self.unhandled(node)

    def visit_vectorized(self, frame: F, node: Node, told: VectorizedAttrs) -> R:
        """`over` and `each`."""
        raise self.unhandled(node)

    def visit_choice(self, frame: F, node: Node, told: ChoiceAttrs) -> R:
        """`phase`, `given` and `tapped`."""
        raise self.unhandled(node)

    # one by one

    def visit_repeat(self, frame: F, node: Node, told: RepeatAttrs) -> R:
        return self.visit_loop(frame, node, told)

    def visit_scan(self, frame: F, node: Node, told: ScanAttrs) -> R:
        return self.visit_loop(frame, node, told)

    def visit_over(self, frame: F, node: Node, told: OverAttrs) -> R:
        return self.visit_vectorized(frame, node, told)

    def visit_each(self, frame: F, node: Node, told: EachAttrs) -> R:
        return self.visit_vectorized(frame, node, told)

    def visit_phase(self, frame: F, node: Node, told: PhaseAttrs) -> R:
        return self.visit_choice(frame, node, told)

    def visit_given(self, frame: F, node: Node, told: GivenAttrs) -> R:
        return self.visit_choice(frame, node, told)

    def visit_tapped(self, frame: F, node: Node, told: TappedAttrs) -> R:
        return self.visit_choice(frame, node, told)

    def visit_grad(self, frame: F, node: Node, told: GradAttrs) -> R:
        raise self.unhandled(node)

    def visit_custom_grad(self, frame: F, node: Node, told: CustomGradAttrs) -> R:
        raise self.unhandled(node)

    def visit_call(self, frame: F, node: Node, told: CallAttrs) -> R:
        raise self.unhandled(node)

    def visit_weight(self, frame: F, node: Node, told: WeightAttrs) -> R:
        raise self.unhandled(node)

    def visit_update(self, frame: F, node: Node, told: UpdateAttrs) -> R:
        raise self.unhandled(node)

    def visit_assume(self, frame: F, node: Node, told: AssumeAttrs) -> R:
        raise self.unhandled(node)

    def visit_tap(self, frame: F, node: Node, told: TapAttrs) -> R:
        raise self.unhandled(node)

    def visit_extern(self, frame: F, node: Node, told: ExternAttrs) -> R:
        raise self.unhandled(node)

    def visit_initial(self, frame: F, node: Node, told: InitialAttrs) -> R:
        raise self.unhandled(node)

    def visit_static(self, frame: F, node: Node, told: AbstractCallAttrs) -> R:
        raise self.unhandled(node)

    def visit_fault(self, frame: F, node: Node, told: FaultAttrs) -> R:
        raise self.unhandled(node)


class Interpreter(Visitor[F, Sequence[V]], Generic[F, V]):
    """Goes through a graph in order. Each `visit_` method gives the meanings of a node's results, in their order."""

    __slots__ = ()

    @abstractmethod
    def read(self, frame: F, operand: Operand) -> V:
        """What an operand means."""

    @abstractmethod
    def bind(self, frame: F, value: Value, meaning: V) -> None:
        """Note what a value means from here on."""

    def graph(self, frame: F, graph: Graph) -> tuple[V, ...]:
        """The outputs of a graph whose inputs are bound."""
        for node in graph.nodes:
            for value, meaning in zip(node.outputs, self.node(frame, node), strict=True):
                self.bind(frame, value, meaning)
        return tuple(self.read(frame, output) for output in graph.outputs)

    def region(self, frame: F, region: Graph, args: Sequence[V]) -> tuple[V, ...]:
        """The outputs of a graph whose inputs mean this."""
        for value, meaning in zip(region.inputs, args, strict=True):
            self.bind(frame, value, meaning)
        return self.graph(frame, region)

    def inputs(self, frame: F, node: Node) -> list[V]:
        """What the inputs of a node mean."""
        return [self.read(frame, operand) for operand in node.inputs]
