"""Checks of files that change: what did not change is not checked again."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.driver.check import CheckedProgram, Memo, check_module
from ogive.compiler.driver.interpreter_limits import deep_recursion, unpaused
from ogive.compiler.elaborate.driver.session import NESTING, OPERATIONS, Session
from ogive.compiler.elaborate.modules.recursion import names_of
from ogive.compiler.elaborate.modules.scope import Library, build
from ogive.compiler.elaborate.modules.texts import ReadTexts
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.notes import Notes
from ogive.compiler.elaborate.state.specialization import Specialization
from ogive.compiler.sizes import Facts, Unknown
from ogive.grammar import syntax
from ogive.grammar.parser import ParsedDeclaration, ParsedFile, parse
from ogive.grammar.source import Chunk

ANSWERS = 200_000  # how many proofs a workspace remembers before it begins anew


@dataclass
class _Held:
    parsed: ParsedFile
    module: Module
    session: Session
    memo: Memo


@dataclass
class Workspace:
    """Keeps the library, and for each path the last check, so that an edit costs what it changes."""

    standard: dict[str, Module] = field(default_factory=dict)
    specializations: dict[tuple[Any, ...], list[Specialization]] = field(default_factory=dict)
    unknowns: dict[Hashable, tuple[Unknown, ...]] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    notes: Notes | None = None  # what is found out at each place, for those who ask by position
    _files: dict[str, _Held] = field(default_factory=dict)

    def check(
        self,
        text: str,
        path: str = "<text>",
        *,
        operations: int = OPERATIONS,
        nesting: int = NESTING,
        files: bool = True,
        extern: bool = False,
        texts: ReadTexts | None = None,
    ) -> CheckedProgram:
        """Parse and check a file. Nothing is printed, allocated or executed; every fault is a diagnostic."""
        with deep_recursion(), unpaused():
            before = self._files.get(path)
            parsed = parse(text, path, before.parsed.reuse if before else None)
            library = Library(files, self.standard, extern, texts)
            module = build(parsed, library, name="", path=path)
            module.text = text
            if self.facts.tally.answers > ANSWERS:
                self.facts = Facts()
            session = Session(
                library, operations, nesting, length=len(text), standard=self.specializations, facts=self.facts,
                unknowns=self.unknowns, notes=self.notes
            )  # fmt: skip
            memo = Memo()
            kept = set() if before is None else _keep(before, module, session, memo)
            if self.notes is not None:
                self.notes.forget(piece.chunk for piece in parsed.pieces if piece.chunk not in kept)
            program = check_module(session, module, memo)
            if self.notes is not None:
                self.notes.settle(piece.chunk for piece in parsed.pieces)
            self.specializations = {key: _proved(found) for key, found in self.specializations.items()}
            self._files[path] = _Held(parsed, module, session, memo)
            return program

    def pieces(self, path: str) -> tuple[ParsedDeclaration, ...]:
        """The declarations of a file as its last check read them, those with errors too."""
        return self._files[path].parsed.pieces


def _keep(before: _Held, module: Module, session: Session, memo: Memo) -> set[Chunk]:
    """Take over the blocks whose text, and everything that they name, is the same; their texts."""
    if before.module.broken is not module.broken:
        return set()  # what is unknown is reported in one of them, and passed over in the other
    old = {id(ref.tree): ref for ref in before.module.blocks()}
    same = {name: old[id(ref.tree)] for name, ref in _blocks(module).items() if id(ref.tree) in old}
    used = {name: names_of(ref.tree) for name, ref in same.items()}
    changed = True
    while changed:
        lost = [n for n in same if not all(_same(other, n, before.module, module, same) for other in used[n])]
        for name in lost:
            del same[name]
        changed = bool(lost)
    module.scope.update(same)
    kept = set(same.values())
    session.specializations.update(
        {key: _proved(v) for key, v in before.session.specializations.items() if key[0] in kept}
    )
    session.recursive.update({ref: v for ref, v in before.session.recursive.items() if ref in kept})
    for ref in kept:
        ref.module.scope.update({n: e for n, e in module.scope.items() if n in same})
    _keep_reports(before, module, same, memo)
    return {ref.tree.span.chunk for ref in kept}


def _proved(specializations: list[Specialization]) -> list[Specialization]:
    """Those without a fault: what is said of one speaks of the use at which it was found."""
    return [specialization for specialization in specializations if specialization.ok]


def _blocks(module: Module) -> dict[str, BlockRef]:
    return {n: e for n, e in module.scope.items() if isinstance(e, BlockRef) and e.module is module}


def _same(name: str, user: str, old: Module, new: Module, same: dict[str, BlockRef]) -> bool:
    """Whether a name means in the new file what it meant in the old one."""
    if name == user:
        return True
    if (name in old.scope) is not (name in new.scope):
        return False  # what is unknown is reported, what could not be parsed or imported is not
    before: Any = old.scope.get(name)
    after: Any = new.scope.get(name)
    if isinstance(before, BlockRef) and before.module.path == old.path:  # it may be older than the last check
        return name in same
    if isinstance(before, ConstRef) and isinstance(after, ConstRef):
        return before.tree is after.tree and all(_same(n, name, old, new, same) for n in names_of(before.tree))
    return before is after


def _keep_reports(before: _Held, module: Module, same: dict[str, BlockRef], memo: Memo) -> None:
    kept = set(same.values())
    for key, entry in before.memo.entries.items():
        of = entry[0]
        if isinstance(of, BlockRef):
            if of in kept:
                memo.entries[key] = entry
        elif isinstance(of, syntax.Model) and any(of is tree for tree in module.tree.declarations):
            names = names_of(of)
            if all(_same(n, "", before.module, module, same) for n in names):
                memo.entries[key] = entry


def texts_of(program: CheckedProgram) -> tuple[tuple[str, str], ...]:
    """Path and text of a file and of those that it uses; the library is that of the version."""
    modules = (program._module, *program._session.library.files)
    return tuple((module.path, module.text) for module in modules)


def check_text(
    text: str,
    path: str = "<text>",
    *,
    operations: int = OPERATIONS,
    nesting: int = NESTING,
    files: bool = True,
    extern: bool = False,
    texts: ReadTexts | None = None,
) -> CheckedProgram:
    """Check a file once, also by texts that were read before. For one that changes, keep a `Workspace`."""
    limits: dict[str, Any] = {"operations": operations, "nesting": nesting}
    return Workspace().check(text, path, **limits, files=files, extern=extern, texts=texts)


def read_texts(program: CheckedProgram) -> tuple[str, str, bool, ReadTexts]:
    """What makes a program again: text and path, whether `extern` is allowed, and what it has read beside."""
    module, library = program._module, program._session.library
    files = {each.path: each.text for each in library.files}
    return module.text, module.path, library.allow_extern, ReadTexts(library.folder, files, library.packaged)


__all__ = ["CheckedProgram", "ReadTexts", "Workspace", "check_text", "read_texts", "texts_of"]
