"""Where the parser met an unexpected token: what stands around it, what would have been possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.engine import Stack
from ogive.grammar.lexer import Token, Tokens
from ogive.grammar.source import Chunk, Span
from ogive.grammar.tables import Tables

LAYOUT = frozenset(["_NEWLINE", "_INDENT", "_DEDENT", "$END"])
OPENERS = frozenset("([{")
CLOSERS = frozenset(")]}")
OPERAND_START = frozenset(["NAME", "NUMBER", "STRING", "true", "false", "none"])
OPERAND_END = OPERAND_START | CLOSERS
COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">=", "in"])
ARITHMETIC = frozenset(["+", "-", "*", "/", "//", "%", "@", "**"])
OPERATORS = COMPARISONS | ARITHMETIC | {"and", "or", "not", "if", "else", "|>", ">>"}
# Where an expression that stands at no bracket begins or ends.
_BORDERS = LAYOUT | set("= , : AUGMENTED ERROR return yield where require assume elif for".split())


@dataclass(frozen=True, slots=True)
class Scene:
    """Token `i` could not follow what is on the stack."""

    chunk: Chunk
    found: Tokens
    i: int
    stack: Stack
    tables: Tables

    @property
    def tokens(self) -> Sequence[Token]:
        return self.found.items

    @property
    def kind(self) -> str:
        """The kind of the unexpected token."""
        return self.tokens[self.i][0]

    @property
    def previous(self) -> str:
        """The kind of the token before it."""
        return self.tokens[self.i - 1][0] if self.i else "_NEWLINE"

    def text(self, i: int) -> str:
        """The characters of a token."""
        return self.chunk.text[self.tokens[i][1] : self.tokens[i][2]]

    def between(self, start: int, stop: int) -> str:
        """The text of tokens `start` to `stop` (exclusive), on one line."""
        if start >= stop:
            return ""
        return " ".join(self.chunk.text[self.tokens[start][1] : self.tokens[stop - 1][2]].split())

    def can(self, kind: str) -> bool:
        """Whether a token of this kind could have stood here."""
        return kind in self.tables.actions[self.stack.states[-1]]

    @property
    def expected(self) -> list[str]:
        """All that could have stood here."""
        return sorted(self.tables.actions[self.stack.states[-1]])

    @property
    def line(self) -> int:
        """The index of the first token of this logical line."""
        i = self.i
        while i and self.tokens[i - 1][0] not in LAYOUT:
            i -= 1
        return i

    @property
    def lead(self) -> str:
        """The first word of this logical line."""
        return self.text(self.line)

    def open_brackets(self) -> list[int]:
        """The brackets of this line that are open here, by token, innermost last."""
        stack: list[int] = []
        for i in range(self.line, self.i):
            if self.tokens[i][0] in OPENERS:
                stack.append(i)
            elif self.tokens[i][0] in CLOSERS and stack:
                stack.pop()
        return stack

    def starts_line(self) -> bool:
        """Whether the unexpected token is the first of a line of text, or stands behind the last one."""
        if self.i == 0:
            return False
        return self.kind in LAYOUT or "\n" in self.chunk.text[self.tokens[self.i - 1][2] : self.tokens[self.i][1]]

    def here(self) -> Span:
        """The place to point at: behind the last token where it is the line's end that comes too early."""
        if self.starts_line() and self.kind != "_INDENT" and self.previous not in LAYOUT:
            return self.after()
        return self.at(self.i)

    def at(self, i: int) -> Span:
        """The place of a token."""
        return Span(self.chunk, self.tokens[i][1], self.tokens[i][2])

    def after(self) -> Span:
        """Just behind the token before the unexpected one."""
        end = self.tokens[self.i - 1][2]
        return Span(self.chunk, end, end)

    def extent(self) -> tuple[int, int]:
        """The tokens of the expression around the unexpected one, as far as its brackets, commas and keywords reach."""
        depth, start = 0, self.i
        while start > 0:
            kind = self.tokens[start - 1][0]
            if not depth and (kind in _BORDERS or kind in OPENERS or (kind == "if" and start - 1 == self.line)):
                break
            depth += (kind in CLOSERS) - (kind in OPENERS)
            start -= 1
        depth, stop = 0, self.i
        while stop < len(self.tokens):
            kind = self.tokens[stop][0]
            if not depth and (kind in _BORDERS or kind in CLOSERS):
                break
            depth += (kind in OPENERS) - (kind in CLOSERS)
            stop += 1
        return start, stop

    def last(self, kinds: frozenset[str], start: int) -> int | None:
        """The last token of some kinds before the unexpected one, at its own bracket depth, from `start` on."""
        depth = 0
        for i in range(self.i - 1, start - 1, -1):
            kind = self.tokens[i][0]
            if not depth and kind in kinds:
                return i
            depth += (kind in CLOSERS) - (kind in OPENERS)
        return None

    def fault(
        self,
        message: str,
        help_: str = "",
        *,
        span: Span | None = None,
        code: str = "E0101",
        labels: tuple[Label, ...] = (),
        edits: tuple[Edit, ...] = (),
    ) -> Diagnostic:
        """A diagnostic at this place."""
        return Diagnostic(code, message, span or self.here(), labels=labels, help=help_, edits=edits)

    def edit(self, start: int, stop: int, text: str) -> tuple[Edit, ...]:
        """The edit that puts a text in the place of tokens `start` to `stop` (exclusive)."""
        return (Edit(Span(self.chunk, self.tokens[start][1], self.tokens[stop - 1][2]), text),)


def show(kind: str) -> str:
    """A kind of token, in the user's words."""
    names = {
        "NAME": "a name",
        "NUMBER": "a number",
        "STRING": "a string",
        "MODULE": "the name of a module",
        "_NEWLINE": "the end of the line",
        "_INDENT": "an indented body",
        "_DEDENT": "the end of the body",
        "$END": "the end of the text",
        "AUGMENTED": "an operator with `=`",
    }
    return names.get(kind, f"`{kind}`")
