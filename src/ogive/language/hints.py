"""What a reader would like to see beside a line: the sizes of its result, and statics that were inferred."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import InstanceValue, Partly
from ogive.compiler.sizes import Size
from ogive.grammar import syntax as s
from ogive.grammar.source import Span
from ogive.language.desk import SeenFile
from ogive.language.facts import Fact, fact, instance, shown, statics_of
from ogive.language.places import Position, region
from ogive.language.trees import walk

LONG = 90  # characters of a hint


@dataclass(frozen=True, slots=True)
class Hint:
    """A text that stands at a position without being there. `type` tells sizes from statics."""

    place: Position
    text: str
    type: bool


def hints(seen: SeenFile, first: int = 0, last: int | None = None) -> list[Hint]:
    """The hints of the lines from `first` to `last`, which count from 0."""
    found: list[Hint] = []
    for tree in seen.declarations:
        begin, end = region(tree.span).start[0], region(tree.span).end[0]
        if isinstance(tree, s.Block) and end >= first and (last is None or begin <= last):
            found += _of_block(seen, tree)
    inside = (each for each in found if first <= each.place[0] and (last is None or each.place[0] <= last))
    return sorted(dict.fromkeys(inside), key=lambda each: (each.place, not each.type))


def _of_block(seen: SeenFile, block: s.Block) -> Iterator[Hint]:
    for statement in block.body:
        for tree in walk(statement):
            match tree:
                case s.Assign(type=None, targets=targets):
                    for target in targets:
                        yield from _target(seen, target, tree.value if len(targets) == 1 else None)
                case s.Carry(type=None, target=target) | s.With(target=target) | s.Tap(target=target):
                    yield from _target(seen, target, None)
                case s.Return(values=values):
                    for value in values:
                        yield from _end(seen, value.span)
                case s.Pipe(stages=stages):
                    for before, after in pairwise(stages):
                        if "\n" in before.span.chunk.text[before.span.end : after.span.start]:
                            yield from _end(seen, before.span)
                case s.Name() | s.Attribute() | s.Brackets():
                    yield from _statics(seen, tree)
                case _:
                    pass


def _target(seen: SeenFile, target: s.Target, value: s.Expr | None) -> Iterator[Hint]:
    found = fact(seen, target.span)
    if found is None:
        return
    if isinstance(found.value, InstanceValue):
        return  # its brackets say it
    text = said(found)
    if not text or (value is not None and "".join(value.span.text.split()) == "".join(text.split())):
        return
    if isinstance(found.value, Tensor | Partly):
        yield Hint(region(target.span).end, f": {text}", True)
    elif isinstance(found.value, Size) or found.varies:
        yield Hint(region(target.span).end, f" = {text}", True)


def _end(seen: SeenFile, span: Span) -> Iterator[Hint]:
    """The type of what ends a line, behind it."""
    found = fact(seen, span)
    if found is not None and isinstance(found.value, Tensor | Partly | tuple) and (text := said(found)):
        yield Hint(region(span).end, f"  {text}", True)


def _statics(seen: SeenFile, tree: s.Expr) -> Iterator[Hint]:
    """Statics that nobody wrote: behind a bare name in brackets, else before the bracket that closes."""
    made = instance(seen, tree.span)
    if made is None or not made.bound:
        return
    given = frozenset(made.statics) | {decl.name for decl in made.block.tree.statics if decl.default is not None}
    text = statics_of(made, given)
    if not text or len(text) > LONG:
        return
    line, column = region(tree.span).end
    if isinstance(tree, s.Brackets):
        between = ", " if tree.items else ""
        yield Hint((line, column - 1), f"{between}{text[1:-1]}", False)
    elif not isinstance(tree, s.Name) or tree.id == made.block.name or fact(seen, tree.span) is None:
        yield Hint((line, column), text, False)


def said(found: Fact) -> str:
    """A fact in one line: iterations of a loop that differ as their first and last."""
    text = f"{shown(found.value)} … {shown(found.last)}" if found.varies else shown(found.value)
    return text if len(text) <= LONG else ""
