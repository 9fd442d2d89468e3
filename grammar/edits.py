"""Edits of diagnostics applied to the text that they speak of."""

from __future__ import annotations

from collections.abc import Iterable

from ogive.grammar.diagnostics import Edit


def apply_edits(text: str, edits: Iterable[Edit]) -> tuple[str, int]:
    """The text with the edits in it, and how many were applied: one that touches another waits for the next check."""
    starts = [0]
    starts.extend(i + 1 for i, char in enumerate(text) if char == "\n")
    found: dict[tuple[int, int], str] = {}
    for edit in edits:
        (line, column), (end_line, end_column) = edit.span.begin(), edit.span.finish()
        place = (starts[line - 1] + column - 1, starts[end_line - 1] + end_column - 1)
        if all(place[1] < start or end < place[0] for start, end in found):
            found[place] = edit.text
    for start, end in sorted(found, reverse=True):
        text = text[:start] + found[start, end] + text[end:]
    return text, len(found)
