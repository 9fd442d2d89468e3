"""A name changed everywhere: blocks across files, statics with their keywords at calls, axes inside patterns too."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.elaborate.state.notes import Notes
from ogive.language.desk import Desk, SeenFile
from ogive.language.edits import FileEdit, applied
from ogive.language.names import Occurrence, Symbol, occurrences, word
from ogive.language.places import Position, region
from ogive.language.pointing import occurrence_at, uses_of

NAME = re.compile(r"[A-Za-z_]\w*'*", re.ASCII)
KEYWORDS = frozenset("block const use param if elif else for return yield and or not true false none".split())
FIXED = ("operation", "form", "function", "initializer", "missing", "setting", "module")


class RenameRefused(Exception):
    """Why a name cannot be changed, for the one who asked."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """The edits of all files."""

    edits: tuple[FileEdit, ...]


def renamable(seen: SeenFile, place: Position) -> Occurrence:
    """The name at a position. Raises `RenameRefused` where it is none of the user's."""
    found = occurrence_at(seen, place)
    if found is None:
        raise RenameRefused("there is no name here that can be changed")
    symbol = found.symbol
    if symbol.kind in FIXED or not symbol.home:
        raise RenameRefused(f"`{symbol.name}` is a word of the language" if word(symbol.name) else "this is no name")
    if symbol.home.startswith("<"):
        raise RenameRefused(f"`{symbol.name}` belongs to the library")
    return found


def rename(desk: Desk, path: str, place: Position, new: str) -> Renaming:
    """The edits that give the name at a position another one. Raises `RenameRefused`, also where the result has errors.

    What the checker says of the files afterwards decides: nothing is handed out that breaks a program that was right.
    """
    seen = desk.see(path)
    if seen is None:
        raise RenameRefused("the file cannot be read")
    symbol = renamable(seen, place).symbol
    if not NAME.fullmatch(new) or new in KEYWORDS:
        raise RenameRefused(f"`{new}` is no name")
    if new == symbol.name:
        return Renaming(())
    found = uses_of(desk, path, symbol)
    by_file: dict[str, list[Occurrence]] = {}
    for file, each in found:
        by_file.setdefault(file, []).append(each)
    edits: list[FileEdit] = []
    for file, places in by_file.items():
        _refuse_clash(desk.see(file), symbol, new)
        edits += (FileEdit(file, region(each.span), new) for each in places)
    _refuse_broken(desk, edits)
    return Renaming(tuple(edits))


def _refuse_clash(seen: SeenFile | None, symbol: Symbol, new: str) -> None:
    """A name that is taken where the old one stands."""
    if seen is None:
        return
    for piece in seen.pieces:
        if piece.declaration is None and re.search(rf"(?<![\w']){re.escape(symbol.name)}(?![\w'])", piece.chunk.text):
            raise RenameRefused(f"line {piece.chunk.line} of {seen.path} cannot be read: mend it first")
    for each in occurrences(seen.module):
        if each.symbol.name == new and (each.symbol.owner == symbol.owner or not symbol.owner):
            raise RenameRefused(f"`{new}` is taken: line {each.span.begin()[0]} of {seen.path}")


def _refuse_broken(desk: Desk, edits: list[FileEdit]) -> None:
    """Check the files as they would be."""
    scratch = Desk(desk.folders, Workspace(standard=desk.workspace.standard, notes=Notes()))
    texts = {file: desk.text(file) or "" for file in {*desk.opened(), *(each.file for each in edits)}}
    changed = {file: applied(text, [each for each in edits if each.file == file]) for file, text in texts.items()}
    for file, text in changed.items():
        scratch.open(file, text)
    for file in {each.file for each in edits}:
        before = _errors(desk.see(file))
        after = _errors(scratch.see(file))
        if len(after) > len(before):
            raise RenameRefused(f"the program would not check any more: {after[0]}")


def _errors(seen: SeenFile | None) -> list[str]:
    found = () if seen is None else seen.program.diagnostics
    return [f"{each.code} {each.message}" for each in found if each.severity == "error"]
