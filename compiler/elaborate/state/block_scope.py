"""What the names of a body stand for, and where each was bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.notes import Sheet
from ogive.compiler.elaborate.state.values import AxisRef
from ogive.compiler.sizes import Size
from ogive.grammar.source import Span


@dataclass
class BlockScope:
    """The names of one elaboration. Those of instances, weights and states are fixed: nothing binds them again."""

    variables: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)  # what the names of the block's header stand for
    fixed: dict[str, Span] = field(default_factory=dict)
    bound_at: dict[str, Span] = field(default_factory=dict)  # where names were bound last
    sizes: dict[str, Size | None] = field(default_factory=dict)  # that have names; None for a name of several
    optional: dict[str, Tensor] = field(default_factory=dict)  # inputs that may be absent, by what asks for them
    notes: Sheet | None = None  # what expressions stand for at each place of the text, where somebody will ask

    def bind(self, name: str, value: Any, span: Span) -> None:
        """Bind a name, in place of what it stood for."""
        self.variables[name] = value
        self.bound_at[name] = span
        if isinstance(value, Size):
            self.sizes[name] = value if self.sizes.get(name, value) == value else None

    def fix(self, name: str, value: Any, span: Span) -> None:
        """Bind a name that nothing may bind again."""
        self.fixed[name] = span
        self.variables[name] = value

    def unbind(self, name: str) -> None:
        """Forget a name, also one that is fixed: the next iteration of an unrolled loop allocates anew."""
        self.fixed.pop(name, None)
        self.variables.pop(name, None)

    def close_header(self) -> None:
        """What is bound so far belongs to the header of the block."""
        self.header = dict(self.variables)

    def is_given_axis(self, axis: str | int) -> bool:
        """Whether the header binds a static to this axis: the use of the block names it."""
        return any(isinstance(value, AxisRef) and value.where == axis for value in self.header.values())

    @contextmanager
    def local(self) -> Iterator[None]:
        """Names that are bound inside do not leave it."""
        saved = dict(self.variables)
        try:
            yield
        finally:
            self.variables = saved

    @contextmanager
    def replaced_by(self, variables: dict[str, Any]) -> Iterator[None]:
        """Evaluate with other names: those that were known where the expression is written."""
        saved, self.variables = self.variables, dict(variables)
        try:
            yield
        finally:
            self.variables = saved
