"""What a diagram cannot do here."""

from __future__ import annotations

from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Chunk, Span


class DiagramError(ArchError):
    """A format that cannot be written (E0831): a missing program or library, or an ending that says nothing."""

    def __init__(self, text: str) -> None:
        super().__init__((Diagnostic("E0831", text, Span(Chunk("", "<diagram>"), 0, 0)),), text)
