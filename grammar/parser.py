"""Text to syntax tree: `parse` cuts a file into declarations and reads each on its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ogive.grammar import tables
from ogive.grammar.build import reducer
from ogive.grammar.builder import TreeBuilder
from ogive.grammar.characters import reordered
from ogive.grammar.chunks import cut, doc
from ogive.grammar.depth import too_deep
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.engine import Engine, Stack
from ogive.grammar.lexer import lex
from ogive.grammar.source import Chunk, Span
from ogive.grammar.syntax import Block, Decl, File

LIMIT = 10_000_000  # characters of one file
MAX_ERRORS = 20  # of one declaration

_DECLARED = re.compile(r"^(?:(?:extern[ \t]+)?block|const|model|recipe)[ \t]+([A-Za-z_][A-Za-z0-9_]*'*)", re.MULTILINE)
_ITEM = re.compile(r"([A-Za-z_][A-Za-z0-9_]*'*)[ \t\n]*(?:[,)]|\Z)")


@dataclass(frozen=True, slots=True)
class ParsedDeclaration:
    """One declaration as it was read. `broken` are the names it would have declared, had it no errors."""

    chunk: Chunk
    declaration: Decl | None
    diagnostics: tuple[Diagnostic, ...]
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reuse:
    """What an earlier parse of a file can lend to the next one: pieces whose text is still the same."""

    pieces: tuple[ParsedDeclaration, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file as it was read.

    A declaration with errors is not in `file`; its name is in `broken`, so that nobody reports it as unknown.
    """

    file: File
    diagnostics: tuple[Diagnostic, ...]
    pieces: tuple[ParsedDeclaration, ...]

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The declarations' texts."""
        return tuple(piece.chunk for piece in self.pieces)

    @property
    def broken(self) -> frozenset[str]:
        """Names whose declarations have syntax errors."""
        return frozenset(name for piece in self.pieces for name in piece.broken)

    @property
    def reuse(self) -> Reuse:
        """Hand this to the next `parse` of the same file."""
        return Reuse(self.pieces)


def parse(text: str, path: str = "<text>", reuse: Reuse | None = None, limit: int = LIMIT) -> ParsedFile:
    """Read a file. Never raises: whatever is wrong is in `diagnostics`, in source order.

    With `reuse`, a declaration whose text did not change keeps its `Chunk` and its tree, and is not read again; only
    its `line` moves.
    """
    if len(text) > limit:
        fault = over_limit(path, len(text), limit)
        return ParsedFile(File(span=fault.span, declarations=()), (fault,), ())
    kept: dict[str, list[ParsedDeclaration]] = {}
    for piece in reversed(reuse.pieces if reuse else ()):
        if piece.chunk.path == path:
            kept.setdefault(piece.chunk.text, []).append(piece)
    pieces = []
    for part, line in cut(text):
        if kept.get(part):
            piece = kept[part].pop()
            piece.chunk.line = line
        else:
            piece = _read(Chunk(part, path, line))
        pieces.append(piece)
    first = pieces[0].chunk if pieces else Chunk("", path)
    declarations = tuple(piece.declaration for piece in pieces if piece.declaration is not None)
    file = File(span=Span(first, 0, len(first.text)), declarations=declarations)
    return ParsedFile(file, tuple(d for piece in pieces for d in piece.diagnostics), tuple(pieces))


def over_limit(path: str, size: int, limit: int) -> Diagnostic:
    """A file is too long."""
    message = f"the file has {size:,} characters or more; the limit is {limit:,}"
    return Diagnostic("E0701", message, Span(Chunk("", path), 0, 0))


def _read(chunk: Chunk) -> ParsedDeclaration:
    """Read one declaration, or nothing but comments."""
    if odd := reordered(chunk):
        return ParsedDeclaration(chunk, None, odd, _names(chunk.text))
    tokens = lex(chunk)
    if len(tokens.items) == 1:
        return ParsedDeclaration(chunk, None, tuple(tokens.layout), ())
    builder = TreeBuilder(chunk, doc(chunk.text))

    def fault(i: int, stack: Stack) -> None:
        from ogive.grammar.mistakes import explain  # a text without errors does not wait for it

        if len(builder.diagnostics) < MAX_ERRORS:
            builder.report(explain(chunk, tokens, i, stack, tables.load()))

    engine = Engine(tables.load(), tokens.items, reducer(builder), fault)
    declaration = engine.run()
    if declaration is not None and (deep := too_deep(declaration, tokens.items)):
        builder.report(deep)
    builder.diagnostics += [odd for odd in tokens.layout if not any(_leads_to(d, odd) for d in builder.diagnostics)]
    if not builder.diagnostics:
        return ParsedDeclaration(chunk, declaration, (), ())
    diagnostics = _one_a_line(builder.diagnostics)
    if engine.trailing and len(diagnostics) == 1 and not isinstance(declaration, Block):
        # what stands behind a block may belong to its body
        return ParsedDeclaration(chunk, declaration, diagnostics, ())
    return ParsedDeclaration(chunk, None, diagnostics, _names(chunk.text))


def _leads_to(fault: Diagnostic, odd: Diagnostic) -> bool:
    """Whether odd indentation follows from a line just above it that did not go on where it should have."""
    return odd.code == "E0102" and 0 < odd.span.begin()[0] - fault.span.begin()[0] <= 2


def _one_a_line(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In source order; of several on one line the first, since the others may follow from it."""
    found: dict[int, Diagnostic] = {}
    for diagnostic in sorted(diagnostics, key=Diagnostic.order):
        found.setdefault(diagnostic.span.begin()[0], diagnostic)
    return tuple(found.values())


def _names(text: str) -> tuple[str, ...]:
    """What a broken declaration seems to declare."""
    names = _DECLARED.findall(text)
    if found := re.search(r"^use\b[^\n]*?(?:\((?P<items>[^)]*)\)?|\bas[ \t]+(?P<alias>\w+))", text, re.MULTILINE):
        names += [found["alias"]] if found["alias"] else _ITEM.findall(found["items"] or "")
    return tuple(names)
