"""Edits of files by regions: those of diagnostics, of the formatter, and how they are applied."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.formatter import format_text
from ogive.language.desk import Desk
from ogive.language.places import TextLines, TextRegion, region
from ogive.mend import mend


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A replacement of text in a file."""

    file: str
    region: TextRegion
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """Something that mends a text: what to call it, its edits, and the finding that it answers."""

    title: str
    edits: tuple[FileEdit, ...]
    of: Diagnostic | None = None
    contract: bool = False


def applied(text: str, edits: Iterable[FileEdit]) -> str:
    """The text with edits in it, none of which touches another."""
    lines = TextLines(text)
    for each in sorted(edits, key=lambda each: each.region.start, reverse=True):
        text = text[: lines.offset(each.region.start)] + each.text + text[lines.offset(each.region.end) :]
    return text


def actions(desk: Desk, path: str, where: TextRegion) -> list[Action]:
    """What could be done about the findings that a region touches."""
    found = []
    for each in desk.diagnostics(path):
        at = region(each.span)
        if not each.edits or each.span.path != path or at.end < where.start or at.start > where.end:
            continue
        edits = tuple(FileEdit(edit.span.path, region(edit.span), edit.text) for edit in each.edits)
        contract = any(edit.contract for edit in each.edits)
        found.append(Action(_title(each), edits, each, contract))
    return found


def _title(found: Diagnostic) -> str:
    if len(found.edits) == 1 and len(found.edits[0].text) < 40 and "\n" not in found.edits[0].text:
        edit = found.edits[0]
        old, new = edit.span.text.strip(), edit.text.strip()
        if old and new:
            return f"write `{new}` for `{old}`" if len(old) < 40 else f"write `{new}`"
        if not new:
            return f"leave out `{old}`" if len(old) < 40 else "leave it out"
        return f"add `{new}`"
    return found.help or found.message


def mended(desk: Desk, path: str) -> str | None:
    """The text after all edits that change no contract; None where there is none of them."""
    text = desk.text(path)
    if text is None:
        return None
    result = mend(text, lambda source: desk.attempt(path, source).program)
    return result.text if result.count else None


def formatted(text: str, path: str, lines: tuple[int, int] | None = None) -> tuple[tuple[TextRegion, str], ...] | None:
    """The changes of the formatter, of some lines or of all; None where the file has syntax errors."""
    try:
        after = format_text(text, path)
    except ArchError:
        return None
    return tuple(_changes(text, after, lines))


def _changes(before: str, after: str, lines: tuple[int, int] | None) -> Iterator[tuple[TextRegion, str]]:
    old, new = before.split("\n"), after.split("\n")
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal" or (lines is not None and (b < lines[0] or a > lines[1])):
            continue
        text = "\n".join(new[c:d])
        if b < len(old):
            yield TextRegion((a, 0), (b, 0)), text + "\n" if d > c else ""
        elif a == 0:
            yield TextRegion((0, 0), (len(old) - 1, len(old[-1]))), text
        else:  # the last line has no end: take that of the one before
            yield TextRegion((a - 1, len(old[a - 1])), (len(old) - 1, len(old[-1]))), "\n" + text if d > c else ""
