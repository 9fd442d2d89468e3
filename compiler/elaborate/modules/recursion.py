"""Which blocks use themselves, directly or through others."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.grammar import syntax


def is_recursive(ref: BlockRef) -> bool:
    """Whether a block can reach itself by the names in bodies."""
    seen: set[BlockRef] = set()
    stack = list(_uses(ref))
    while stack:
        other = stack.pop()
        if other is ref:
            return True
        if other not in seen:
            seen.add(other)
            stack.extend(_uses(other))
    return False


def names_of(tree: syntax.Tree) -> frozenset[str]:
    """All names that a declaration mentions."""
    return frozenset(_names(tree))


def _uses(ref: BlockRef) -> Iterator[BlockRef]:
    hidden = {each.name for each in ref.tree.statics} | {
        each.name for each in ref.tree.inputs
    }  # these names mean what the block is given
    for name in {name for statement in ref.tree.body for name in _names(statement)} - hidden:
        entry = ref.module.scope.get(name)
        if isinstance(entry, BlockRef):
            yield entry


def _names(tree: syntax.Tree) -> Iterator[str]:
    if isinstance(tree, syntax.Name):
        yield tree.id
        return
    for field in type(tree).__dataclass_fields__:
        yield from _names_in(getattr(tree, field))


def _names_in(value: object) -> Iterator[str]:
    if isinstance(value, tuple):
        for item in value:
            yield from _names_in(item)
    elif isinstance(value, syntax.Tree):
        yield from _names(value)
