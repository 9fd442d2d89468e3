"""The files that somebody works on: their texts as they are on the screen, and what the last check found of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ogive.compiler.driver.workspace import CheckedProgram, ReadTexts, Workspace
from ogive.compiler.elaborate.state.blocks import Module
from ogive.compiler.elaborate.state.notes import Notes, Sheet
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import as_read, read_source
from ogive.grammar.parser import ParsedDeclaration
from ogive.grammar.source import Chunk
from ogive.language.places import Position, TextLines

FILES = 2_000  # of a folder that are looked through for uses
LARGE = 2_000_000  # characters of a file that is looked through


@dataclass
class SeenFile:
    """One file as it was checked."""

    path: str
    text: str
    program: CheckedProgram
    pieces: tuple[ParsedDeclaration, ...]
    notes: Notes

    @cached_property
    def lines(self) -> TextLines:
        """The text by lines."""
        return TextLines(self.text)

    @property
    def module(self) -> Module:
        """The names of the file."""
        return self.program._module

    @property
    def declarations(self) -> tuple[syntax.Decl, ...]:
        """What could be read of the file."""
        return self.module.tree.declarations

    def piece(self, place: Position) -> ParsedDeclaration | None:
        """The declaration whose lines hold a position."""
        line = place[0] + 1
        return next((each for each in reversed(self.pieces) if each.chunk.line <= line), None)

    def offset(self, chunk: Chunk, place: Position) -> int:
        """A position as an offset in a chunk."""
        return self.lines.offset(place) - self.lines.offset((chunk.line - 1, 0))

    def sheets(self, chunk: Chunk) -> list[Sheet]:
        """What elaboration found out in a declaration, the proof for all sizes first."""
        return self.notes.of(chunk)


@dataclass
class Desk:
    """Open files. A file that is not open is read from the disk; `folders` are those in which uses are looked for."""

    folders: list[str] = field(default_factory=list)
    workspace: Workspace = field(default_factory=lambda: Workspace(notes=Notes()))
    trials: Workspace | None = None
    _texts: dict[str, str] = field(default_factory=dict)
    _faults: dict[str, Diagnostic] = field(default_factory=dict)
    _seen: dict[str, tuple[tuple[tuple[str, str], ...], SeenFile]] = field(default_factory=dict)

    def open(self, path: str, text: str) -> None:
        """A file has this text from now on, whatever the disk says."""
        found = as_read(text, path)
        self._faults.pop(path, None)
        if isinstance(found, Diagnostic):
            self._faults[path] = found
            found = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        self._texts[path] = found

    def close(self, path: str) -> None:
        """The disk says again what a file holds."""
        for held in (self._texts, self._faults, self._seen):
            held.pop(path, None)

    def opened(self) -> tuple[str, ...]:
        """The paths of all open files."""
        return tuple(self._texts)

    def text(self, path: str) -> str | None:
        """The text of a file, open or not; None where it cannot be read."""
        if path in self._texts:
            return self._texts[path]
        found = read_source(path)
        return None if isinstance(found, Diagnostic) else found

    def see(self, path: str) -> SeenFile | None:
        """A file, checked if it or a file that it reads has changed; None where it cannot be read."""
        text = self.text(path)
        if text is None:
            return None
        known = self._seen.get(path)
        if known is not None and known[1].text == text and known[0] == self._read(known[1]):
            return known[1]
        found = self._check(self.workspace, path, text)
        self._seen[path] = (self._read(found), found)
        return found

    def attempt(self, path: str, text: str) -> SeenFile:
        """Another text of a file, checked beside it: what a place that is not written yet could hold."""
        if self.trials is None:
            self.trials = Workspace(standard=self.workspace.standard, notes=Notes())
        return self._check(self.trials, path, text)

    def diagnostics(self, path: str) -> tuple[Diagnostic, ...]:
        """What there is to say of an open file, also of its characters."""
        if path in self._faults:
            return (self._faults[path],)
        seen = self.see(path)
        return () if seen is None else seen.program.diagnostics

    def users(self, path: str) -> list[str]:
        """Files that could use a file: those that are open, and those of the folders; itself first."""
        found = dict.fromkeys([path, *self._texts])
        stem = Path(path).stem
        for folder in self.folders:
            for each in _below(Path(folder)):
                if str(each) not in found and stem in (self.text(str(each)) or ""):
                    found[str(each)] = None
        return list(found)

    def _check(self, workspace: Workspace, path: str, text: str) -> SeenFile:
        others = {str(Path(each).resolve()): held for each, held in self._texts.items() if each != path}
        program = workspace.check(text, path, texts=ReadTexts(files=others))
        assert workspace.notes is not None
        return SeenFile(path, text, program, workspace.pieces(path), workspace.notes)

    def _read(self, seen: SeenFile) -> tuple[tuple[str, str], ...]:
        """The files that a check has read, with what they hold now."""
        by_place = {str(Path(each).resolve()): text for each, text in self._texts.items()}
        found = []
        for module in seen.program._session.library.files:
            text = by_place.get(module.path)
            if text is None:
                now = read_source(module.path)
                text = now if isinstance(now, str) else ""
            found.append((module.path, text))
        return tuple(found)


def _below(folder: Path) -> list[Path]:
    found: list[Path] = []
    waiting = [folder]
    while waiting and len(found) < FILES:
        try:
            entries = sorted(waiting.pop().iterdir())
        except OSError:
            continue
        for each in entries:
            if each.name.startswith(".") or each.is_symlink():
                continue
            if each.is_dir():
                waiting.append(each)
            elif each.suffix == ".arch" and each.stat().st_size < LARGE:
                found.append(each)
    return found[:FILES]
