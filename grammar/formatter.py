"""`ogive fmt`: a file in the one style, with the same tree and the same comments, each beside the same statement.

A statement with comments inside of it keeps its lines; of blank lines in a row one stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ogive.grammar import syntax as s
from ogive.grammar.diagnostics import ArchError
from ogive.grammar.layout import INDENT
from ogive.grammar.lexer import lex
from ogive.grammar.parser import ParsedDeclaration, ParsedFile, parse
from ogive.grammar.printer import head, parts, statement
from ogive.grammar.source import Chunk

_PIECES = re.compile(r"\"[^\"\n]*\"|(?<![A-Za-z0-9_'])'[^'\n]*'|(?P<comment>#[^\n]*)|(?P<line>\n)")
_LAYOUT = frozenset(["_NEWLINE", "_INDENT", "_DEDENT", "$END"])


def format_text(text: str, path: str = "<text>") -> str:
    """The text in the one style, each line ended by `\\n`. Raises `ArchError` where it has syntax errors."""
    parsed = parse(text, path)
    if any(found.severity == "error" for found in parsed.diagnostics):
        raise ArchError(parsed.diagnostics)
    made = _Styled()
    for piece in parsed.pieces:
        made.add(piece)
    result = "".join(f"{line}\n" for line in made.lines)
    _compare(parsed, text, result)
    return result


def comments(text: str) -> list[str]:
    """The comments of a text in their order."""
    return [found["comment"].rstrip() for found in _PIECES.finditer(text) if found["comment"]]


def _compare(parsed: ParsedFile, text: str, result: str) -> None:
    """What was said must be said still; else the fault is ours, and nothing may be written."""
    again = parse(result, parsed.file.span.path, parsed.reuse)  # what is spelled as before is read as before
    assert not again.diagnostics, again.diagnostics
    assert again.file == parsed.file, "the formatter changed a tree"
    assert comments(result) == comments(text), "the formatter changed a comment"


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment on a line of its own. `blank`: a blank line stands above it."""

    text: str
    column: int
    blank: bool


@dataclass(slots=True)
class _Row:
    """A logical line of the source, with the comments above it and the one behind it."""

    start: int
    end: int
    column: int
    above: list[_Comment] = field(default_factory=list)
    blank: bool = False
    behind: str = ""
    inside: bool = False  # whether a comment stands between its first and its last word


def _rows(chunk: Chunk) -> tuple[list[_Row], list[_Comment], bool]:
    """The logical lines of a chunk, the comments below the last, and whether a blank line ends it."""
    rows: list[_Row] = []
    start = end = None
    for kind, begin, finish in lex(chunk).items:
        if kind not in _LAYOUT:
            start, end = begin if start is None else start, finish
        elif kind == "_NEWLINE" and start is not None and end is not None:
            rows.append(_Row(start, end, chunk.position(start)[1] - 1))
            start = None
    waiting: list[_Comment] = []
    at, blank, offset, length = 0, False, 0, -1
    for line in chunk.text.removesuffix("\n").split("\n"):
        offset, length = offset + length + 1, len(line)
        found = next((each for each in _PIECES.finditer(line) if each["comment"]), None)
        while at < len(rows) and rows[at].start < offset + length:
            rows[at].above, rows[at].blank, waiting, blank = waiting, blank, [], False
            at += 1
        row = rows[at - 1] if at else None
        if found is not None:
            place = offset + found.start()
            if row is not None and place < row.end:
                row.inside = True
            elif row is not None and offset < row.end:
                row.behind = found["comment"].rstrip()
            else:
                column = len(line[: found.start()].expandtabs(INDENT))
                waiting.append(_Comment(found["comment"].rstrip(), column, blank))
                blank = False
        elif not line.strip() and (row is None or offset >= row.end):
            blank = True
    return rows, waiting, blank


def _merged(first: _Row, second: _Row) -> _Row:
    """A recipe whose passes stand on a line of their own."""
    inside = first.inside or second.inside or bool(first.behind or second.above)
    return _Row(first.start, second.end, first.column, first.above, first.blank, second.behind, inside)


@dataclass(slots=True)
class _Unit:
    """A part of a declaration that has lines of its own. `place` is where it starts, if the tree says so."""

    lines: list[str]
    indent: int
    place: int | None
    first: bool  # of its body


def _units(node: s.Decl) -> list[_Unit]:
    found = [_Unit(head(node), 0, node.span.start, True)]
    if isinstance(node, s.Block):
        _add_units(node.body, INDENT, found)
    return found


def _add_units(body: tuple[s.Stmt, ...], indent: int, found: list[_Unit]) -> None:
    for i, node in enumerate(body):
        for j, (_, inner) in enumerate(parts(node)):
            place = node.span.start if j == 0 else None
            found.append(_Unit(statement(node, j, indent), indent, place, i == 0 and j == 0))
            _add_units(inner, indent + INDENT, found)


@dataclass(slots=True)
class _Styled:
    """The lines so far."""

    lines: list[str] = field(default_factory=list)
    last: type[s.Decl] | None = None
    blank: bool = False  # whether a blank line ends the piece before

    def add(self, piece: ParsedDeclaration) -> None:
        """Add a declaration with its comments, or the comments of a piece that holds nothing else."""
        rows, below, blank = _rows(piece.chunk)
        if isinstance(piece.declaration, s.Recipe) and len(rows) == 2:
            rows = [_merged(*rows)]
        if piece.declaration is not None:
            self.declaration(piece.declaration, piece.chunk, rows, below)
        for comment in below:
            self.gap(comment.blank or self.last in (s.Block, s.Extern))
            self.lines.append(comment.text)
            self.last = None
        self.blank = blank

    def gap(self, wanted: bool) -> None:
        if wanted and self.lines and self.lines[-1]:
            self.lines.append("")

    def declaration(self, node: s.Decl, chunk: Chunk, rows: list[_Row], below: list[_Comment]) -> None:
        """Add a declaration, and take those comments from `below` that belong to its body."""
        above, blank = rows[0].above, rows[0].blank
        tall = type(node) in (s.Block, s.Extern) or self.last in (s.Block, s.Extern)
        self.gap(self.blank or tall)
        for comment in above:
            self.gap(comment.blank)
            self.lines.append(comment.text)
        self.gap(blank)
        rows[0].above, rows[0].blank = [], False
        levels: list[tuple[int, int]] = []  # of the bodies that are open: columns in the source and here
        at = -1
        groups: list[list[_Unit]] = []
        for unit in _units(node):
            if unit.place is None or at < 0 or unit.place >= rows[at].end:
                at += 1
                groups.append([])
            groups[-1].append(unit)
        for row, group in zip(rows, groups, strict=True):
            levels = self.row(row, group, chunk, levels)
        body = next((column for column, here in levels if here > 0), None)  # where the outermost body starts
        while below and body is not None and below[0].column >= body:
            self.comment(below.pop(0), levels, 0)
        self.last = type(node)

    def row(self, row: _Row, group: list[_Unit], chunk: Chunk, levels: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Add a logical line; the bodies that are open in it."""
        unit = group[0]
        reached = [level for level in levels if level[1] < unit.indent]
        levels = [*levels, (row.column, unit.indent)] if len(reached) == len(levels) else levels
        fresh = unit.first
        for comment in row.above:
            self.comment(comment, levels, unit.indent, fresh)
            fresh = False
        self.gap(row.blank and not fresh)
        if row.inside:
            self.lines += _kept(chunk.text[row.start : row.end], unit.indent - row.column, unit.indent)
        else:
            self.lines += [line for each in group for line in each.lines]
        if row.behind:
            self.lines[-1] += f"  {row.behind}"
        return [*reached, (row.column, unit.indent), *((row.column + 1, each.indent) for each in group[1:])]

    def comment(self, comment: _Comment, levels: list[tuple[int, int]], least: int, fresh: bool = False) -> None:
        """A comment on its line stands in the innermost open body that it is indented as."""
        self.gap(comment.blank and not fresh)
        indent = max([least, *(here for column, here in levels if column <= comment.column)])
        self.lines.append(" " * indent + comment.text)


def _kept(text: str, shift: int, indent: int) -> list[str]:
    """The lines of a statement as they are, moved by `shift` columns."""
    first, *others = text.split("\n")
    moved = [" " * indent + first.rstrip()]
    for line in others:
        bare = line.lstrip()
        column = max(len(line[: len(line) - len(bare)].expandtabs(INDENT)) + shift, 0)
        if bare.strip() or moved[-1]:
            moved.append(" " * column + bare.rstrip() if bare.strip() else "")
    return moved
