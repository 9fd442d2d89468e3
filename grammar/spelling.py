"""Names that are nearly right: a question, and the edit that answers it."""

from __future__ import annotations

from collections.abc import Iterable

from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span

CLOSE = 0.6  # how much of a name must agree


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


def rename(name: str, names: Iterable[str], span: Span) -> tuple[Edit, ...]:
    """The edit that goes with "did you mean ...?"."""
    found = nearest(name, names, 1)
    return (Edit(span, found[0]),) if found else ()
