"""What a frame asks of the check that it belongs to: the parts of elaboration that are above who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.control import LimitReached
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.specialization import Abstract, Specialization, Use
from ogive.compiler.elaborate.state.values import (
    Given,
    Gradient,
    InstanceValue,
    RepeatedBlock,
    TypedBlock,
    VectorizedBlock,
)
from ogive.compiler.elaborate.state.weight_paths import BlockName
from ogive.compiler.ir_tools.shown import Shown
from ogive.compiler.sizes import Facts, Unknown
from ogive.grammar import syntax
from ogive.grammar.source import Span

F = TypeVar("F", contravariant=True)  # frames, which hold the elaborator that they ask


class Elaborator(Protocol[F]):
    """One check, as rules, calls and statements see it; `driver.session.Session` is what does it."""

    facts: Facts  # where all blocks begin
    refused: set[BlockRef]  # blocks whose signature is wrong: uses say nothing more
    recursive: dict[BlockRef, bool]  # whether a block reaches itself, of those that were asked for
    const_stack: list[syntax.Const]
    introduced: dict[Unknown, Span]  # where unknowns are introduced in the text of this check
    shown: Shown  # what taps of definitions show

    # --- the budget of the check ----------------------------------------------------------------------------------

    def count(self, steps: int = 1) -> None:
        """So many steps more. Raises LimitReached where there are too many."""

    def exhausted(self, span: Span | None = None) -> LimitReached:
        """The end of the check, which takes too long."""

    # --- expressions and statements -------------------------------------------------------------------------------

    def evaluate(self, frame: F, tree: syntax.Expr, name: str | None = None) -> Any:
        """The value of an expression in a frame."""

    def execute(self, frame: F, body: tuple[syntax.Stmt, ...]) -> None:
        """Run statements in a frame."""

    def template(self, frame: F, tree: syntax.Brackets) -> Any:
        """Brackets of a block as a template."""

    def handed(self, frame: F, tree: syntax.Expr) -> Any:
        """A block as a template, whatever its brackets: the one who takes it allocates."""

    def function_of(self, frame: F, name: str, tree: syntax.Brackets) -> Any:
        """`over[...]` and its like."""

    def constant(self, ref: ConstRef) -> Any:
        """The value of a `const`."""

    def rule(self, frame: F, ref: ConstRef, given: dict[str, Any], span: Span) -> Any:
        """The value of a `const` that has statics, at some of them."""

    def library_module(self, name: str) -> Module:
        """A module of the library."""

    def block_names(self, frame: F) -> BlockName:
        """What plans of weight paths ask: the block that an expression would allocate."""

    # --- uses of blocks -------------------------------------------------------------------------------------------

    def find(self, frame: F, ref: BlockRef, found: Abstract, span: Span | None = None) -> Specialization:
        """The specialization for a use: one whose choices come out the same here, or a new one."""

    def use_of(self, frame: F, instance: InstanceValue, span: Span) -> Use | None:
        """The specialization of an instance whose weights are named; before it is applied its statics must be known."""

    def misfit(self, frame: F, ref: BlockRef, names: Mapping[str, Any], span: Span) -> bool:
        """Whether a static of a block's type was given a block of another type, by what the signature's names mean."""

    def use(
        self,
        frame: F,
        instance: InstanceValue,
        operands: Sequence[Tensor | None],
        span: Span,
        spans: Sequence[Span],
        given: Sequence[Given] = (),
    ) -> Any:
        """Apply an instance: its results as tensors of the frame's graph."""

    def bind(
        self, frame: F, instance: InstanceValue, operands: Sequence[Tensor], span: Span, spans: Sequence[Span]
    ) -> bool:
        """An instance meets its operands, and is not applied yet; False where they do not fit."""

    def vectorize(
        self,
        frame: F,
        func: VectorizedBlock,
        args: Sequence[Any],
        span: Span,
        node: syntax.Expr,
        name: str | None,
        spans: Sequence[Span],
    ) -> Any:
        """Apply a block at every index of an axis."""

    def repeated(
        self, frame: F, func: RepeatedBlock, args: Sequence[Any], span: Span, node: syntax.Expr, name: str | None,
        spans: Sequence[Span],
    ) -> Any:  # fmt: skip
        """Apply a block so many times, each with weights of its own."""

    def gradient(
        self, frame: F, func: Gradient, args: Sequence[Any], span: Span, node: syntax.Expr, spans: Sequence[Span]
    ) -> Any:
        """Apply the derivative of a block."""

    def apply_typed(self, frame: F, func: TypedBlock, args: Sequence[Any], span: Span, spans: Sequence[Span]) -> Any:
        """Apply a static of a block's type, of which the type is all that is known."""
