"""Patterns of names in maps: `*` is a number, `{*+1}` one that is counted otherwise, a last `.*` all below.

`{a,b}` stands for several lines: the first with `a`, and with the first of each such group on the other side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

_STAR = re.compile(r"\{\s*(\d{0,4})\s*\*\s*([+-]\s*\d{1,6})?\s*\}|\*")
_GROUP = re.compile(r"\{([^{}*]*,[^{}]*)\}")
MOST = 10_000  # lines that one line may stand for
Values = tuple[int | str, ...]


class NameFault(Exception):
    """A text that is no pattern."""


@dataclass(frozen=True, slots=True)
class Star:
    """A place in a name: the number `scale * i + offset`, or with `rest` all that is below."""

    scale: int = 1
    offset: int = 0
    rest: bool = False

    @property
    def plain(self) -> bool:
        """Whether what stands there is taken as it is."""
        return self.scale == 1 and self.offset == 0

    def read(self, text: str) -> int | str | None:
        """What stands for this text on the other side; None where it cannot be here."""
        if self.rest:
            return text
        number = int(text)
        if str(number) != text or number < self.offset or (number - self.offset) % self.scale:
            return None
        return (number - self.offset) // self.scale

    def write(self, value: int | str) -> str | None:
        """The text for a value; None where there is none."""
        if isinstance(value, str):
            return value
        number = self.scale * value + self.offset
        return str(number) if number >= 0 else None


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Pieces of text with a star between each two."""

    text: str
    pieces: tuple[str, ...]
    stars: tuple[Star, ...]

    def match(self, name: str) -> Values | None:
        """What stands in the places of the stars where `name` is of this form."""
        found = _compiled(self.pieces, self.stars).fullmatch(name)
        values = [] if found is None else [s.read(text) for s, text in zip(self.stars, found.groups(), strict=True)]
        return None if found is None or None in values else tuple(value for value in values if value is not None)

    def filled(self, values: Values) -> str | None:
        """The name for these values; None where a number would be below 0."""
        texts = [star.write(value) for star, value in zip(self.stars, values, strict=True)]
        if None in texts:
            return None
        return "".join(piece + (text or "") for piece, text in zip(self.pieces, [*texts, ""], strict=True))


@lru_cache(maxsize=4096)
def _compiled(pieces: tuple[str, ...], stars: tuple[Star, ...]) -> re.Pattern[str]:
    marks = [r"(.+)" if star.rest else r"(\d{1,9})" for star in stars]
    return re.compile("".join(re.escape(piece) + mark for piece, mark in zip(pieces, [*marks, ""], strict=True)))


def read_name(text: str) -> NamePattern:
    """The pattern of a text. Raises `NameFault`."""
    pieces, stars, at = [], [], 0
    for found in _STAR.finditer(text):
        pieces.append(text[at : found.start()])
        scale, offset = found[1], found[2]
        if scale is None:
            stars.append(Star(rest=found.end() == len(text) and text[: found.start()][-1:] in ("", ".")))
        else:
            stars.append(Star(int(scale or 1), int((offset or "0").replace(" ", ""))))
        if not stars[-1].scale:
            raise NameFault(f"`{found[0]}` is the same for every number")
        at = found.end()
    pieces.append(text[at:])
    if any(mark in piece for piece in pieces for mark in "{}"):
        raise NameFault(
            f"`{text}`: in braces stand `*` with an offset, as in {{*+1}}, or several words, as in {{q,k,v}}"
        )
    if not text or any(first == "" for first in pieces[1:-1]):
        raise NameFault(f"`{text}`: a name, with something between two `*`")
    return NamePattern(text, tuple(pieces), tuple(stars))


def alternatives(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The lines that `{a,b}` stands for, in order. All texts have the same groups. Raises `NameFault`."""
    groups = [[[word.strip() for word in found[1].split(",")] for found in _GROUP.finditer(text)] for text in texts]
    sizes = [len(words) for words in groups[0]]
    for text, found in zip(texts, groups, strict=True):
        if [len(words) for words in found] != sizes:
            raise NameFault(f"`{texts[0]}` and `{text}` do not list equally many words in braces")
    if prod(sizes) > MOST:
        raise NameFault(f"`{texts[0]}` stands for {prod(sizes):,} lines, and at most {MOST:,} are taken")
    lines = []
    for choice in product(*map(range, sizes)):
        line = []
        for text, found in zip(texts, groups, strict=True):
            words = iter([each[i] for each, i in zip(found, choice, strict=True)])
            line.append(_GROUP.sub(lambda _, words=words: next(words), text))  # type: ignore[misc]
        lines.append(tuple(line))
    return lines
