"""The abstract interpreter: a model's operations by the rules of a domain, and what no rule covers as *unknown*.

A domain says what a value means (a cost, the provenance of axes, a variance), gives a rule for each operation and says
how meanings go into the iterations of a loop and come out of it. The walk through calls, loops, choices and derivatives
is here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from ogive.compiler.ir.attributes import (
    AssumeAttrs,
    ChoiceAttrs,
    CustomGradAttrs,
    ExternAttrs,
    GradAttrs,
    InitialAttrs,
    PhaseAttrs,
    TapAttrs,
    UpdateAttrs,
)
from ogive.compiler.ir.model import Graph, Node, Operand, Value
from ogive.compiler.ir_tools.interpreter import Interpreter

if TYPE_CHECKING:
    from ogive.grammar.source import Span

V = TypeVar("V")
NO_RULE = "the analysis has no rule for this operation"


@dataclass(frozen=True, slots=True)
class UnknownOp:
    """An operation of which an analysis says nothing: where it stands, and why."""

    path: str
    op: str
    reason: str
    span: Span | None = field(default=None, compare=False)

    def below(self, path: str) -> UnknownOp:
        """As it is seen from outside of the instance at a path."""
        joined = ".".join(part for part in (path, self.path) if part)
        return UnknownOp(joined, self.op, self.reason, self.span)


@dataclass(slots=True)
class DomainFrame(Generic[V]):
    """A graph at a place of use, and what its values mean so far. `path` is that of the instance around it."""

    graph: Graph
    path: str = ""
    known: dict[str, V] = field(default_factory=dict)


F = TypeVar("F", bound=DomainFrame)  # type: ignore[type-arg]


class AbstractInterpreter(Interpreter[F, V], Generic[F, V]):
    """One walk for all domains. `training` says which arm of a phase is taken; optional inputs are given."""

    __slots__ = ("training", "unknown")

    def __init__(self, *, training: bool = False) -> None:
        self.training = training
        self.unknown: dict[UnknownOp, None] = {}  # in the order in which they were met

    @property
    @abstractmethod
    def rules(self) -> Mapping[str, Callable[[F, Node, Sequence[V]], Sequence[V]]]:
        """For each operation what its results mean, from the meanings of its operands."""

    @abstractmethod
    def literal(self, frame: F, operand: Operand) -> V:
        """What a number of the text means, or an operand that is not given."""

    @abstractmethod
    def opaque(self, frame: F, value: Value) -> V:
        """What a value means of which nothing is known."""

    def read(self, frame: F, operand: Operand) -> V:
        found: V = frame.known[operand] if isinstance(operand, str) else self.literal(frame, operand)
        return found

    def bind(self, frame: F, value: Value, meaning: V) -> None:
        frame.known[value.name] = meaning

    def not_known(self, frame: F, node: Node, reason: str) -> Sequence[V]:
        """Note that nothing is known of a node's results."""
        self.unknown[UnknownOp(frame.path, node.op, reason, node.span)] = None
        return [self.opaque(frame, value) for value in node.outputs]

    def operation(self, frame: F, node: Node) -> Sequence[V]:
        """By the rule of the domain."""
        rule = self.rules.get(node.op)
        if rule is None:
            return self.not_known(frame, node, NO_RULE)
        return rule(frame, node, self.inputs(frame, node))

    def taken(self, node: Node, told: ChoiceAttrs) -> Graph:
        """The arm of a choice that runs: that of the phase; what is optional is given, and no tap is asked for."""
        if isinstance(told, PhaseAttrs):
            return node.regions[0 if self.training else 1]
        return node.regions[1] if told.op == "tapped" else node.regions[0]

    def visit_choice(self, frame: F, node: Node, told: ChoiceAttrs) -> Sequence[V]:
        return self.region(frame, self.taken(node, told), self.inputs(frame, node))

    def visit_custom_grad(self, frame: F, node: Node, told: CustomGradAttrs) -> Sequence[V]:
        given = told.forward(self.inputs(frame, node))
        return self.region(frame, node.regions[0], [*given.given, *given.captured])

    def visit_grad(self, frame: F, node: Node, told: GradAttrs) -> Sequence[V]:
        return self.not_known(frame, node, "a derivative inside of the model")

    def visit_update(self, frame: F, node: Node, told: UpdateAttrs) -> Sequence[V]:
        return ()

    def visit_assume(self, frame: F, node: Node, told: AssumeAttrs) -> Sequence[V]:
        return ()

    def visit_tap(self, frame: F, node: Node, told: TapAttrs) -> Sequence[V]:
        return ()

    def visit_extern(self, frame: F, node: Node, told: ExternAttrs) -> Sequence[V]:
        return self.not_known(frame, node, f"a module of the user's: {told.target}")

    def visit_initial(self, frame: F, node: Node, told: InitialAttrs) -> Sequence[V]:
        return [self.opaque(frame, value) for value in node.outputs]
