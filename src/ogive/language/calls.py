"""The signature of what is being given its statics or its operands."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.compiler.driver import signatures
from ogive.compiler.elaborate.rules.builtins import BUILTINS
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.ops import OPS
from ogive.compiler.ops.signature import signature
from ogive.grammar import syntax as s
from ogive.language.bindings import bindings
from ogive.language.cursor import OpenBracket, before
from ogive.language.desk import SeenFile
from ogive.language.hover import brackets
from ogive.language.places import Position


@dataclass(frozen=True, slots=True)
class CallHelp:
    """A signature, the parts of it that are given one after the other, and the number of the one at hand."""

    label: str
    means: str
    parts: tuple[str, ...]
    active: int


def call_help(seen: SeenFile, place: Position) -> CallHelp | None:
    """The signature of the innermost call around a position."""
    piece = seen.piece(place)
    start = 0 if piece is None else seen.lines.offset((piece.chunk.line - 1, 0))
    state = before(seen.text[start : seen.lines.offset(place)])
    if state.comment:
        return None
    for bracket in reversed(state.open):
        if bracket.callee or bracket.sign == "(":
            callee = bracket.callee or _behind_brackets(state.text, bracket)
            found = _of(seen, callee, bracket, place) if callee else None
            if found is not None:
                return found
    return None


def _behind_brackets(text: str, bracket: OpenBracket) -> str:
    """The name before `[...](`."""
    depth = 0
    if not text[: bracket.at].rstrip().endswith("]"):
        return ""
    for at in range(bracket.at - 1, -1, -1):
        depth += (text[at] == "]") - (text[at] == "[")
        if depth == 0 and text[at] == "[":
            return before(text[: at + 1]).open[-1].callee
    return ""


def _of(seen: SeenFile, callee: str, bracket: OpenBracket, place: Position) -> CallHelp | None:
    first, dot, last = callee.partition(".")
    entry = seen.module.scope.get(first)
    entry = entry.scope.get(last) if dot and isinstance(entry, Module) else entry or _instance(seen, callee, place)
    if isinstance(entry, BlockRef):
        inside = entry.tree.statics if bracket.sign == "[" else entry.tree.inputs
        parts = tuple(" ".join(each.span.text.split()) for each in inside)
        label = f"{entry.name}{brackets(entry.tree)}{signatures.declared(entry.tree)}"
        return CallHelp(label, entry.tree.doc, parts, bracket.commas)
    if isinstance(entry, ConstRef):
        return CallHelp(f"{entry.name}{brackets(entry.tree)}", "", (), bracket.commas)
    if callee in OPS and entry is None:
        spec = OPS[callee]
        return CallHelp(signature(spec), spec.told.means, (), bracket.commas)
    if callee in FORMS and entry is None:
        return CallHelp(FORMS[callee].written, FORMS[callee].means, (), bracket.commas)
    if callee in BUILTINS and entry is None:
        return CallHelp(*BUILTINS[callee].told, (), bracket.commas)
    return None


def _instance(seen: SeenFile, name: str, place: Position) -> object:
    """The block of an instance that the body binds."""
    piece = seen.piece(place)
    tree = None if piece is None else piece.declaration
    made: object = bindings(tree, seen.module).made.get(name) if isinstance(tree, s.Block) else None
    while isinstance(made, s.Brackets):
        made = made.base
    return seen.module.scope.get(made.id) if isinstance(made, s.Name) else None
