"""The text of a pattern in einops notation, parsed: operands, axes, groups, with their places in the text.

pattern = side "->" side; side = operand {"," operand}; operand = {term};
term = name | number | "*" name | "..." | "(" {term} ")" | "(" part "+" part {"+" part} ")";
part = name | number | "(" {term} ")".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from ogive.compiler.ops.spec import ShapeError

ELLIPSIS = "..."
NESTING = 16  # of parentheses; two have a meaning
DIGITS = 400  # of a size
_TOKEN = re.compile(r"\s*(?:(\.\.\.|->|[A-Za-z_]\w*'*|\d+|[()+,*])|(\S))", re.ASCII)


@dataclass(frozen=True, slots=True)
class PatternTerm:
    """One axis in a pattern. `items` are the factors of a group, the parts of a sum; `text` is a name or number."""

    kind: Literal["name", "number", "pack", "group", "sum"]
    text: str
    items: tuple[PatternTerm, ...] = ()
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def inside(self) -> tuple[int, int]:
        """Its characters in the pattern."""
        return self.start, self.end

    def leaves(self) -> Iterator[PatternTerm]:
        """The names, numbers and packs in it, left to right."""
        if self.kind in ("group", "sum"):
            for item in self.items:
                yield from item.leaves()
        else:
            yield self

    def __str__(self) -> str:
        if self.kind == "group":
            return f"({' '.join(map(str, self.items))})"
        if self.kind == "sum":
            return f"({' + '.join(map(str, self.items))})"
        return f"*{self.text}" if self.kind == "pack" and self.text != ELLIPSIS else self.text


@dataclass(frozen=True, slots=True)
class Operand:
    """The axes of one tensor."""

    terms: tuple[PatternTerm, ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def inside(self) -> tuple[int, int]:
        """Its characters in the pattern."""
        return self.start, self.end

    def leaves(self) -> Iterator[PatternTerm]:
        """The names, numbers and packs in it, left to right."""
        for term in self.terms:
            yield from term.leaves()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))


@dataclass(frozen=True, slots=True)
class ParsedPattern:
    """Both sides of a pattern."""

    text: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]

    @property
    def names(self) -> frozenset[str]:
        """All names, those of packs included."""
        leaves = (leaf for operand in (*self.inputs, *self.outputs) for leaf in operand.leaves())
        return frozenset(leaf.text for leaf in leaves if leaf.kind != "number" and leaf.text != ELLIPSIS)

    @property
    def packs(self) -> frozenset[str]:
        """The names of packs."""
        leaves = (leaf for operand in (*self.inputs, *self.outputs) for leaf in operand.leaves())
        return frozenset(leaf.text for leaf in leaves if leaf.kind == "pack" and leaf.text != ELLIPSIS)

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.inputs))} -> {', '.join(map(str, self.outputs))}"


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int


def _fail(text: str, inside: tuple[int, int], help: str = "") -> ShapeError:
    return ShapeError(text, code="E0303", inside=inside, static="pattern", help=help)


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        group = 1 if match[1] is not None else 2
        if group == 2:
            raise _fail(f"`{match[2]}` has no meaning in a pattern", match.span(2))
        found.append(_Token(match[1], *match.span(1)))
    return found


@dataclass(slots=True)
class _PatternReader:
    """Recursive descent over the tokens of one pattern."""

    text: str
    tokens: list[_Token]
    at: int = 0
    open: int = 0  # parentheses

    def peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def take(self) -> _Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def here(self) -> tuple[int, int]:
        if self.at < len(self.tokens):
            return self.tokens[self.at].start, self.tokens[self.at].end
        return max(len(self.text) - 1, 0), len(self.text)

    def side(self) -> tuple[Operand, ...]:
        operands = [self.operand()]
        while self.peek() == ",":
            self.take()
            operands.append(self.operand())
        return tuple(operands)

    def operand(self) -> Operand:
        start = self.here()[0]
        terms = []
        while self.peek() not in ("", ",", "->", ")", "+"):
            terms.append(self.term())
        end = terms[-1].end if terms else start
        return Operand(tuple(terms), terms[0].start if terms else start, max(end, start))

    def term(self) -> PatternTerm:
        token = self.take()
        if token.text == "(":
            return self.group(token)
        if token.text == ELLIPSIS:
            return PatternTerm("pack", ELLIPSIS, (), token.start, token.end)
        if token.text == "*":
            name = self.peek()
            if not (name[:1].isalpha() or name[:1] == "_"):
                raise _fail("`*` stands before the name of a pack", (token.start, token.end))
            return PatternTerm("pack", name, (), token.start, self.take().end)
        if token.text.isdigit():
            if len(token.text) > DIGITS:
                raise _fail(f"a size of {len(token.text):,} digits", (token.start, token.end))
            if int(token.text) == 0:
                raise _fail("an axis has at least size 1", (token.start, token.end))
            return PatternTerm("number", str(int(token.text)), (), token.start, token.end)
        if token.text[0].isalpha() or token.text[0] == "_":
            return PatternTerm("name", token.text, (), token.start, token.end)
        raise _fail(f"`{token.text}` cannot stand here", (token.start, token.end))

    def group(self, opening: _Token) -> PatternTerm:
        self.open += 1
        if self.open > NESTING:
            raise _fail(f"more than {NESTING} nested parentheses", (opening.start, opening.end))
        items: list[PatternTerm] = []
        plus = 0
        while self.peek() not in (")", "", "->", ","):
            if self.peek() == "+":
                token = self.take()
                plus += 1
                if len(items) != plus:
                    raise _fail("`+` joins single axes; put a product in parentheses", (token.start, token.end))
                continue
            items.append(self.term())
        if self.peek() != ")":
            raise _fail("this parenthesis is not closed", (opening.start, opening.end))
        closing = self.take()
        self.open -= 1
        span = (opening.start, closing.end)
        if plus and len(items) != plus + 1:
            raise _fail("`+` joins single axes; put a product in parentheses", span)
        if plus:
            return PatternTerm("sum", "", tuple(items), *span)
        return PatternTerm("group", "", tuple(items), *span)


@lru_cache(maxsize=1024)
def parse(text: str) -> ParsedPattern:
    """The pattern in `text`; ShapeError (E0303) with the place inside it where it is none."""
    reader = _PatternReader(text, _tokens(text))
    inputs = reader.side()
    if reader.peek() != "->":
        what = f"`{reader.peek()}` cannot stand here" if reader.peek() else "a pattern has two sides, joined by `->`"
        raise _fail(what, reader.here())
    reader.take()
    outputs = reader.side()
    if reader.peek():
        raise _fail(f"`{reader.peek()}` cannot stand here", reader.here())
    parsed = ParsedPattern(text, inputs, outputs)
    for operand in (*inputs, *outputs):
        _check(operand)
    return parsed


def _check(operand: Operand) -> None:
    """What no operation allows: two packs or sums in one operand, sums or groups in odd places."""
    packs = [leaf for leaf in operand.leaves() if leaf.kind == "pack"]
    if len(packs) > 1:
        raise _fail(f"`{packs[0]}` and `{packs[1]}`: one tensor has at most one pack", packs[1].inside)
    sums = [term for term in operand.terms if term.kind == "sum"]
    if len(sums) > 1:
        raise _fail(f"`{sums[0]}` and `{sums[1]}`: one tensor is joined along one axis only", sums[1].inside)
    for term in operand.terms:
        _check_nested(term)


def _check_nested(term: PatternTerm) -> None:
    for item in term.items:
        if item.kind == "sum" or (item.kind == "group" and term.kind == "group"):
            raise _fail(f"`{item}` cannot stand inside `{term}`", item.inside)
        if item.kind == "pack" and term.kind == "sum":
            raise _fail(f"`{item}` cannot be a part of `{term}`", item.inside)
        _check_nested(item)
