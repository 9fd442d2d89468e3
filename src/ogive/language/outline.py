"""The parts of a file: what it declares, what can be folded away, what names are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ogive.grammar import syntax as s
from ogive.grammar.source import Span
from ogive.language.desk import SeenFile
from ogive.language.facts import fact, shown
from ogive.language.names import Symbol, label_span, occurrences
from ogive.language.places import TextRegion, region

KINDS = ("block", "model", "module", "size", "input", "variable", "weight", "operation", "axis", "form", "constant")
OF = {
    "const": "constant", "extern": "block", "recipe": "model", "static": "size", "function": "operation",
    "initializer": "operation", "setting": "input",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """A declaration, or a part of a block that has a name."""

    name: str
    kind: str
    detail: str
    whole: TextRegion
    named: TextRegion
    inside: tuple[OutlineEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """A name in the text, as one of `KINDS`."""

    region: TextRegion
    kind: str
    binds: bool
    of_language: bool


def outline(seen: SeenFile) -> list[OutlineEntry]:
    """What a file declares, in its order."""
    signatures = {report.name: report.signature for report in seen.program.blocks}
    signatures |= {name: report.signature for name, report in seen.program.models.items()}
    found = []
    for tree in seen.declarations:
        match tree:
            case s.Block():
                inside = tuple(_inside(seen, tree.body))
                detail = signatures.get(tree.name, "")
                found.append(
                    OutlineEntry(tree.name, "block", detail, region(tree.span), region(tree.name_span), inside)
                )
            case s.Extern() | s.Model() | s.Recipe():
                kind = type(tree).__name__.lower()
                detail = signatures.get(tree.name, "")
                found.append(OutlineEntry(tree.name, kind, detail, region(tree.span), region(tree.name_span)))
            case s.Const():
                at = region(tree.target.span)
                found.append(OutlineEntry(tree.target.name, "constant", "", region(tree.span), at))
            case _:
                pass
    return found


def _inside(seen: SeenFile, body: tuple[s.Stmt, ...]) -> Iterator[OutlineEntry]:
    for tree in body:
        match tree:
            case s.ParamStmt(target=target):
                detail = " ".join(tree.type.span.text.split())
                yield OutlineEntry(target.name, "weight", detail, region(tree.span), region(target.span))
            case s.Assign(targets=targets):
                for target in targets:
                    known = fact(seen, target.span)
                    detail = "" if known is None else shown(known.value)
                    yield OutlineEntry(target.name, "variable", detail, region(tree.span), region(target.span))
            case s.For() | s.Repeat() | s.Scan():
                label = label_span(tree)
                name = tree.label or type(tree).__name__.lower()
                inside = tuple(_inside(seen, tree.body))
                head = Span(tree.span.chunk, tree.span.start, tree.span.start + 3)
                yield OutlineEntry(name, "loop", "", region(tree.span), region(label or head), inside)
            case s.If(branches=branches, orelse=orelse):
                for arm in (*(arm for _, arm in branches), orelse or ()):
                    yield from _inside(seen, arm)
            case _:
                pass


def folds(seen: SeenFile) -> list[tuple[int, int, str]]:
    """First and last lines that fold into one, and what they are: code, comment or imports."""
    found: list[tuple[int, int, str]] = []
    for piece in seen.pieces:
        tree = piece.declaration
        if isinstance(tree, s.Block | s.Extern | s.Model | s.Const | s.Recipe):
            found.append((*_lines(tree.span), "code"))
            found += ((*_lines(each), "code") for each in _bodies(tree.body if isinstance(tree, s.Block) else ()))
    uses = [_lines(tree.span) for tree in seen.declarations if isinstance(tree, s.Use)]
    if uses:
        found.append((uses[0][0], uses[-1][1], "imports"))
    start: int | None = None
    for number in range(len(seen.lines.starts) + 1):
        if seen.lines.line(number).lstrip().startswith("#"):
            start = number if start is None else start
        elif start is not None:
            found.append((start, number - 1, "comment"))
            start = None
    return sorted({each for each in found if each[1] > each[0]})


def _lines(span: Span) -> tuple[int, int]:
    """First and last line that hold something of it."""
    text = span.text.rstrip()
    first = region(span).start[0]
    return first, first + text.count("\n")


def _bodies(body: tuple[s.Stmt, ...]) -> Iterator[Span]:
    for tree in body:
        match tree:
            case s.For(body=inner) | s.Repeat(body=inner) | s.Scan(body=inner):
                yield tree.span
                yield from _bodies(inner)
            case s.If(branches=branches, orelse=orelse):
                yield tree.span
                for arm in (*(arm for _, arm in branches), orelse or ()):
                    yield from _bodies(arm)
            case s.Assign() | s.Return():
                yield tree.span
            case _:
                pass


def tokens(seen: SeenFile) -> list[Token]:
    """All names of a file with what they are, in source order, none over another."""
    found: list[Token] = []
    for each in occurrences(seen.module):
        place = region(each.span)
        if each.symbol.kind != "missing" and (not found or found[-1].region.end <= place.start):
            found.append(Token(place, kind_of_token(each.symbol), each.binds, not _own(each.symbol)))
    return [each for each in found if each.region.start[0] == each.region.end[0]]


def kind_of_token(symbol: Symbol) -> str:
    """What a name is, as one of `KINDS`."""
    return OF.get(symbol.kind, symbol.kind)


def _own(symbol: Symbol) -> bool:
    return bool(symbol.home) and not symbol.home.startswith("<")
