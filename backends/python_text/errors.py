"""What a target in Python text cannot say, as an error that names the operation and the reason."""

from __future__ import annotations

from ogive.grammar.source import Span


class LoweringError(Exception):
    """An operation is not supported in the target here (E0801): `text` names it and says why."""

    code = "E0801"

    def __init__(self, text: str, span: Span | None = None) -> None:
        super().__init__(text)
        self.text, self.span = text, span
