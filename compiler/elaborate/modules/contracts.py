"""What a help adds to the contract of a block: the text of a `where`, and the place where it goes."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.sizes import AllOf, Condition, Size, Unknown
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Edit
from ogive.grammar.source import Span


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """The conditions that it joins."""
    return condition.parts if isinstance(condition, AllOf) else (condition,)


def where_text(conditions: Sequence[Condition]) -> str:
    """`a, b`: conditions as they stand behind `where`, each once, in the order in which their sizes were introduced."""
    each = dict.fromkeys(part for condition in conditions for part in parts_of(condition))
    return ", ".join(map(str, sorted(each, key=lambda c: min((u.serial for u in c.unknowns), default=0))))


def where_edit(frame: Frame, conditions: Sequence[Condition]) -> tuple[Edit, ...]:
    """The edit that adds the conditions to the header of the block; none where they cannot be said there."""
    if frame.block is None or not all(_sayable(frame, u) for c in conditions for u in c.unknowns):
        return ()
    tree, text = frame.block.tree, where_text(conditions)
    if tree.where:
        last = tree.where[-1].span
        return (Edit(Span(last.chunk, last.end, last.end), f", {text}", contract=True),)
    colon = _colon(tree)
    return () if colon is None else (Edit(colon, f"\nwhere {text}", contract=True),)


def _sayable(frame: Frame, unknown: Unknown) -> bool:
    """Whether the header knows the unknown by its name."""
    value = frame.scope.header.get(unknown.name)
    return isinstance(value, Size) and value.unknowns == {unknown} and str(value) == unknown.name


def _colon(tree: syntax.Block) -> Span | None:
    """The empty place before the colon that ends the header."""
    after = tree.outputs[-1].span if tree.outputs else tree.name_span
    text, place = after.chunk.text, after.end
    while place < len(text) and text[place] != ":":
        if text[place] == "#":
            place = text.find("\n", place)
            if place < 0:
                return None
        place += 1
    while place > after.end and text[place - 1].isspace():
        place -= 1
    return Span(after.chunk, place, place) if place < len(text) else None
