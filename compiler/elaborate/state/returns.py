"""What a `return` gives for each output of the block, where some outputs are optional."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ogive.compiler.elaborate.state.control_flow import Continuation
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import Absent
from ogive.compiler.ir.presence import Presence
from ogive.grammar import syntax
from ogive.grammar.source import Span

OMITTED = ""  # the name of an optional output that a `return` leaves out: a use does not see it


@dataclass(frozen=True, slots=True)
class Partial:
    """What the paths that have returned give, where others go on; `flag` is there exactly where `when` holds."""

    when: Presence
    values: tuple[tuple[Any, Span], ...]
    flag: Tensor


def for_each_output(tree: syntax.Block, returned: tuple[Any, ...]) -> tuple[Any, ...]:
    """The returned values with their places, one for each output where their number allows it."""
    if len(returned) == 1 and isinstance(returned[0][0], tuple) and len(tree.outputs) > 1:
        value, span = returned[0]
        returned = tuple((each, span) for each in value)
    missing = len(tree.outputs) - len(returned)
    optional = [index for index, each in enumerate(tree.outputs) if each.type.optional]
    if not 0 < missing <= len(optional):
        return returned
    gone, left = set(optional[-missing:]), iter(returned)
    return tuple(
        (Absent(OMITTED), tree.outputs[index].span) if index in gone else next(left)
        for index in range(len(tree.outputs))
    )


def omitted(value: Any) -> bool:
    """Whether a value is an output that a `return` leaves out."""
    return isinstance(value, Absent) and value.name == OMITTED


def returns_names(after: Sequence[Continuation]) -> bool:
    """Whether all that follows is a `return` of names, which every path may end in."""
    rest = next((each.statements for each in reversed(after) if each.statements), ())
    match list(rest):
        case [syntax.Return(values=values)]:
            return all(isinstance(value, syntax.Name) for value in values)
        case _:
            return False


def leaves(body: Sequence[syntax.Stmt]) -> bool:
    """Whether every path of a body surely ends in a `return`, whatever its conditions are."""
    return any(
        isinstance(each, syntax.Return)
        or (
            isinstance(each, syntax.If)
            and each.orelse is not None
            and all(leaves(arm) for arm in (*(arm for _, arm in each.branches), each.orelse))
        )
        for each in body
    )
