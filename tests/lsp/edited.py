"""Texts as they are while somebody writes them: random edits of programs, and everything asked at random places."""

from __future__ import annotations

import random
import re
from pathlib import Path

from ogive.grammar.diagnostics import Diagnostic
from ogive.language import calls, completion, edits, hints, hover, outline, pictures, pointing, renaming
from ogive.language.desk import Desk, SeenFile
from ogive.language.places import Position, TextRegion

PIECES = (
    " ", "\n", "    ", "(", ")", "[", "]", '"', ",", ":", "|>", " = ", "#", "##", "'", ".", "->", "*", "x", "d", "zz",
    "1", "relu", "Linear", "where", "return x\n", "if ", "repeat 2 as h:\n", "block F(x: [b]) -> [b]:\n    return x\n",
    "𝔸", "é", "use std.nn (Conv)\n", "softmax[", "param w: [d] = ", "{", "}", "\t", "//", "% 2", "=", "model M = ",
)  # fmt: skip


def edited(text: str, draw: random.Random) -> str:
    """The text with one change as a person makes it: letters typed, words gone, lines moved, bits copied."""
    at = draw.randrange(len(text) + 1)
    kind = draw.randrange(7)
    lines = text.split("\n")
    row = draw.randrange(len(lines))
    match kind:
        case 0 | 1:
            return text[:at] + draw.choice(PIECES) + text[at:]
        case 2:
            return text[:at] + text[at + draw.randrange(1, 12) :]
        case 3:
            words = [*re.finditer(r"\w+", text)]
            if not words:
                return text
            word, other = draw.choice(words), draw.choice(words)
            return text[: word.start()] + other[0] + text[word.end() :]
        case 4:
            return "\n".join([*lines[:row], *lines[row + 1 :]])
        case 5:
            return "\n".join([*lines[: row + 1], lines[draw.randrange(len(lines))], *lines[row + 1 :]])
        case _:
            numbers = [*re.finditer(r"\d+", text)]
            if not numbers:
                return text + "\n"
            number = draw.choice(numbers)
            return text[: number.start()] + str(draw.randrange(12)) + text[number.end() :]


def ask(desk: Desk, path: str, draw: random.Random, each: bool = False) -> None:
    """One question at a random place, or each of them."""
    seen = desk.see(path)
    assert seen is not None
    line = draw.randrange(len(seen.lines.starts) + 1)
    place = line, draw.randrange(len(seen.lines.line(line)) + 2)
    questions = (
        lambda: hover.hover(seen, place),
        lambda: completion.completions(desk, path, place),
        lambda: calls.call_help(seen, place),
        lambda: pointing.defined(desk, path, place),
        lambda: pointing.references(desk, path, place),
        lambda: outline.outline(seen) and outline.folds(seen) and outline.tokens(seen),
        lambda: hints.hints(seen),
        lambda: edits.actions(desk, path, TextRegion(place, place)),
        lambda: edits.formatted(seen.text, path, (line, line)),
        lambda: pictures.lenses(seen),
        lambda: _renamed(desk, path, place),
    )
    chosen = questions[:-1] if draw.randrange(4) else questions  # a renaming checks the whole file anew
    for question in questions if each else [draw.choice(chosen)]:
        question()


def _renamed(desk: Desk, path: str, place: Position) -> None:
    try:
        renaming.rename(desk, path, place, "fresh_name")
    except renaming.RenameRefused:
        pass


def told(seen: SeenFile) -> list[tuple[object, ...]]:
    """What a check says, without the objects that differ between two of them."""
    return [_plain(each) for each in seen.program.diagnostics]


def _plain(found: Diagnostic) -> tuple[object, ...]:
    labels = tuple((each.span.begin(), each.text) for each in found.labels)
    return found.code, found.message, found.span.begin(), found.span.finish(), found.help, found.details, labels


def fresh(path: Path, text: str) -> SeenFile:
    """The same text on a new desk."""
    desk = Desk()
    desk.open(str(path), text)
    seen = desk.see(str(path))
    assert seen is not None
    return seen
