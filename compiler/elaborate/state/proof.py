"""What is known of the sizes of a body, what is required of them, and what was chosen by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.state.control import GenericProofFailed
from ogive.compiler.sizes import Answer, Condition, Facts, Size, Unknown
from ogive.grammar.diagnostics import Edit, Label
from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True)
class Oddity:
    """Operands meet that do not look made for each other: nothing else is explained by what their sizes require."""

    text: str = ""
    help: str = ""
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """What an operation demands of sizes and the block must prove or state."""

    condition: Condition
    message: str
    span: Span
    labels: tuple[Label, ...] = ()
    code: str = "E0301"
    odd: Oddity | None = None


@dataclass(frozen=True, slots=True)
class Precondition:
    """A condition that joins the block's own: of a used block, or that a derived size stays positive."""

    condition: Condition
    span: Span
    text: str

    def __str__(self) -> str:
        return f"{self.text}{'' if self.text.endswith(' demands') else ':'} {self.condition}"


@dataclass
class Proof:
    """The conditions of one elaboration: proved, stated, required and inferred."""

    facts: Facts
    constraints: list[Constraint] = field(default_factory=list)
    inferred: list[Precondition] = field(default_factory=list)  # they join what the block states
    derived: list[Size] = field(default_factory=list)  # sizes that must be positive, and are not surely
    decisions: list[tuple[Condition, bool]] = field(default_factory=list)  # choices at compile time
    stated: list[tuple[Condition, Span]] = field(default_factory=list)
    input_sizes: frozenset[Unknown] = frozenset()  # the sizes that the inputs bind
    loop_indices: frozenset[Unknown] = frozenset()  # of `repeat`: values and settings, not sizes
    numeric: frozenset[Unknown] = frozenset()  # unknowns of ours that are numbers, over which it can be proved again
    applied: dict[Any, Any] = field(default_factory=dict)  # uses of blocks that were proved here before

    def assume(self, condition: Condition) -> None:
        """Know a condition from here on."""
        self.facts = self.facts.assume(condition)

    def choose(self, condition: Condition, outcome: bool) -> None:
        """Note a choice at compile time: it is a fact from here on, and part of the identity of what is elaborated."""
        self.decisions.append((condition, outcome))
        self.assume(condition if outcome else condition.negate())

    def state(self, condition: Condition, span: Span) -> None:
        """Note a condition that the block states: every use must meet it."""
        self.stated.append((condition, span))
        self.assume(condition)

    def require(self, constraint: Constraint) -> bool:
        """Note a constraint unless it is proved. False where it can never hold.

        Raises GenericProofFailed where the numbers behind our unknowns will have to prove it.
        """
        answer = self.facts.decide(constraint.condition)
        if answer is Answer.NEVER:
            return False
        if answer is not Answer.ALWAYS:
            if self.numeric and constraint.condition.unknowns <= self.numeric:
                raise GenericProofFailed
            self.constraints.append(constraint)
        return True

    def infer(self, condition: Condition, span: Span, text: str) -> bool:
        """A condition joins the block's own, unless it is known. False where it can never hold."""
        answer = self.facts.decide(condition)
        if answer is Answer.NEVER:
            return False
        if answer is not Answer.ALWAYS:
            self.inferred.append(Precondition(condition, span, text))
        return True

    @contextmanager
    def assuming(self, condition: Condition) -> Iterator[None]:
        """Know a condition inside, and there alone."""
        saved = self.facts
        self.assume(condition)
        try:
            yield
        finally:
            self.facts = saved

    @contextmanager
    def local(self) -> Iterator[None]:
        """What is assumed inside is known there alone; what was chosen or stated there is known afterwards too."""
        saved, decisions, stated = self.facts, len(self.decisions), len(self.stated)
        try:
            yield
        finally:
            self.facts = saved
            for condition, outcome in self.decisions[decisions:]:
                self.assume(condition if outcome else condition.negate())
            for condition, _ in self.stated[stated:]:
                self.assume(condition)
