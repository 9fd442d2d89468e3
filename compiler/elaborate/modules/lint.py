"""W0902, W0903, W0904: names that are unused, that hide a block, or that are unusual. Errors are found elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ogive.compiler.elaborate.modules.pool_lint import averages
from ogive.compiler.elaborate.modules.recursion import names_of
from ogive.compiler.elaborate.state.blocks import BlockRef, Module
from ogive.compiler.ir.model import Definition
from ogive.compiler.ops import NAMED
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Diagnostic, Edit, Label
from ogive.grammar.source import Span

_NAME = re.compile(r"[^\W\d]\w*'*")
_COMMENT = re.compile(r"#.*")


def of_module(module: Module) -> list[Diagnostic]:
    """What is to be said of the file as a whole: imports that nothing mentions, blocks named like operations."""
    advice = "call it something else, so that the operation stays in reach"
    found = [
        Diagnostic("W0903", f"`{tree.name}` hides the operation of this name", tree.name_span, help=advice)
        for tree in module.tree.declarations
        if isinstance(tree, syntax.Block) and tree.name in NAMED
    ]
    if any(d.code.startswith("E010") for d in module.diagnostics):
        return found  # what could not be parsed may use anything
    uses = [tree for tree in module.tree.declarations if isinstance(tree, syntax.Use)]
    rest = (tree for tree in module.tree.declarations if not isinstance(tree, syntax.Use))
    read = {name for tree in rest for name in _NAME.findall(_COMMENT.sub("", tree.span.text))}
    for use in uses:
        for name, span in _imported(use):
            if name not in read and module.scope.get(name) is not None:
                found.append(Diagnostic("W0902", f"`{name}` is imported, but never used", span, help="leave it out",
                                        edits=(_without(use, span),)))  # fmt: skip
    return found


def _imported(use: syntax.Use) -> list[tuple[str, Span]]:
    if use.items:
        return [(item.alias or item.name, item.span) for item in use.items]
    return [(use.alias or use.module.rsplit(".", 1)[-1].rsplit("/", 1)[-1], use.module_span)]


def _without(use: syntax.Use, span: Span) -> Edit:
    """The edit that takes one name out of an import, with its comma; the whole import where it is the only one."""
    spans = [item.span for item in use.items]
    if len(spans) < 2:
        return Edit(Span(span.chunk, use.span.start, use.span.end), "")
    at = spans.index(span)
    if at == 0:
        return Edit(Span(span.chunk, span.start, spans[1].start), "")
    return Edit(Span(span.chunk, spans[at - 1].end, span.end), "")


def of_block(ref: BlockRef, definition: Definition | None) -> list[Diagnostic]:
    """What is to be said of a block that has no error: of its names, and of pools that do nothing of their own."""
    pools = averages(definition.graph) if definition is not None else ()
    return [*_unused(ref.tree), *_hidden(ref), *_unusual(ref.tree, definition), *pools]


def _unused(tree: syntax.Block) -> Iterator[Diagnostic]:
    read = _read(tree)
    said: set[str] = set()
    for targets in _assigned(tree.body):
        names = {target.name for target in targets}
        if names & (read | said) or any(name.startswith("_") for name in names):
            continue
        said |= names
        shown = ", ".join(f"`{target.name}`" for target in targets)
        verb = "is" if len(targets) == 1 else "are"
        yield Diagnostic("W0902", f"{shown} {verb} bound, but never used", targets[0].span.to(targets[-1].span))


def _assigned(body: Sequence[syntax.Stmt]) -> Iterator[tuple[syntax.Target, ...]]:
    for statement in body:
        match statement:
            case syntax.Assign(targets=targets):
                yield targets
            case syntax.If(branches=branches, orelse=orelse):
                for _, arm in branches:
                    yield from _assigned(arm)
                yield from _assigned(orelse or ())
            case syntax.For(body=inner) | syntax.Repeat(body=inner) | syntax.Scan(body=inner):
                yield from _assigned(inner)
            case _:
                pass


def _read(tree: syntax.Tree) -> frozenset[str]:
    """The names that a declaration mentions; `init` and `keep` name an instance by its path."""
    paths = set[str]()
    for statement in _statements(getattr(tree, "body", ())):
        match statement:
            case syntax.InitStmt(targets=targets):
                paths.update(part for target in targets for part in target)
            case syntax.KeepStmt(target=target):
                paths.update(target)
            case syntax.UpdateStmt(target=target):
                paths.add(target.name)
            case _:
                pass
    stars = {dim.name for dim in _stars(tree) if dim.name}
    return names_of(tree) | paths | stars


def _stars(tree: syntax.Tree) -> Iterator[syntax.StarDim]:
    if isinstance(tree, syntax.StarDim):
        yield tree
    for field in type(tree).__dataclass_fields__:
        value = getattr(tree, field)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, syntax.Tree):
                yield from _stars(item)


def _statements(body: Sequence[syntax.Stmt]) -> Iterator[syntax.Stmt]:
    for statement in body:
        yield statement
        match statement:
            case syntax.If(branches=branches, orelse=orelse):
                for _, arm in branches:
                    yield from _statements(arm)
                yield from _statements(orelse or ())
            case syntax.For(body=inner) | syntax.Repeat(body=inner) | syntax.Scan(body=inner):
                yield from _statements(inner)
            case _:
                pass


def _hidden(ref: BlockRef) -> Iterator[Diagnostic]:
    """Local names that a block of the file, or an imported one, has too."""
    said: set[str] = set()
    for name, span in _local(ref.tree):
        entry = ref.module.scope.get(name)
        if isinstance(entry, BlockRef) and name not in said:
            said.add(name)
            here = entry.module is ref.module
            labels = (Label(entry.tree.name_span, "the block"),) if here else ()
            yield Diagnostic(
                "W0903",
                f"`{name}` hides the block of this name",
                span,
                labels=labels,
                help="call it something else, so that the block stays in reach",
            )


def _local(tree: syntax.Block) -> Iterator[tuple[str, Span]]:
    yield from ((each.name, each.span) for each in tree.statics)
    yield from ((each.name, each.span) for each in tree.inputs)
    for statement in _statements(tree.body):
        match statement:
            case syntax.Assign(targets=targets) | syntax.For(targets=targets):
                yield from ((target.name, target.span) for target in targets)
            case syntax.ParamStmt(target=target) | syntax.Tap(target=target) | syntax.Yield(target=target):
                yield target.name, target.span
            case syntax.Repeat(withs=steps) | syntax.Scan(steps=steps):
                yield from ((each.target.name, each.target.span) for each in steps)
            case _:
                pass


def _unusual(tree: syntax.Block, definition: Definition | None) -> Iterator[Diagnostic]:
    """Blocks with weights are CamelCase, functions without are snake_case; what takes statics may be a layer or one."""
    if definition is None or any(static.type is not None for static in tree.statics):
        return
    camel = tree.name[0].isupper() and "_" not in tree.name
    snake = tree.name == tree.name.lower()
    if definition.stateless and not snake and not tree.statics:
        yield Diagnostic("W0904", f"`{tree.name}` has no weights: functions are snake_case", tree.name_span)
    elif not definition.stateless and not camel:
        yield Diagnostic("W0904", f"`{tree.name}` has weights: such blocks are CamelCase", tree.name_span)
