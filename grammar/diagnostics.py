"""Diagnostics as data: code, message, places, help. `render` draws them; nothing else prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ogive.grammar.source import Span

Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True, slots=True)
class Label:
    """A secondary place and a few words about it."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement of text that mends the fault; `contract` says that it changes what a block promises."""

    span: Span
    text: str
    contract: bool = False


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Sizes at which a program would fail, and for each that alone could mend it the legal numbers next to its own."""

    sizes: tuple[tuple[str, int], ...]
    nearby: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def details(self) -> list[str]:
        """The lines of a diagnostic that say so."""
        found = ["smallest counterexample: " + ", ".join(f"{name} = {number}" for name, number in self.sizes)]
        if self.nearby:
            legal = (f"{name} = {' or '.join(map(str, numbers))}" for name, numbers in self.nearby)
            found.append("sizes nearby that fit: " + "; ".join(legal))
        return found


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `note` is a few words at the primary place; `help` says what to do."""

    code: str
    message: str
    span: Span
    note: str = ""
    labels: tuple[Label, ...] = ()
    help: str = ""
    details: tuple[str, ...] = ()  # lines such as "smallest counterexample: h = 3"
    edits: tuple[Edit, ...] = ()
    counterexamples: tuple[Counterexample, ...] = ()  # `details` has their text

    @property
    def severity(self) -> Severity:
        return {"E": "error", "W": "warning", "H": "hint"}[self.code[0]]  # type: ignore[return-value]

    def order(self) -> tuple[str, int, int, str]:
        """Source order: file, line, column, code."""
        line, column = self.span.begin()
        return self.span.path, line, column, self.code


class ArchError(Exception):
    """A program that cannot be used. `diagnostics` holds every finding; the message is their rendering."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...], text: str = "") -> None:
        super().__init__(text or "\n".join(f"{d.code}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics
