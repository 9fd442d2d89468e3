"""What could stand at a position: names in scope, blocks of the library with their `use`, labels, axes, settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ogive import stdlib
from ogive.compiler.elaborate.modules import suggest
from ogive.compiler.elaborate.rules.builtins import BUILTINS, CONSTANTS
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS, MEANS
from ogive.compiler.ops import OPS
from ogive.compiler.ops.signature import signature
from ogive.compiler.ops.spec import OpSpec
from ogive.grammar import syntax as s
from ogive.language.bindings import bindings
from ogive.language.cursor import OpenBracket, TextBefore, before, completed
from ogive.language.desk import Desk, SeenFile
from ogive.language.facts import fact, shown
from ogive.language.hover import brackets
from ogive.language.operands import labels_at
from ogive.language.places import Position, TextRegion
from ogive.language.uses import edit_for

PLACEHOLDER = "zz_here"
STATEMENTS = ("return", "param", "state", "update", "init", "keep", "if", "for", "repeat", "scan", "yield", "require",
              "assume", "tap", "elif", "else")  # fmt: skip
DECLARATIONS = ("block", "model", "use", "const", "recipe", "where")
ELEMENTS = ("float", "int", "bool", "complex", "f16", "bf16", "f32", "f64", "i32", "i64")


@dataclass(frozen=True, slots=True)
class Completion:
    """One thing that could be written: its text, what it is, and edits elsewhere that it needs."""

    label: str
    kind: str
    detail: str = ""
    means: str = ""
    insert: str = ""
    edits: tuple[tuple[TextRegion, str], ...] = ()
    rank: int = 5


def completions(desk: Desk, path: str, place: Position) -> list[Completion]:
    """What could stand at a position; the client leaves out what does not begin as the word there does."""
    seen = desk.see(path)
    if seen is None:
        return []
    offset = seen.lines.offset(place)
    piece = seen.piece(place)
    start = 0 if piece is None else seen.lines.offset((piece.chunk.line - 1, 0))
    state = before(seen.text[start:offset])
    if state.comment:
        return []
    found = list(_at(desk, seen, state, place, offset))
    best: dict[str, Completion] = {}
    for each in found:
        if each.label not in best or each.rank < best[each.label].rank:
            best[each.label] = each
    return sorted(best.values(), key=lambda each: (each.rank, each.label))


def _at(desk: Desk, seen: SeenFile, state: TextBefore, place: Position, offset: int) -> Iterator[Completion]:
    inner = state.open[-1] if state.open else None
    if state.quoted is not None:
        if inner is not None and inner.sign == "[":
            yield from _axes(desk, seen, place, offset)
        return
    if state.line.startswith("use ") or (inner is not None and _used(state, inner)):
        yield from _imports(seen, state, inner)
        return
    if state.head.endswith("."):
        yield from _members(desk, seen, state, place)
        return
    if not state.open and not state.head.rsplit("\n", 1)[-1].strip():
        yield from _leading(seen, state, place)
    if inner is not None and inner.sign == "[" and inner.callee:
        yield from _in_brackets(desk, seen, state, inner, place, offset)
    yield from _names(desk, seen, state, place)


def _used(state: TextBefore, inner: OpenBracket) -> bool:
    line = state.text[state.text.rfind("\n", 0, inner.at) + 1 : inner.at]
    return inner.sign == "(" and line.startswith("use ")


def _imports(seen: SeenFile, state: TextBefore, inner: OpenBracket | None) -> Iterator[Completion]:
    if inner is None:
        for name in stdlib.names():
            yield Completion(name, "module")
        return
    line = state.text[state.text.rfind("\n", 0, inner.at) + 1 : inner.at]
    name = line.removeprefix("use ").strip()
    module = _module_called(seen, name)
    if module is not None:
        yield from (_entry(label, entry) for label, entry in module.scope.items() if _own(entry, module))


def _module_called(seen: SeenFile, name: str) -> Module | None:
    library = seen.program._session.library
    if name in stdlib.names():
        return library.standard(name)
    stem = name.rsplit("/", 1)[-1]
    return next((each for each in library.files if each.name in (name, stem)), None)


def _own(entry: object, module: Module) -> bool:
    return isinstance(entry, BlockRef | ConstRef) and entry.module is module


def _entry(label: str, entry: object, rank: int = 4) -> Completion:
    match entry:
        case BlockRef(tree=tree):
            return Completion(label, "block", f"{label}{brackets(tree)}", tree.doc, rank=rank)
        case ConstRef(tree=tree):
            return Completion(label, "const", f"const {label}{brackets(tree)}", rank=rank)
        case Module(name=name):
            return Completion(label, "module", name, rank=rank)
        case s.Model():
            return Completion(label, "model", "model", entry.doc, rank=rank)
        case _:
            return Completion(label, "block", rank=rank)


def _members(desk: Desk, seen: SeenFile, state: TextBefore, place: Position) -> Iterator[Completion]:
    """What stands behind a dot: entries of a module, weights of an instance."""
    found = re.search(r"([A-Za-z_][\w']*)\.\Z", state.head)
    if found is None:
        return
    entry = seen.module.scope.get(found[1])
    if isinstance(entry, Module):
        yield from (_entry(label, each) for label, each in entry.scope.items() if _own(each, entry))
        return
    for name in _instance_weights(seen, found[1], place):
        yield Completion(name, "weight")


def _instance_weights(seen: SeenFile, name: str, place: Position) -> Iterator[str]:
    block = _block_at(seen, place)
    if block is None:
        return
    made = bindings(block, seen.module).made.get(name)
    while isinstance(made, s.Brackets):
        made = made.base
    ref = seen.module.scope.get(made.id) if isinstance(made, s.Name) else None
    for statement in ref.tree.body if isinstance(ref, BlockRef) else ():
        if isinstance(statement, s.ParamStmt):
            yield statement.target.name


def _block_at(seen: SeenFile, place: Position) -> s.Block | s.Extern | s.Const | None:
    """The block that a position is in, where it could be read."""
    piece = seen.piece(place)
    tree = None if piece is None else piece.declaration
    return tree if isinstance(tree, s.Block | s.Extern | s.Const) else None


def _leading(seen: SeenFile, state: TextBefore, place: Position) -> Iterator[Completion]:
    """Words that begin a line."""
    inside = state.line[:1] in (" ", "\t")
    for name in STATEMENTS if inside else DECLARATIONS:
        yield Completion(name, "keyword", rank=6)


def _in_brackets(
    desk: Desk, seen: SeenFile, state: TextBefore, inner: OpenBracket, place: Position, offset: int
) -> Iterator[Completion]:
    spec = OPS.get(inner.callee)
    if spec is not None and inner.callee not in seen.module.scope:
        yield from _of_operation(desk, seen, spec, inner, place, offset)
        return
    if inner.callee in ("over", "each") and inner.commas == 0:
        yield from (Completion(name, "axis", detail, rank=0) for name, detail in labels_at(_tried(desk, seen, offset)))
        return
    entry = _resolved(seen, inner.callee)
    if isinstance(entry, BlockRef | ConstRef):
        for static in entry.tree.statics:
            detail = " ".join(static.span.text.split())
            yield Completion(f"{static.name}=", "static", detail, insert=f"{static.name}=", rank=1)
    elif inner.callee in INITIALIZERS:
        for name, default in INITIALIZERS[inner.callee]:
            yield Completion(f"{name}=", "static", f"{name}={default}", insert=f"{name}=", rank=1)


def _of_operation(
    desk: Desk, seen: SeenFile, spec: OpSpec, inner: OpenBracket, place: Position, offset: int
) -> Iterator[Completion]:
    at = spec.statics[min(inner.commas, len(spec.statics) - 1)] if spec.statics else None
    if at is not None and at.kind in ("axis", "axes"):
        found = labels_at(_tried(desk, seen, offset))
        yield from (Completion(name, "axis", detail, rank=0) for name, detail in found)
    if at is not None and at.kind == "elem":
        yield from (Completion(name, "keyword", rank=0) for name in ELEMENTS)
    for static in spec.statics:
        if static.kind != "pattern":
            yield Completion(f"{static.name}=", "static", static.kind, insert=f"{static.name}=", rank=1)
    if any(static.kind == "pattern" for static in spec.statics):
        written = re.search(r'\[\s*"([^"]*)"', seen.text[max(0, offset - 400) : offset])
        for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*'*", written[1] if written else "")):
            yield Completion(f"{name}=", "axis", "of the pattern", insert=f"{name}=", rank=1)


def _tried(desk: Desk, seen: SeenFile, offset: int) -> tuple[SeenFile, int]:
    """The file with something at the cursor that can be read, and where that stands."""
    text = completed(seen.text, offset, PLACEHOLDER)
    return desk.attempt(seen.path, text), offset


def _axes(desk: Desk, seen: SeenFile, place: Position, offset: int) -> Iterator[Completion]:
    """Axes in a pattern: the labels of the operand, and names that the pattern has already."""
    tried = _tried(desk, seen, offset)
    yield from (Completion(name, "axis", detail, rank=0) for name, detail in labels_at(tried))
    line = seen.lines.line(place[0])
    start = line.rfind('"', 0, place[1]) + 1
    end = line.find('"', place[1])
    for name in re.findall(r"[A-Za-z_]\w*'*", line[start : end if end >= 0 else len(line)]):
        yield Completion(name, "axis", "of the pattern", rank=1)


def _resolved(seen: SeenFile, callee: str) -> object:
    first, dot, last = callee.partition(".")
    entry = seen.module.scope.get(first)
    return entry.scope.get(last) if dot and isinstance(entry, Module) else entry


def _names(desk: Desk, seen: SeenFile, state: TextBefore, place: Position) -> Iterator[Completion]:
    """Everything that an expression may name."""
    yield from _locals(desk, seen, place)
    for label, entry in seen.module.scope.items():
        yield _entry(label, entry, 3)
    line = state.line.lstrip()
    if re.match(r"(init|param|state)\b.*=", line):
        for name in INITIALIZERS:
            yield Completion(name, "initializer", means=MEANS[name], rank=1)
    for name, spec in OPS.items():
        if name.isidentifier():
            yield Completion(name, "operation", signature(spec), spec.told.means, rank=5)
    for name, form in FORMS.items():
        yield Completion(name, "form", form.written, form.means, rank=5)
    for name, builtin in BUILTINS.items():
        yield Completion(name, "function", *builtin.told, rank=6)
    yield from (Completion(name, "function", rank=6) for name in (*CONSTANTS, "training", "given"))
    yield from (Completion(name, "keyword", rank=7) for name in ("true", "false", "none", *ELEMENTS))
    yield from _library(seen)


def _library(seen: SeenFile) -> Iterator[Completion]:
    """Blocks of the library that the file does not use yet."""
    library = seen.program._session.library
    for name in stdlib.names():
        module = library.standard(name)
        for label, entry in module.scope.items():
            if _own(entry, module) and label not in seen.module.scope and suggest.in_library(label) in (name, None):
                found = _entry(label, entry, 6)
                edit = edit_for(seen, name, label)
                yield Completion(label, found.kind, f"{found.detail}  ({name})", found.means, edits=(edit,), rank=6)


def _locals(desk: Desk, seen: SeenFile, place: Position) -> Iterator[Completion]:
    """Names of the block, with what is known of them; of one with errors by its text as it was."""
    block = _block_at(seen, place)
    if block is None:
        yield from _last_good(desk, seen, place)
        return
    bound = bindings(block, seen.module)
    types = dict(_types(seen, block))
    offset = seen.offset(block.span.chunk, place)
    for name in bound.kinds:
        if bound.known(name, offset):
            yield Completion(name, bound.kind(name), types.get(name, ""), rank=2)


def _last_good(desk: Desk, seen: SeenFile, place: Position) -> Iterator[Completion]:
    """The names in a declaration that cannot be read: by another reading with something at the cursor, or its words."""
    tried, _ = _tried(desk, seen, seen.lines.offset(place))
    block = _block_at(tried, place)
    if block is not None:
        bound, types = bindings(block, tried.module), dict(_types(tried, block))
        offset = tried.offset(block.span.chunk, place)
        for name in bound.kinds:
            if name != PLACEHOLDER and bound.known(name, offset):
                yield Completion(name, bound.kind(name), types.get(name, ""), rank=2)
        return
    piece = seen.piece(place)
    text = "" if piece is None else re.sub(r'#[^\n]*|"[^"\n]*"', "", piece.chunk.text)
    for name in dict.fromkeys(_words(text)):
        yield Completion(name, "variable", rank=4)


def _words(text: str) -> Iterable[str]:
    known = {*STATEMENTS, *DECLARATIONS, *OPS, "in", "as", "with", "along", "carry", "and", "or", "not"}
    return (name for name in re.findall(r"[A-Za-z_]\w*'*", text) if name not in known)


def _types(seen: SeenFile, block: s.Block | s.Extern | s.Const) -> Iterator[tuple[str, str]]:
    """What the names of a block stand for, the last place that says so."""
    from ogive.language.trees import walk

    for tree in walk(block):
        if isinstance(tree, s.Target | s.Name):
            found = fact(seen, tree.span)
            if found is not None and (text := shown(found.value)):
                yield (tree.name if isinstance(tree, s.Target) else tree.id), text
