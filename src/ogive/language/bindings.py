"""Which names a block binds, and where: statics, inputs, sizes of its header, names of its body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ogive.compiler.elaborate.rules.builtins import BUILTINS, CONSTANTS
from ogive.compiler.elaborate.state.blocks import Module
from ogive.compiler.ops import OPS
from ogive.compiler.ops.pattern_parse import PatternTerm, parse
from ogive.compiler.ops.spec import ShapeError
from ogive.grammar import syntax as s
from ogive.grammar.source import Span
from ogive.language.trees import walk

LocalKind = Literal["static", "input", "size", "variable", "weight"]


@dataclass
class Bindings:
    """The names of one block. `sizes` name axes as well; `since` says from where on a name of the body is known."""

    kinds: dict[str, LocalKind] = field(default_factory=dict)
    sizes: set[str] = field(default_factory=set)
    axes: set[str] = field(default_factory=set)  # names that stand for axes in brackets, whatever the body binds
    since: dict[str, int] = field(default_factory=dict)
    made: dict[str, s.Expr] = field(default_factory=dict)  # what a name is bound to, once

    def __contains__(self, name: object) -> bool:
        return name in self.kinds

    def known(self, name: str, at: int) -> bool:
        """Whether a name is one of the block where an expression stands."""
        return name in self.kinds and at >= self.since.get(name, 0)

    def kind(self, name: str) -> LocalKind:
        """What kind of name it is."""
        return self.kinds.get(name, "variable")

    def add(self, name: str, kind: LocalKind, since: int = 0) -> None:
        """A name, unless it is known."""
        if name not in self.kinds:
            self.kinds[name] = kind
            self.since[name] = since


def static_span(tree: s.StaticDecl) -> Span:
    """Where the name of a static stands."""
    return Span(tree.span.chunk, tree.span.start, tree.span.start + len(tree.name))


def bindings(tree: s.Block | s.Extern | s.Const, module: Module) -> Bindings:
    """The names that a declaration binds for itself."""
    found = Bindings()
    for static in tree.statics:
        found.add(static.name, "static")
        found.sizes.add(static.name)
    if isinstance(tree, s.Const):
        _body(found, (), tree.value)
        return found
    for static in tree.statics:
        for type in (*static.type.inputs, *static.type.outputs) if static.type is not None else ():
            _dims(found, type, module)
    for given in tree.inputs:
        found.add(given.name, "input")
    types = [given.type for given in tree.inputs] + [made.type for made in tree.outputs]
    for type in types:
        _dims(found, type, module)
    if isinstance(tree, s.Block):
        _body(found, tree.body)
        _asserted(found, tree.body, module)
        found.axes = set(_axes(tree)) - found.sizes
    return found


def _dims(found: Bindings, type: s.TypeExpr, module: Module, since: int = 0) -> None:
    for dim in type.dims:
        if isinstance(dim, s.StarDim):
            if dim.name is not None and not _elsewhere(dim.name, module):
                found.add(dim.name, "size", since)
                found.sizes.add(dim.name)
            continue
        for name in _free(dim):
            if name in found.kinds or not _elsewhere(name, module):
                found.add(name, "size", since)
                found.sizes.add(name)


def _elsewhere(name: str, module: Module) -> bool:
    return name in module.scope or name in BUILTINS or name in CONSTANTS


def _free(tree: s.Tree) -> Iterator[str]:
    return (each.id for each in walk(tree) if isinstance(each, s.Name))


def _body(found: Bindings, body: tuple[s.Stmt, ...], value: s.Expr | None = None) -> None:
    for tree in (*body, *([] if value is None else [value])):
        for each in walk(tree):
            match each:
                case s.Assign(targets=targets, value=made):
                    for target in targets:
                        if target.name in found.kinds:
                            found.made.pop(target.name, None)
                        elif len(targets) == 1:
                            found.made[target.name] = made
                        found.add(target.name, "variable", each.span.end)
                case s.ParamStmt(target=target):
                    found.add(target.name, "weight", target.span.start)
                case s.Target(name=name):
                    found.add(name, "variable", each.span.start)
                case s.Comprehension(clauses=clauses):
                    for clause in clauses:
                        for name in clause.targets:
                            found.add(name, "variable", each.span.start)
                case _:
                    pass


def _asserted(found: Bindings, body: tuple[s.Stmt, ...], module: Module) -> None:
    for tree in body:
        for each in walk(tree):
            if isinstance(each, s.Assign | s.ParamStmt | s.Carry) and each.type is not None:
                _dims(found, each.type, module, each.span.start)


def pattern_names(text: str) -> Iterator[PatternTerm]:
    """The names in a pattern, in order; none where it cannot be read."""
    try:
        found = parse(text)
    except ShapeError:
        return
    for operand in (*found.inputs, *found.outputs):
        for leaf in operand.leaves():
            if leaf.kind in ("name", "pack") and leaf.text != "...":
                yield leaf


def _axes(tree: s.Block) -> Iterator[str]:
    """Names in patterns of the body."""
    for statement in tree.body:
        for each in walk(statement):
            if isinstance(each, s.Brackets) and isinstance(each.base, s.Name) and each.base.id in OPS:
                for item in each.items:
                    if isinstance(item, s.String):
                        yield from (term.text for term in pattern_names(item.value))
