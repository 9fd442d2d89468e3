"""The text before a cursor, whether or not it can be parsed: open brackets, what stands before them, strings."""

from __future__ import annotations

import re
from dataclasses import dataclass

CLOSING = {"(": ")", "[": "]", "{": "}"}
CALLEE = re.compile(r"((?:[A-Za-z_]\w*'*\.)*[A-Za-z_]\w*'*)\s*\Z")
WORD = re.compile(r"[A-Za-z_][\w']*\Z")


@dataclass(frozen=True, slots=True)
class OpenBracket:
    """A bracket that is open: its sign, what is written before it, and how many commas follow it."""

    sign: str
    callee: str
    at: int
    commas: int


@dataclass(frozen=True, slots=True)
class TextBefore:
    """What a cursor stands in. `quoted` is where the string begins that holds it; `word` what is being written."""

    text: str
    open: tuple[OpenBracket, ...]
    quoted: int | None
    comment: bool

    @property
    def word(self) -> str:
        """The name that ends at the cursor."""
        found = WORD.search(self.text)
        return found[0] if found is not None else ""

    @property
    def head(self) -> str:
        """What stands before the name that ends at the cursor."""
        return self.text[: len(self.text) - len(self.word)]

    @property
    def line(self) -> str:
        """The line up to the cursor."""
        return self.text[self.text.rfind("\n") + 1 :]


def before(text: str) -> TextBefore:
    """What a cursor at the end of a text stands in."""
    stack: list[list[int | str]] = []
    quoted: int | None = None
    comment = False
    for at, char in enumerate(text):
        if char == "\n":
            comment, quoted = False, None
        elif comment:
            continue
        elif char == '"':
            quoted = at if quoted is None else None
        elif quoted is not None:
            continue
        elif char == "#":
            comment = True
        elif char in CLOSING:
            found = CALLEE.search(text, max(0, text.rfind("\n", 0, at)), at)
            stack.append([char, found[1] if found is not None else "", at, 0])
        elif char in ")]}":
            if stack and CLOSING[str(stack[-1][0])] == char:
                stack.pop()
        elif char == "," and stack:
            stack[-1][3] = int(stack[-1][3]) + 1
    found_open = tuple(OpenBracket(str(a), str(b), int(c), int(d)) for a, b, c, d in stack)
    return TextBefore(text, found_open, quoted, comment)


def completed(text: str, offset: int, placeholder: str) -> str:
    """The text with a name at the cursor where one is missing, and brackets closed that its line leaves open."""
    left, right = text[:offset], text[offset:]
    state = before(left)
    line_end = right.find("\n")
    rest, below = (right, "") if line_end < 0 else (right[:line_end], right[line_end:])
    if state.quoted is not None and rest.count('"') % 2 == 0:
        return left + '"' + "".join(CLOSING[each.sign] for each in reversed(_missing(state, rest))) + rest + below
    if state.quoted is None and not state.word:
        left += placeholder
    return left + rest + "".join(CLOSING[each.sign] for each in reversed(_missing(state, rest))) + below


def _missing(state: TextBefore, rest: str) -> list[OpenBracket]:
    """The open brackets that the rest of the line does not close."""
    waiting = list(state.open)
    depth = 0
    for char in rest:
        if char in CLOSING:
            depth += 1
        elif char in ")]}":
            if depth:
                depth -= 1
            elif waiting:
                waiting.pop()
    return waiting
