"""Two blocks or models as one drawing: what was added, removed and changed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from ogive.backends.diagram.diagram import Diagram
from ogive.backends.diagram.figure.figure import Figure
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.ir_tools.compare import Comparison, compare
from ogive.compiler.sizes import Size, Unknown, size


class Difference:
    """The difference from one block or model to another; `bool` tells whether there is any."""

    def __init__(self, old: Definition | Model, new: Definition | Model) -> None:
        self.old, self.new = old, new

    @cached_property
    def comparison(self) -> Comparison:
        """The entries, and both graphs merged."""
        return compare(self.old, self.new)

    def __bool__(self) -> bool:
        return bool(self.comparison.entries)

    def __str__(self) -> str:
        return "\n".join(map(str, self.comparison.entries))

    def figure(self) -> Figure:
        """One circuit: added operations, removed ones, and those that changed."""
        made = self.comparison
        names = [_name(x) for x in (self.old, self.new)]
        name = " → ".join(names) if names[0] != names[1] else f"{names[0]}: before → after"
        figure = figure_of(made.merged, name=name, numbers=self._numbers(), marks=made.marks, fewer=made.fewer)
        notes = tuple(f"{e.where}: {e.before} → {e.after}" for e in made.entries if e.before.isdigit())
        return replace(figure, notes=(*figure.notes, *notes))

    def _numbers(self) -> dict[Unknown, Size]:
        """The sizes that are the same numbers in both models."""
        if not isinstance(self.old, Model) or not isinstance(self.new, Model):
            return {}
        before = {unknown.name: number for unknown, number in self.old.bindings}
        return {unknown: size(n) for unknown, n in self.new.bindings if before.get(unknown.name) == n}

    def diagram(self, like: Diagram) -> Diagram:
        """The drawing, with the view and the theme of another one."""
        return replace(like, subject=self.comparison.merged, drawn=self.figure())


def _name(subject: Definition | Model) -> str:
    return subject.name if isinstance(subject, Model) else subject.block.rsplit(".", 1)[-1]
