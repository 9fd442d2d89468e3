"""Where we are in a body: what follows, under which condition of run time, and what has been returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.ir.presence import ALWAYS, Presence
from ogive.grammar import syntax
from ogive.grammar.source import Span


@dataclass(slots=True)
class Continuation:
    """What follows a statement in its body, or an iteration in its `for`, and how it is run."""

    statements: Sequence[syntax.Stmt]
    depth: int  # how many scopes of weights we are in
    run: Callable[[], None]


@dataclass
class ControlFlow:
    """The point of one elaboration at which it stands."""

    continuations: list[Continuation] = field(default_factory=list)  # what follows here, the nearest last
    floor: int = 0  # how much of `continuations` is not ours to run: it belongs to other paths too
    path: Presence = ALWAYS  # what holds where we are: the choices of run time that lead here
    loops: int = 0  # how many `repeat`s and `scan`s we are in
    yields: list[Any] | None = None  # what `yield` collects in the loop we are in
    returned: Any = None  # values with their places, or what the paths that have returned give (`Partial`)
    returned_at: Span | None = None
    lost: bool = False  # a fault took away a result: what is missing was not forgotten

    def leave(self, values: Any, span: Span) -> None:
        """Return values from the block. Where they are empty something is wrong, and nothing more is reported."""
        self.returned, self.returned_at = values, span

    def lose(self, *, returned: bool) -> None:
        """A fault took away what a statement gives; where it would have returned, nothing follows it."""
        self.lost = True
        if returned:
            self.returned = ()

    @property
    def goes_on(self) -> bool:
        """Whether anything follows here that is ours alone to run."""
        return len(self.continuations) > self.floor and self.returned is None

    def next(self) -> Continuation:
        """What follows here, which is run now."""
        rest, self.continuations = self.continuations[-1], self.continuations[:-1]
        return rest

    def share_continuations(self) -> None:
        """What follows here belongs to another path too: it is not run on this one alone."""
        self.floor = len(self.continuations)

    @contextmanager
    def followed_by(self, rest: Continuation) -> Iterator[None]:
        """Run a statement, or the iteration of a `for`, that others follow."""
        saved = self.continuations
        self.continuations = [*saved, rest]
        try:
            yield
        finally:
            self.continuations = saved

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Run what follows on a path that has not returned, beside one that has; afterwards nothing follows."""
        saved, self.returned = self.continuations, None
        try:
            yield
        finally:
            self.continuations, self.returned = saved, ()

    @contextmanager
    def where(self, when: Presence) -> Iterator[None]:
        """Run where a condition of run time holds."""
        path, floor = self.path, self.floor
        self.path = path & when
        try:
            yield
        finally:
            self.path, self.floor = path, floor

    @contextmanager
    def loop(self, collected: list[Any]) -> Iterator[None]:
        """Run the body of a loop that is elaborated once; `collected` takes what it yields."""
        saved, self.yields = self.yields, collected
        self.loops += 1
        try:
            yield
        finally:
            self.loops -= 1
            self.yields = saved
