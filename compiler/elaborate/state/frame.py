"""The state of one elaboration: a block at one choice of everything that is not a size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ogive.compiler.elaborate.state.graph_builder import Builder, Names
from ogive.compiler.elaborate.state.values import AxisRef, BlockRef, Fault, Instance, Tensor, Undecided
from ogive.compiler.ir.model import Init, Member, Weight
from ogive.compiler.ir.presence import ALWAYS, Presence
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Answer, Condition, ExhaustedError, Facts, Size, TooComplexError, Unknown, eq
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.source import Span

if TYPE_CHECKING:
    from ogive.compiler.elaborate.calls.call_consistency import Calls
    from ogive.compiler.elaborate.driver.session import Session
    from ogive.compiler.elaborate.modules.scope import Module


SIMPLER = "state fewer or simpler conditions (one remainder in place of many), or give some sizes in brackets"


def too_complex(problem: TooComplexError, span: Span) -> Diagnostic:
    """What is said where sizes take too much thought."""
    return Diagnostic("E0701", f"the sizes here are too complex: {problem} to prove what they must", span, help=SIMPLER)


@dataclass(frozen=True, slots=True)
class Demand:
    """What an operation demands of sizes and the block must prove or state."""

    condition: Condition
    message: str
    span: Span
    labels: tuple[Label, ...] = ()
    code: str = "E0301"
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flowing:
    """A condition that joins the block's own: of a used block, or that a derived size stays positive."""

    condition: Condition
    span: Span
    text: str

    def __str__(self) -> str:
        return f"{self.text}{'' if self.text.endswith(' demands') else ':'} {self.condition}"


@dataclass
class Place:
    """A body or a loop's turn: the prefix of the paths of what it allocates, and the names planned in it."""

    prefix: str
    names: dict[int, tuple[str, bool]]


class Hopeless(Exception):
    """A demand on numbers alone is not proved without them: no proof for all sizes can be had."""


@dataclass(slots=True)
class Rest:
    """What follows a statement in its body, or a turn in its `for`, and how it is run."""

    statements: Sequence[syntax.Stmt]
    depth: int  # how many places we are in
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Override:
    """`init path = e`: a named initializer, or an expression that is evaluated for each weight that it fits."""

    target: tuple[str, ...]
    init: Init | syntax.Expr
    variables: dict[str, Any]
    span: Span


@dataclass
class Frame:
    """Everything that elaborating one variant of a block collects."""

    session: Session
    module: Module
    block: BlockRef | None  # None where a constant or a model of a module is evaluated
    facts: Facts
    outer: tuple[Frame, dict[Unknown, Size]] | None = None  # who asked, and its sizes for our unknowns
    depth: int = 0  # how many uses this elaboration is nested in
    builder: Builder = field(default_factory=lambda: Builder(Names()))
    variables: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)  # what the names of the block's header stand for
    demands: list[Demand] = field(default_factory=list)
    flowing: list[Flowing] = field(default_factory=list)
    derived: list[Size] = field(default_factory=list)  # sizes that must be positive, and are not surely
    decisions: list[tuple[Condition, bool]] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    handed: list[tuple[str | int, Diagnostic]] = field(default_factory=list)  # axes handed to it, that are not there
    instances: list[Instance] = field(default_factory=list)
    members: list[Member | None] = field(default_factory=list)
    taken: dict[str, Span] = field(default_factory=dict)
    unsteady: dict[str, Span] = field(default_factory=dict)  # paths that hang on source order
    fixed: dict[str, Span] = field(default_factory=dict)  # names of instances, params, states: may not be bound again
    places: list[Place] = field(default_factory=list)
    inits: list[Override] = field(default_factory=list)
    keeps: list[Override] = field(default_factory=list)
    filling: TensorType | None = None  # the weight whose initializer is evaluated: named ones take its shape
    read: set[str] = field(default_factory=set)  # paths of weights and instances that something reads
    bound_at: dict[str, Span] = field(default_factory=dict)  # where names were bound last
    yields: list[Any] | None = None  # what `yield` collects in the loop we are in
    after: list[Rest] = field(default_factory=list)  # what follows here, the nearest last
    loops: int = 0  # how many `repeat`s and `scan`s we are in
    floor: int = 0  # how much of `after` is not ours to run: it belongs to other paths too
    optional: dict[str, Tensor] = field(default_factory=dict)  # inputs that may be absent, by what asks for them
    path: Presence = ALWAYS  # what holds where we are: the choices of run time that lead here
    runtime: frozenset[Unknown] = frozenset()  # the sizes that the inputs bind
    stated: list[tuple[Condition, Span]] = field(default_factory=list)
    returned: Any = None  # values with their places, or what the paths that have returned give (`Partial`)
    returned_at: Span | None = None
    uses: list[Any] = field(default_factory=list)  # the variants that this one uses
    turn_numbers: frozenset[Unknown] = frozenset()  # of `repeat`: values and settings, not sizes
    lift: Size | None = None  # `each`: what is allocated here has one set of weights for each of so many
    applied: dict[Any, Any] = field(default_factory=dict)  # uses that were proved here before
    calls: dict[str, Calls] = field(default_factory=dict)  # by instance, what its calls give it together
    entry: bool = False  # the root of a model
    numbered: frozenset[Unknown] = frozenset()  # unknowns of ours that are numbers, over which it can be proved again
    speaks: bool = False  # it is elaborated once more for what it says, in the names of the user
    lost: bool = False  # a fault took away a result: what is missing was not forgotten

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        note: str = "",
        labels: tuple[Label, ...] = (),
        help: str = "",
        details: tuple[str, ...] = (),
        edits: tuple[Edit, ...] = (),
    ) -> None:
        """Add a finding."""
        self.diagnostics.append(Diagnostic(code, message, span, note, labels, help, details, edits))

    def fail(self, code: str, message: str, span: Span, **more: Any) -> Fault:
        """Add a finding and return the exception that ends the statement: `raise frame.fail(...)`."""
        self.report(code, message, span, **more)
        return Fault()

    def too_complex(self, problem: TooComplexError, span: Span) -> Exception:
        """What to raise where sizes take too much thought: a fault at this place, or the end of the check."""
        if isinstance(problem, ExhaustedError):
            return self.session.exhausted(span)
        self.diagnostics.append(too_complex(problem, span))
        return Fault()

    @contextmanager
    def bounded(self, span: Span) -> Iterator[None]:
        """Blame this place where what is done takes too many steps."""
        try:
            yield
        except TooComplexError as problem:
            raise self.too_complex(problem, span) from problem

    def evaluate(self, tree: syntax.Expr, name: str | None = None) -> Any:
        """The value of an expression here."""
        return self.session.evaluate(self, tree, name)

    def execute(self, body: tuple[syntax.Stmt, ...]) -> None:
        """Run statements here."""
        self.session.execute(self, body)

    @property
    def failed(self) -> bool:
        """Whether an error was found, here or in a variant that is used here."""
        return any(d.severity == "error" for d in self.diagnostics) or any(
            not v.ok and not v.running for v in self.uses
        )

    @property
    def entered(self) -> bool:
        """Whether a model is what is elaborated, not a block for itself."""
        return self.entry if self.outer is None else self.outer[0].entered

    # --- choices at compile time ----------------------------------------------------------------------------------

    def decide(self, condition: Condition, span: Span | None = None) -> bool:
        """Settle a condition: by what is known, or by asking who uses us, down to the numbers of a model.

        A choice that was not proved is a fact from here on, and part of this variant's identity.
        """
        match self.facts.decide(condition):
            case Answer.ALWAYS:
                return True
            case Answer.NEVER:
                return False
            case _:
                pass
        if condition.unknowns & self.turn_numbers and span is not None:
            raise self.fail(
                "E0602",
                "the number of a turn is a value or a setting: no choice at compile time hangs on it",
                span,
                help="`for i in range(n):` unrolls: there turns may differ; `select(c, a, b)` chooses by a tensor",
            )
        if self.outer is None:
            raise Undecided(str(condition), span)
        frame, mapping = self.outer
        outcome = frame.decide(condition.subs(mapping), span)
        self.decisions.append((condition, outcome))
        self.facts = self.facts.assume(condition if outcome else condition.negate())
        return outcome

    def number(self, size: Size, span: Span | None = None) -> int:
        """The number that a size is here; the choice becomes part of this variant."""
        if size.is_number:
            return size.number
        reduced = self.facts.reduce(size)
        if reduced.is_number:
            return reduced.number
        if self.outer is None:
            raise Undecided(str(size), span)
        frame, mapping = self.outer
        value = frame.number(size.subs(mapping), span)
        self.decisions.append((eq(size, value), True))
        self.facts = self.facts.assume(eq(size, value))
        return value

    def peek(self, condition: Condition) -> bool | None:
        """How a condition would be settled, without making it a choice of this variant; None where it is open."""
        match self.facts.decide(condition):
            case Answer.ALWAYS:
                return True
            case Answer.NEVER:
                return False
            case _:
                if self.outer is None:
                    return None
                frame, mapping = self.outer
                return frame.peek(condition.subs(mapping))

    # --- demands --------------------------------------------------------------------------------------------------

    def demand(self, demand: Demand) -> bool:
        """Note a demand unless it is proved. False where it can never hold: then it is reported at once.

        Raises Hopeless where the numbers behind our unknowns will have to prove it.
        """
        answer = self.facts.decide(demand.condition)
        if answer is Answer.NEVER:
            self.report(demand.code, demand.message, demand.span, labels=demand.labels, details=demand.details)
            return False
        if answer is not Answer.ALWAYS:
            if self.numbered and demand.condition.unknowns <= self.numbered:
                raise Hopeless
            self.demands.append(demand)
        return True

    def flow(self, condition: Condition, span: Span, text: str) -> bool:
        """A condition joins the block's own, unless it is known. False where it can never hold."""
        answer = self.facts.decide(condition)
        if answer is Answer.NEVER:
            return False
        if answer is not Answer.ALWAYS:
            self.flowing.append(Flowing(condition, span, text))
        return True

    # --- places ---------------------------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """Where we are in the tree of weights."""
        return self.places[-1]

    @contextmanager
    def inside(self, place: Place) -> Iterator[None]:
        """Elaborate inside a place."""
        self.places.append(place)
        try:
            yield
        finally:
            self.places.pop()

    def path_for(self, node: syntax.Tree, base: str, name: str | None, span: Span) -> str:
        """The path of something allocated at a node: its own name, the one planned for it, or `base`, made unique."""
        prefix = self.place.prefix
        planned, ordered = self.place.names.get(id(node), (None, False))
        if planned is not None and name is None and not planned.startswith(base):
            planned, ordered = None, False  # of another block that is allocated there
        chosen = name or planned or base
        path = f"{prefix}.{chosen}" if prefix else chosen
        if path in self.taken and name is not None and self.taken[path] != span:
            raise self.fail(
                "E0204", f"`{chosen}` is defined twice", span, labels=(Label(self.taken[path], "first here"),)
            )
        free, number = path, 1
        while free in self.taken:
            number += 1
            free = f"{path}_{number}"
        if ordered:
            self.unsteady[free] = span
        self.taken[free] = span
        return free

    def add(self, member: Member | None) -> int:
        """Add a member and return its index."""
        self.members.append(member)
        return len(self.members) - 1

    def weight(self, path: str) -> Weight | None:
        """The weight of this body at a path."""
        return next((m for m in self.members if isinstance(m, Weight) and m.path == path), None)

    def hand(self, axis: str | int) -> None:
        """The last fault is that there is no such axis: where the block was handed it, its use says so."""
        if any(isinstance(value, AxisRef) and value.where == axis for value in self.header.values()):
            self.handed.append((axis, self.diagnostics[-1]))

    @contextmanager
    def followed_by(self, rest: Rest) -> Iterator[None]:
        """Run a statement, or the turn of a `for`, that others follow."""
        saved = self.after
        self.after = [*saved, rest]
        try:
            yield
        finally:
            self.after = saved

    @contextmanager
    def back_at(self, depth: int) -> Iterator[None]:
        """Elaborate in the innermost of the first so many places: outside of the turns of a `for` further in."""
        saved = self.places
        self.places = saved[:depth]
        try:
            yield
        finally:
            self.places = saved

    @contextmanager
    def region(self, begun: Builder | None = None) -> Iterator[Builder]:
        """Build a region of the current graph, or go on with one; names bound inside do not leave it."""
        saved, variables = self.builder, dict(self.variables)
        self.builder = begun or Builder(saved.names, saved)
        try:
            yield self.builder
        finally:
            self.builder, self.variables = saved, variables
