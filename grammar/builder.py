"""What all actions share while one chunk is read: its text, its documentation, and a place for findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.lexer import Token
from ogive.grammar.source import Chunk, Span
from ogive.grammar.syntax import Target

Kids = list[Any]


@dataclass(slots=True)
class TreeBuilder:
    """Makes spans and small nodes for one chunk, and gathers its diagnostics."""

    chunk: Chunk
    doc: str = ""
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a finding."""
        self.diagnostics.append(diagnostic)

    def text(self, token: Token) -> str:
        """The characters of a token."""
        return self.chunk.text[token[1] : token[2]]

    def optional_text(self, token: Token | None) -> str | None:
        """The characters of a token that may have been left out."""
        return None if token is None else self.text(token)

    def at(self, token: Token) -> Span:
        """The place of a token."""
        return Span(self.chunk, token[1], token[2])

    def span(self, start: int, end: int) -> Span:
        """A place in the chunk."""
        return Span(self.chunk, start, end)

    def target(self, token: Token) -> Target:
        """A name that is bound here."""
        return Target(span=self.at(token), name=self.text(token))
