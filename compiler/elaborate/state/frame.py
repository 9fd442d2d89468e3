"""The state of one elaboration: a block at one choice of everything that is not a size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from typing import Any

from ogive.compiler.elaborate.state.allocation import Allocation
from ogive.compiler.elaborate.state.block_scope import BlockScope
from ogive.compiler.elaborate.state.blocks import BlockRef, Module
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.control_flow import ControlFlow
from ogive.compiler.elaborate.state.elaborator import Elaborator
from ogive.compiler.elaborate.state.graph_builder import GraphBuilder, ValueNames
from ogive.compiler.elaborate.state.proof import Constraint, Proof
from ogive.compiler.sizes import Answer, Condition, ExhaustedError, Facts, Size, TooComplexError, Unknown, eq
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.source import Span

SIMPLER = "state fewer or simpler conditions (one remainder in place of many), or give some sizes in brackets"


def too_complex(problem: TooComplexError, span: Span) -> Diagnostic:
    """What is said where sizes take too much thought."""
    return Diagnostic("E0701", f"the sizes here are too complex: {problem} to prove what they must", span, help=SIMPLER)


@dataclass
class Frame:
    """Everything that elaborating one specialization of a block collects, in four parts, beside its graph and findings.

    `scope`: what names stand for. `proof`: conditions on sizes. `alloc`: weights and instances. `flow`: what follows.
    """

    session: Elaborator[Frame]
    module: Module
    block: BlockRef | None  # None where a constant or a model of a module is evaluated
    facts: InitVar[Facts]  # what is known of sizes at the start
    outer: tuple[Frame, dict[Unknown, Size]] | None = None  # who asked, and its sizes for our unknowns
    depth: int = 0  # how many uses this elaboration is nested in
    scope: BlockScope = field(default_factory=BlockScope)
    proof: Proof = field(init=False)
    alloc: Allocation = field(default_factory=Allocation)
    flow: ControlFlow = field(default_factory=ControlFlow)
    builder: GraphBuilder = field(default_factory=lambda: GraphBuilder(ValueNames()))
    diagnostics: list[Diagnostic] = field(default_factory=list)
    missing_axes: list[tuple[str | int, Diagnostic]] = field(default_factory=list)  # those that its statics name
    uses: list[Any] = field(default_factory=list)  # the specializations that this one uses
    entry: bool = False  # the root of a model
    user_facing: bool = False  # it is elaborated once more for what it reports, in the names of the user

    def __post_init__(self, facts: Facts) -> None:
        self.proof = Proof(facts)

    def beside(self, ref: BlockRef, variables: Mapping[str, Any], depth: int = 0) -> Frame:
        """A frame for the signature of a block that is used here: its names stand for values and sizes of ours."""
        scope = BlockScope(dict(variables))
        return Frame(self.session, ref.module, ref, self.proof.facts, (self, {}), depth, scope)

    # --- findings -------------------------------------------------------------------------------------------------

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

    def fail(self, code: str, message: str, span: Span, **more: Any) -> StatementFailed:
        """Add a finding and return the exception that ends the statement: `raise frame.fail(...)`."""
        self.report(code, message, span, **more)
        return StatementFailed()

    def missing_axis(self, axis: str | int) -> None:
        """The last fault is that there is no such axis: where the use of the block named it, the use reports it."""
        if self.scope.is_given_axis(axis):
            self.missing_axes.append((axis, self.diagnostics[-1]))

    def too_complex(self, problem: TooComplexError, span: Span) -> Exception:
        """What to raise where sizes take too much thought: a fault at this place, or the end of the check."""
        if isinstance(problem, ExhaustedError):
            return self.session.exhausted(span)
        self.diagnostics.append(too_complex(problem, span))
        return StatementFailed()

    @contextmanager
    def bounded(self, span: Span) -> Iterator[None]:
        """Blame this place where what is done takes too many steps."""
        try:
            yield
        except TooComplexError as problem:
            raise self.too_complex(problem, span) from problem

    @property
    def failed(self) -> bool:
        """Whether an error was found, here or in a specialization that is used here."""
        return any(d.severity == "error" for d in self.diagnostics) or any(
            not v.ok and not v.running for v in self.uses
        )

    # --- what the session does --------------------------------------------------------------------------------------

    def evaluate(self, tree: syntax.Expr, name: str | None = None) -> Any:
        """The value of an expression here."""
        return self.session.evaluate(self, tree, name)

    def execute(self, body: tuple[syntax.Stmt, ...]) -> None:
        """Run statements here."""
        self.session.execute(self, body)

    # --- choices at compile time ------------------------------------------------------------------------------------

    @property
    def entered(self) -> bool:
        """Whether a model is what is elaborated, not a block for itself."""
        return self.entry if self.outer is None else self.outer[0].entered

    def decide(self, condition: Condition, span: Span | None = None) -> bool:
        """Settle a condition: by what is known, or by asking who uses us, down to the numbers of a model.

        A choice that was not proved is a fact from here on, and part of this specialization's identity.
        """
        match self.proof.facts.decide(condition):
            case Answer.ALWAYS:
                return True
            case Answer.NEVER:
                return False
            case _:
                pass
        if condition.unknowns & self.proof.loop_indices and span is not None:
            raise self.fail(
                "E0602",
                "the index of an iteration is a value or a setting: no choice at compile time depends on it",
                span,
                help="`for i in range(n):` unrolls: there iterations may differ; `select(c, a, b)` chooses by a tensor",
            )
        if self.outer is None:
            raise UnresolvedChoice(str(condition), span)
        frame, mapping = self.outer
        outcome = frame.decide(condition.subs(mapping), span)
        self.proof.choose(condition, outcome)
        return outcome

    def number(self, size: Size, span: Span | None = None) -> int:
        """The number that a size is here; the choice becomes part of this specialization."""
        if size.is_number:
            return size.number
        reduced = self.proof.facts.reduce(size)
        if reduced.is_number:
            return reduced.number
        if self.outer is None:
            raise UnresolvedChoice(str(size), span)
        frame, mapping = self.outer
        value = frame.number(size.subs(mapping), span)
        self.proof.choose(eq(size, value), True)
        return value

    def peek(self, condition: Condition) -> bool | None:
        """How a condition would be settled, without making it a choice of this one; None where it is open."""
        match self.proof.facts.decide(condition):
            case Answer.ALWAYS:
                return True
            case Answer.NEVER:
                return False
            case _:
                if self.outer is None:
                    return None
                frame, mapping = self.outer
                return frame.peek(condition.subs(mapping))

    def require(self, constraint: Constraint) -> bool:
        """Note a constraint unless it is proved. False where it can never hold: then it is reported at once.

        Raises GenericProofFailed where the numbers behind our unknowns will have to prove it.
        """
        if self.proof.require(constraint):
            return True
        self.report(constraint.code, constraint.message, constraint.span, labels=constraint.labels)
        return False

    # --- across the parts -------------------------------------------------------------------------------------------

    def path_for(self, node: syntax.Tree, base: str, name: str | None, span: Span) -> str:
        """The path of something allocated at a node: its own name, the one planned for it, or `base`, made unique."""
        chosen, ordered = self.alloc.planned(node, base, name)
        path = self.alloc.path_of(chosen)
        first = self.alloc.taken.get(path)
        if first is not None and name is not None and first != span:
            raise self.fail("E0204", f"`{chosen}` is defined twice", span, labels=(Label(first, "first here"),))
        return self.alloc.claim(path, span, ordered)

    @contextmanager
    def region(self, begun: GraphBuilder | None = None) -> Iterator[GraphBuilder]:
        """Build a region of the current graph, or go on with one; names bound inside do not leave it."""
        saved = self.builder
        self.builder = begun or GraphBuilder(saved.names, saved)
        try:
            with self.scope.local():
                yield self.builder
        finally:
            self.builder = saved

    @contextmanager
    def in_module(self, module: Module, variables: dict[str, Any]) -> Iterator[None]:
        """Evaluate among the names of a module, and these."""
        saved, self.module = self.module, module
        try:
            with self.scope.replaced_by(variables):
                yield
        finally:
            self.module = saved

    @contextmanager
    def separate_graph(self) -> Iterator[GraphBuilder]:
        """Build a graph that sees no value of the body: an initializer's, or a constraint's of a weight."""
        saved = self.builder
        self.builder = GraphBuilder(saved.names)
        try:
            yield self.builder
        finally:
            self.builder = saved
