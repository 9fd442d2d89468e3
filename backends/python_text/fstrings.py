"""Texts of the emitted file that hold values of its run, f-strings, put together where texts are handed over."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.backends.python_text.expr import Code, formatted

MARK = "\0"


@dataclass(slots=True)
class Insertions:
    """The expressions of a text, each of which has a mark in its place until the text is whole."""

    codes: list[Code] = field(default_factory=list)

    def mark(self, code: Code) -> str:
        """The place of an expression in a text."""
        self.codes.append(code)
        return f"{MARK}{len(self.codes) - 1}{MARK}"

    def whole(self, text: str) -> Code:
        """The literal of a text: an f-string where it holds expressions."""
        parts = text.split(MARK)
        return formatted([self.codes[int(part)] if at % 2 else part for at, part in enumerate(parts)])
