"""Where names stand in a file, and what each of them names: seen in the text, whether or not it checks.

Of one block all places of a name are one symbol, but for axes that only patterns and brackets name: `q` in
`"b q d, b k d -> b q k"` is no variable `q`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ogive.compiler.elaborate.modules.scope import place_of
from ogive.compiler.elaborate.rules.builtins import BUILTINS, CONSTANTS
from ogive.compiler.elaborate.rules.forms import FORMS
from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef, Module
from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import OpSpec
from ogive.grammar import syntax as s
from ogive.grammar.source import Span
from ogive.language.bindings import Bindings, bindings, pattern_names, static_span
from ogive.language.trees import parts, walk

Kind = Literal[
    "block", "model", "const", "extern", "recipe", "module", "static", "input", "size", "axis", "variable", "weight",
    "operation", "form", "function", "initializer", "setting", "missing",
]  # fmt: skip
LABEL = re.compile(r"\bas\s+([A-Za-z_]\w*'*)\s*\Z")


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name names. `home` is the path of a file, `<std.nn>`, or nothing for words of the language.

    `owner` is the declaration that it belongs to, "" where it is one; `axis` tells axes of patterns from variables.
    """

    home: str
    owner: str
    name: str
    kind: Kind = field(compare=False)
    axis: bool = False


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place where a symbol is named. `binds` says that it gets its meaning there."""

    span: Span
    symbol: Symbol
    binds: bool = False


def occurrences(module: Module) -> list[Occurrence]:
    """All of a file, in source order; what could not be read is left out."""
    found = [each for tree in module.tree.declarations for each in _Names(module, tree).all()]
    return sorted(found, key=lambda each: each.span.begin())


def entry_symbol(entry: object, home: str, name: str) -> Symbol:
    """The symbol of an entry of a module's scope."""
    match entry:
        case BlockRef():
            return Symbol(entry.module.path, "", entry.name, "block")
        case ConstRef():
            return Symbol(entry.module.path, "", entry.name, "const")
        case Module():
            return Symbol(home, "", name, "module")
        case s.Model():
            return Symbol(home, "", name, "model")
        case s.Extern():
            return Symbol(home, "", name, "extern")
        case _:
            return Symbol(home, "", name, "missing")


def word(name: str) -> Symbol | None:
    """The symbol of a word of the language."""
    if name in FORMS or name in ("given", "training"):
        return Symbol("", "", name, "form")
    if name in OPS:
        return Symbol("", "", name, "operation")
    if name in BUILTINS or name in CONSTANTS:
        return Symbol("", "", name, "function")
    return Symbol("", "", name, "initializer") if name in INITIALIZERS else None


class _Names:
    """The occurrences of one declaration."""

    def __init__(self, module: Module, tree: s.Decl) -> None:
        self.module, self.tree = module, tree
        self.owner: str = ""
        self.bound = Bindings()
        match tree:
            case s.Block() | s.Extern() | s.Const():
                self.owner = tree.target.name if isinstance(tree, s.Const) else tree.name
                self.bound = bindings(tree, module)
            case _:
                pass

    def all(self) -> Iterator[Occurrence]:
        """Everything that it names."""
        match self.tree:
            case s.Use():
                yield from self._use(self.tree)
            case s.Block() | s.Extern():
                kind: Kind = "block" if isinstance(self.tree, s.Block) else "extern"
                yield Occurrence(self.tree.name_span, Symbol(self.module.path, "", self.tree.name, kind), True)
                for static in self.tree.statics:
                    yield from self._static(static)
                for each in self.tree.inputs:
                    span = Span(each.span.chunk, each.span.start, each.span.start + len(each.name))
                    yield Occurrence(span, self.local(each.name), True)
                    yield from self._entries(each)
                for output in self.tree.outputs:
                    yield from self._entries(output)
                for tree in (*self.tree.where, *(self.tree.body if isinstance(self.tree, s.Block) else ())):
                    yield from self.inside(tree)
            case s.Const():
                yield Occurrence(self.tree.target.span, Symbol(self.module.path, "", self.owner, "const"), True)
                for static in self.tree.statics:
                    yield from self._static(static)
                yield from self.inside(self.tree.value)
            case s.Model():
                yield Occurrence(self.tree.name_span, Symbol(self.module.path, "", self.tree.name, "model"), True)
                yield from self.inside(self.tree.value)
                yield from self._pins(self.tree)
            case s.Recipe():
                yield Occurrence(self.tree.name_span, Symbol(self.module.path, "", self.tree.name, "recipe"), True)
                yield from self._named_model(self.tree)
            case _:
                return

    def _use(self, tree: s.Use) -> Iterator[Occurrence]:
        for item in tree.items:
            entry = self.module.scope.get(item.alias or item.name)
            symbol = entry_symbol(entry, self.module.path, item.name)
            chunk, start, end = item.span.chunk, item.span.start, item.span.end
            yield Occurrence(Span(chunk, start, start + len(item.name)), symbol)
            if item.alias:
                yield Occurrence(Span(chunk, end - len(item.alias), end), self._alias(item.alias, symbol.kind), True)

    def _alias(self, name: str, kind: Kind) -> Symbol:
        return Symbol(self.module.path, "use", name, kind)

    def _aliases(self) -> frozenset[str]:
        uses = (tree for tree in self.module.tree.declarations if isinstance(tree, s.Use))
        return frozenset(item.alias for tree in uses for item in tree.items if item.alias)

    def _static(self, tree: s.StaticDecl) -> Iterator[Occurrence]:
        yield Occurrence(static_span(tree), self.local(tree.name), True)
        for part in (tree.type, tree.default):
            if part is not None:
                yield from self.inside(part)

    def _pins(self, tree: s.Model) -> Iterator[Occurrence]:
        """The conditions behind a model speak of the sizes of its block."""
        block = self.block_of(tree.value)
        for where in tree.where or ():
            for name in (each for each in walk(where) if isinstance(each, s.Name)):
                if block is not None and name.id not in self.module.scope and word(name.id) is None:
                    yield Occurrence(name.span, Symbol(block.module.path, block.name, name.id, "size"))

    def _named_model(self, tree: s.Recipe) -> Iterator[Occurrence]:
        text = tree.span.text
        found = re.compile(rf"\bfor\s+({re.escape(tree.model)})(?![\w'])").search(text)
        if found is not None:
            yield Occurrence(tree.span.inner(*found.span(1)), Symbol(self.module.path, "", tree.model, "model"))

    # --- what a name means ----------------------------------------------------------------------------------------

    def local(self, name: str) -> Symbol:
        """A name of the block."""
        return Symbol(self.module.path, self.owner, name, self.bound.kind(name))

    def meaning(self, name: str, at: int) -> Symbol:
        """What a name stands for where an expression stands."""
        if self.bound.known(name, at):
            return self.local(name)
        if name in self.module.scope:
            entry = self.module.scope[name]
            symbol = entry_symbol(entry, self.module.path, name)
            return self._alias(name, symbol.kind) if name in self._aliases() else symbol
        if (found := word(name)) is not None:
            return found
        return self.local(name) if name in self.bound else Symbol(self.module.path, self.owner, name, "missing")

    def axis(self, name: str) -> Symbol:
        """What a name stands for where an axis does."""
        if name in self.bound.sizes or (name in self.bound and name not in self.bound.axes):
            return self.local(name)
        return Symbol(self.module.path, self.owner, name, "axis", axis=True)

    def block_of(self, tree: s.Tree) -> BlockRef | ConstRef | None:
        """The block that an expression applies or makes, where the text says so."""
        match tree:
            case s.Brackets(base=base):
                return self.block_of(base)
            case s.Name(id=id):
                if self.bound.known(id, tree.span.start):
                    made = self.bound.made.get(id)
                    return None if made is None else self.block_of(made)
                entry = self.module.scope.get(id)
                return entry if isinstance(entry, BlockRef | ConstRef) else None
            case s.Attribute(base=s.Name(id=id), name=name):
                holder = self.module.scope.get(id)
                entry = holder.scope.get(name) if isinstance(holder, Module) else None
                return entry if isinstance(entry, BlockRef | ConstRef) else None
            case _:
                return None

    # --- trees ----------------------------------------------------------------------------------------------------

    def inside(self, tree: s.Tree) -> Iterator[Occurrence]:
        """The names in a tree."""
        match tree:
            case s.Name(id=id):
                yield Occurrence(tree.span, self.meaning(id, tree.span.start))
            case s.Target(name=name):
                yield Occurrence(tree.span, self.local(name), True)
            case s.StarDim(name=str(name)):
                yield Occurrence(Span(tree.span.chunk, tree.span.end - len(name), tree.span.end), self.local(name))
            case s.Attribute():
                yield from self._attribute(tree)
            case s.Brackets():
                yield from self.inside(tree.base)
                yield from self._brackets(tree)
            case s.Call():
                yield from self.inside(tree.func)
                yield from self._keywords(tree)
            case s.Comprehension():
                yield from self._comprehension(tree)
            case s.InitStmt() | s.KeepStmt():
                yield from self._paths(tree)
                yield from self.inside(tree.value)
            case s.Scan():
                for step in (*tree.steps, *tree.carries):
                    yield from self.inside(step)
                yield from self._axis_item(tree.axis)
                for statement in tree.body:
                    yield from self.inside(statement)
            case _:
                for part in parts(tree):
                    yield from self.inside(part)

    def _attribute(self, tree: s.Attribute) -> Iterator[Occurrence]:
        yield from self.inside(tree.base)
        if isinstance(tree.base, s.Name) and not self.bound.known(tree.base.id, tree.span.start):
            holder = self.module.scope.get(tree.base.id)
            if isinstance(holder, Module):
                yield Occurrence(tree.name_span, entry_symbol(holder.scope.get(tree.name), holder.path, tree.name))
                return
        block = self.block_of(tree.base)
        if isinstance(block, BlockRef):
            yield Occurrence(tree.name_span, Symbol(block.module.path, block.name, tree.name, "weight"))

    def _keywords(self, tree: s.Call) -> Iterator[Occurrence]:
        block = self.block_of(tree.func)
        for item in tree.args:
            if isinstance(item, s.Keyword):
                if isinstance(block, BlockRef):
                    kind: Kind = "input" if item.name in {each.name for each in block.tree.inputs} else "weight"
                    yield Occurrence(item.name_span, Symbol(block.module.path, block.name, item.name, kind))
                yield from self.inside(item.value)
            else:
                yield from self.inside(item)

    def _brackets(self, tree: s.Brackets) -> Iterator[Occurrence]:
        base = tree.base
        if isinstance(base, s.Name) and not self.bound.known(base.id, base.span.start):
            if base.id not in self.module.scope and base.id in ("over", "each"):
                for at, item in enumerate(tree.items):
                    yield from self._axis_item(item) if at == 0 else self.inside(item)
                return
            if base.id not in self.module.scope and base.id in OPS:
                yield from self._operation(tree, OPS[base.id])
                return
        block = self.block_of(base)
        order = list(block.tree.statics) if block is not None else []
        for at, item in enumerate(tree.items):
            given = order[at] if at < len(order) else None
            value: s.Tree = item
            if isinstance(item, s.Keyword):
                value = item.value
                given = next((each for each in order if each.name == item.name), None)
                if block is not None:
                    kind: Kind = "static" if given is not None else "size"
                    yield Occurrence(item.name_span, Symbol(block.module.path, block.name, item.name, kind))
            takes_axis = given is not None and given.kinds == ("axis",)
            yield from self._axis_item(value) if takes_axis else self.inside(value)

    def _operation(self, tree: s.Brackets, spec: OpSpec) -> Iterator[Occurrence]:
        patterned = any(static.kind == "pattern" for static in spec.statics)
        statics = list(spec.statics)
        if patterned and tree.items and not isinstance(tree.items[0], s.String):
            statics = list(spec.instead) or statics
        for item in tree.items:
            value: s.Tree = item
            if isinstance(item, s.Keyword):
                static = next((each for each in (*statics, *spec.statics) if each.name == item.name), None)
                value = item.value
                if static is None and patterned:
                    yield Occurrence(item.name_span, self.axis(item.name))
            else:
                static = statics[0] if statics else None
                if static is not None and static.kind not in ("axes", "sizes"):
                    statics.pop(0)
            kind = static.kind if static is not None else ""
            if kind == "pattern" and isinstance(value, s.String):
                yield from self._pattern(value)
            elif kind in ("axis", "axes"):
                yield from self._axis_item(value)
            elif kind == "elem" and isinstance(value, s.Name):
                continue
            else:
                yield from self.inside(value)

    def _pattern(self, tree: s.String) -> Iterator[Occurrence]:
        for term in pattern_names(tree.value):
            at = term.end - len(term.text)
            yield Occurrence(tree.span.inner(1 + at, 1 + term.end), self.axis(term.text))

    def _axis_item(self, tree: s.Tree) -> Iterator[Occurrence]:
        match tree:
            case s.Name(id=id):
                yield Occurrence(tree.span, self.axis(id))
            case s.ListExpr(items=items) | s.TupleExpr(items=items):
                for item in items:
                    yield from self._axis_item(item)
            case _:
                yield from self.inside(tree)

    def _comprehension(self, tree: s.Comprehension) -> Iterator[Occurrence]:
        yield from self.inside(tree.element)
        for clause in tree.clauses:
            yield from self._clause(clause)

    def _clause(self, clause: s.Clause) -> Iterator[Occurrence]:
        """`i in range(n)`, in a list, or behind a type that stands for a list of tensors."""
        head = Span(clause.span.chunk, clause.span.start, clause.iterable.span.start)
        for target in clause.targets:
            for found in re.finditer(rf"(?<![\w']){re.escape(target)}(?![\w'])", head.text):
                yield Occurrence(head.inner(*found.span()), self.local(target), True)
        yield from self.inside(clause.iterable)
        if clause.condition is not None:
            yield from self.inside(clause.condition)

    def _entries(self, tree: s.Input | s.Output) -> Iterator[Occurrence]:
        yield from self.inside(tree.type)
        if tree.each is not None:
            yield from self._clause(tree.each)

    def _paths(self, tree: s.InitStmt | s.KeepStmt) -> Iterator[Occurrence]:
        """`init Linear.weight` names a block or an instance first."""
        spans = tree.target_spans if isinstance(tree, s.InitStmt) else (tree.target_span,)
        targets = tree.targets if isinstance(tree, s.InitStmt) else (tree.target,)
        for target, span in zip(targets, spans, strict=True):
            first = Span(span.chunk, span.start, span.start + len(target[0]))
            if target[0] in self.bound and first.text == target[0]:
                yield Occurrence(first, self.local(target[0]))
            elif target[0] in self.module.scope:
                yield Occurrence(first, self.meaning(target[0], span.start))


def label_span(tree: s.Stage | s.For | s.Repeat | s.Scan) -> Span | None:
    """Where the name behind `as` stands."""
    if tree.label is None:
        return None
    text = tree.span.text
    if not isinstance(tree, s.Stage):
        end = tree.body[0].span.start - tree.span.start if tree.body else len(text)
        text = text[:end].rstrip()
        text = text[: text.rfind(":")].rstrip()
    found = re.search(rf"\bas\s+({re.escape(tree.label)})\s*\Z", text) or re.search(
        rf"\bas\s+({re.escape(tree.label)})(?![\w'])", text
    )
    return None if found is None else tree.span.inner(*found.span(1))


def definition(symbol: Symbol, module: Module) -> Span | None:
    """Where a symbol of a file is made: its declaration, or the first place that binds it."""
    if not symbol.owner:
        return place_of(module.scope.get(symbol.name)) or next(
            (each.span for each in occurrences(module) if each.symbol == symbol and each.binds), None
        )
    places = [each for each in occurrences(module) if each.symbol == symbol]
    return next((each.span for each in places if each.binds), places[0].span if places else None)
