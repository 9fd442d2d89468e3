"""Names that are nearly right: a question, and the edit that answers it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

CLOSE = 0.6  # how much of a name must agree
MANY = 300  # names, of which not each is compared for each question


def close(name: str, names: Iterable[str]) -> str:
    """A question for the nearest of the names, or nothing."""
    found = nearest(name, names, 1)
    return f"did you mean `{found[0]}`?" if found else ""


def nearest(name: str, names: Iterable[str], count: int = 3, closeness: float = CLOSE) -> list[str]:
    """The names that are close, the nearest first; one letter is close to nothing."""
    if len(name) < 2:
        return []
    from difflib import get_close_matches  # only what is wrong needs it

    return get_close_matches(name, list(names), count, closeness)


def few(name: str, names: Collection[str]) -> Collection[str]:
    """The names themselves; of many, those that are a letter off: a text with many faults takes no longer for each."""
    if len(names) <= MANY:
        return names
    index = _index(tuple(names))
    return dict.fromkeys(found for part in _parts(name) for found in index.get(part, ()))


@lru_cache(4)
def _index(names: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        for part in _parts(name):
            found.setdefault(part, []).append(name)
    return found


def _parts(name: str) -> list[str]:
    """A name, and what is left of it without one letter."""
    return list(dict.fromkeys([name, *(name[:at] + name[at + 1 :] for at in range(len(name)))]))


def rename(name: str, names: Iterable[str], span: Span) -> tuple[Edit, ...]:
    """The edit that goes with "did you mean ...?"."""
    found = nearest(name, names, 1)
    return (Edit(span, found[0]),) if found else ()
