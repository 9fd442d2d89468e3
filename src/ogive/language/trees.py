"""Walks over syntax trees."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.grammar.syntax import Tree


def parts(tree: Tree) -> Iterator[Tree]:
    """The trees right below a tree, in the order of its fields."""
    for name in type(tree).__dataclass_fields__:
        yield from _in(getattr(tree, name))


def _in(value: object) -> Iterator[Tree]:
    if isinstance(value, Tree):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _in(each)


def walk(tree: Tree) -> Iterator[Tree]:
    """A tree and all below it, those that hold others first."""
    yield tree
    for part in parts(tree):
        yield from walk(part)


def path_to(tree: Tree, offset: int) -> list[Tree]:
    """The trees that hold an offset of their chunk, or end there, from the outermost to the innermost."""
    found = [tree]
    while True:
        inner = [part for part in parts(found[-1]) if part.span.start <= offset <= part.span.end]
        if not inner:
            return found
        # where two touch, the one that begins there
        found.append(max(inner, key=lambda each: (each.span.start, -each.span.end)))
