"""Names for the values of a body: those of the source where nothing that is still needed has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ogive.backends.from_torch.code import VALUE, BodyLine
from ogive.compiler.ops import NAMED
from ogive.grammar.lexer import KEYWORDS

SPARE = ("y", "z", "u", "v", "s", "r", "q", "p")
TAKEN = (
    frozenset(NAMED) | KEYWORDS | {"inf", "pi", "e", "len", "range", "zip", "min", "max", "training", "given", "count"}
)


def clean(path: str, words: frozenset[str] = TAKEN) -> str:
    """A path as one name that is none of some words."""
    name = re.sub(r"\W", "_", path, flags=re.ASCII)
    name = f"m{name}" if name[:1].isdigit() else name
    return f"{name}_" if name in words else name


def resolved(
    inputs: Sequence[str], lines: Sequence[BodyLine], wanted: Callable[[str], str], avoid: Iterable[str]
) -> dict[str, str]:
    """For each value its name; a name is taken again when what had it is needed no more."""
    last: dict[str, int] = {}
    for number, line in enumerate(lines):
        for found in VALUE.findall(line.code.text):
            last[found] = number
    names: dict[str, str] = {}
    holders: dict[str, str] = {}  # the value that has a name now
    blocked = frozenset(avoid) | TAKEN

    def take(key: str, at: int) -> None:
        base = wanted(key)
        options = [base, *SPARE[:2], *(f"{base}{i}" for i in range(2, 99)), *SPARE]
        for option in options:
            if not option or option in blocked or not option.isidentifier():
                continue
            holder = holders.get(option)
            if holder is None or last.get(holder, -1) <= at:
                holders[option] = key
                names[key] = option
                return

    for key in inputs:
        take(key, -2)
    for number, line in enumerate(lines):
        for key in line.targets:
            if key:
                take(key, number)
    return names
