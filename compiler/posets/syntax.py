"""Posets as text: a relation, a name, or sums of others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isqrt

from ogive.compiler.posets.poset import LETTERS, Pair, Poset, PosetError, antichain, chain, product
from ogive.grammar.spelling import close

# the 16 posets on 4 elements up to isomorphism, by the numbers of the paper's code
NUMBERED = (
    "{a,b,c}<d", "", "a<b", "{a,b}<c<d", "{a,b}<c", "a<{b,c}", "a<b, c<d", "a<b<{c,d}", "a<b<c", "a<{b,c,d}",
    "a<b, a<c<d", "{a,b}<{c,d}", "a<b, c<b, c<d", "a<b<c<d", "a<{b,c}<d", "a<c<d, b<d",
)  # fmt: skip
NAMES = (
    "join", "antichain", "edge", "wye_down", "wedge", "vee", "two_two", "wye", "three_one", "fork", "branch", "bowtie",
    "zigzag", "chain", "diamond", "merge",
)  # fmt: skip
SIZED = {"chain": chain, "antichain": antichain, "product": product}
TOKEN = re.compile(r"\s*(#?\w+|[()\[\],+*<{}])")
RELATION = re.compile(r"[\sa-z<,{}]*")


def read(text: str, size: int = 4) -> Poset:
    """A poset on `size` elements a, b, c, ...; raises `PosetError` where the text is none.

    A relation, `"a<b, a<c<d"` or `"{a,b}<c"`; a name, `"diamond"`, `"#7"` or `"chain"`; sums of those and of
    `"chain(2)"` or `"(a<b)"`: `"P + Q"` side by side, `"P * Q"` all of P below all of Q, `"P[Q, R]"` lexicographic.
    """
    text = text.strip()
    if text in SIZED:
        found = product(_side(size)) if text == "product" else SIZED[text](size)
    elif _is_relation(text):
        _inside(text, size)
        found = Poset.of(size, list(_relation(text)))
    else:
        found = _PosetReader(_tokens(text), text).whole()
    if found.size != size:
        raise PosetError(f"`{text}` has {found.size} elements, and the window {size}")
    return found


def _side(size: int) -> int:
    side = isqrt(size)
    if side * side != size:
        raise PosetError(f"`product` is the order of a square window, not of one of {size} places")
    return side


def _is_relation(text: str) -> bool:
    return RELATION.fullmatch(text) is not None and all(len(word) == 1 for word in re.findall("[a-z]+", text))


def _named(text: str) -> Iterator[int]:
    """The elements that a relation names, those that compare to none included."""
    yield from (LETTERS.index(letter) for letter in text if letter in LETTERS)


def _inside(text: str, size: int) -> None:
    """Refuse an element that is not there, though nothing is said of it: `n` is no name of a poset."""
    last = max(_named(text), default=0)
    if last >= size:
        raise PosetError(f"`{LETTERS[last]}` is none of {size} elements, up to `{LETTERS[size - 1]}`")


def _relation(text: str) -> Iterator[Pair]:
    for part in _split(text, ","):
        groups = [[LETTERS.index(name) for name in _elements(group)] for group in part.split("<")]
        for low, high in pairwise(groups):
            yield from ((a, b) for a in low for b in high)


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks that stand outside of braces."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if letter == mark and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _elements(group: str) -> list[str]:
    group = group.strip()
    inside = group[1:-1] if group.startswith("{") and group.endswith("}") else group
    names = [name.strip() for name in inside.split(",")]
    for name in names:
        if not re.fullmatch(r"[a-z]", name):
            raise PosetError(f"`{group}` is no element: letters from `a` on, as in `a<b, a<c`")
    return names


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if match is None:
            raise PosetError(f"`{text[at:].strip()}` is no part of a poset: relations, names, `+`, `*`, brackets are")
        tokens.append(match[1])
        at = match.end()
    return tokens


@dataclass(slots=True)
class _PosetReader:
    """Reads sums, by descent; `*` binds before `+`."""

    tokens: list[str]
    text: str
    at: int = 0

    def whole(self) -> Poset:
        found = self.side_by_side()
        if self.at < len(self.tokens):
            raise PosetError(f"`{self.tokens[self.at]}` in `{self.text}` follows a poset that is whole")
        return found

    def side_by_side(self) -> Poset:
        found = self.stacked()
        while self.take("+"):
            found = found + self.stacked()
        return found

    def stacked(self) -> Poset:
        found = self.composed()
        while self.take("*"):
            found = found.below(self.composed())
        return found

    def composed(self) -> Poset:
        found = self.one()
        while self.take("["):
            parts = [self.side_by_side()]
            while self.take(","):
                parts.append(self.side_by_side())
            self.expect("]")
            found = found.compose(*parts)
        return found

    def one(self) -> Poset:
        if self.take("("):
            return self.inside()
        name = self.next()
        if name in SIZED and self.take("("):
            size = self.next()
            self.expect(")")
            if not size.isdigit() or int(size) < 1:
                raise PosetError(f"`{name}({size})`: a number of elements, from 1 on")
            return SIZED[name](int(size))
        return named(name)

    def inside(self) -> Poset:
        """A relation in parentheses, on the elements up to its last one; or any poset."""
        end = self.at
        while end < len(self.tokens) and self.tokens[end] not in "()":
            end += 1
        inner = "".join(self.tokens[self.at : end])
        if end == len(self.tokens) or self.tokens[end] != ")" or not _is_relation(inner):
            found = self.side_by_side()
            self.expect(")")
            return found
        self.at = end + 1
        return Poset.of(1 + max(_named(inner), default=0), list(_relation(inner)))

    def next(self) -> str:
        if self.at == len(self.tokens):
            raise PosetError(f"`{self.text}` ends where a poset is expected")
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, token: str) -> bool:
        found = self.at < len(self.tokens) and self.tokens[self.at] == token
        self.at += found
        return found

    def expect(self, token: str) -> None:
        found = self.next()
        if found != token:
            raise PosetError(f"expected `{token}` in `{self.text}`, not `{found}`")


def named(name: str) -> Poset:
    """One of the 16 posets on four elements, by name or by number."""
    if re.fullmatch(r"#\d+", name):
        number = int(name[1:])
        if number >= len(NUMBERED):
            raise PosetError(f"there are {len(NUMBERED)} posets on 4 elements, from #0 on; `{name}` is none")
        return Poset.of(4, list(_relation(NUMBERED[number])))
    if name in SIZED:
        raise PosetError(f"inside a sum `{name}` needs a size: `{name}(2)`")
    if name not in NAMES:
        hint = close(name, (*NAMES, *SIZED)) or f"there are {', '.join(NAMES)}"
        raise PosetError(f"`{name}` is no poset: {hint}")
    return Poset.of(4, list(_relation(NUMBERED[NAMES.index(name)])))
