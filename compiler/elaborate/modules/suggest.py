"""What a user of PyTorch, numpy or einops meant by a name that Ogive does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from ogive import stdlib
from ogive.compiler.elaborate.modules.foreign_names import ELSEWHERE, MEANT, PREFIXES
from ogive.compiler.elaborate.state.initializer_table import INITIALIZERS
from ogive.compiler.ops import NAMED
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span
from ogive.grammar.spelling import close, few, rename

if TYPE_CHECKING:
    from ogive.compiler.elaborate.state.frame import Frame


_EDITION = re.compile(r"ogive \d+.*\n")
_BLOCK = re.compile(r"^block (\w+)[\[(]", re.M)


def for_name(name: str, frame: Frame) -> str:
    """What to write instead of an unknown name."""
    here = [*frame.scope.variables, *few(name, frame.module.scope)]
    if name in MEANT:
        return MEANT[name]
    if (module := in_library(name)) is not None:
        return f"write `use {module} ({name})` at the head of the file"
    if frame.block is not None and (loop := _inside_loop(frame.block.tree.body, name)):
        return f"it is bound inside of `{loop}` alone: bind it before, or collect it by `yield`"
    if name.lower() in NAMED:
        return f"did you mean `{name.lower()}`?"
    operations = () if name in ELSEWHERE else NAMED
    return close(name, [*here, *operations, *(INITIALIZERS if frame.alloc.initialized is not None else ())])


def _inside_loop(body: Iterable[syntax.Stmt], name: str) -> str:
    """The loop in which alone a name is bound."""
    for statement in body:
        match statement:
            case syntax.Repeat(body=inner) | syntax.Scan(body=inner):
                if any(
                    isinstance(each, syntax.Assign) and any(target.name == name for target in each.targets)
                    for each in inner
                ):
                    return "repeat" if isinstance(statement, syntax.Repeat) else "scan"
            case _:
                pass
    return ""


def of_peer(name: str) -> str:
    """What `torch.name` is here."""
    if name in MEANT and name not in PREFIXES:
        return MEANT[name]
    if (module := in_library(name)) is not None:
        return f"write `use {module} ({name})` at the head of the file, then `{name}[...]`"
    known = name if name in NAMED else name.lower()
    return for_method(known) if known in NAMED else ""


def edits_for_name(name: str, frame: Frame, span: Span) -> tuple[Edit, ...]:
    """The edit that goes with the help for an unknown name: an import, or the name that is close."""
    if name in MEANT:
        return ()
    module = in_library(name)
    if module is None and name.lower() in NAMED:
        return (Edit(span, name.lower()),)
    if module is None:
        operations = () if name in ELSEWHERE else NAMED
        return rename(name, [*frame.scope.variables, *few(name, frame.module.scope), *operations], span)
    return imported(frame, module, name)


def imported(frame: Frame, module: str, name: str) -> tuple[Edit, ...]:
    """The edit that imports a name of the library."""
    for tree in frame.module.tree.declarations:
        if isinstance(tree, syntax.Use) and tree.module == module and tree.items:
            last = tree.items[-1].span
            return (Edit(Span(last.chunk, last.end, last.end), f", {name}"),)
    uses = [tree.span for tree in frame.module.tree.declarations if isinstance(tree, syntax.Use)]
    if uses:
        return (Edit(Span(uses[-1].chunk, uses[-1].end, uses[-1].end), f"\nuse {module} ({name})"),)
    first = min((tree.span for tree in frame.module.tree.declarations), key=lambda place: place.begin())
    edition = _EDITION.match(first.chunk.text)
    place = edition.end() if edition else 0
    return (Edit(Span(first.chunk, place, place), f"use {module} ({name})\n\n"),)


def in_library(name: str) -> str | None:
    """The library module that has a block of that name."""
    return _library().get(name)


@cache
def _library() -> dict[str, str]:
    """The module of each block of the library; of two that have one name, the first."""
    found: dict[str, str] = {}
    for module in stdlib.names():
        for block in _BLOCK.findall(stdlib.source(module)):
            found.setdefault(block, module)
    return found


def for_method(name: str) -> str:
    """What to write instead of `x.name(...)`."""
    if name in MEANT:
        return MEANT[name]
    spec = NAMED.get(name)
    if spec is None:
        return "tensors have no methods: operations are functions, `f(x)` or `x |> f`"
    statics = [s.name for s in spec.statics]
    if "axes" in statics or "axis" in statics:
        return f"brackets hold settings, parentheses tensors: `{name}[1](x)` or `x |> {name}[1]`"
    return f"operations are functions: `{name}(x)` or `x |> {name}`"
