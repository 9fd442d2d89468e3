"""The operands of what a position is in: the labels that their axes have."""

from __future__ import annotations

from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import Param, Partly
from ogive.compiler.ir.types import TensorType
from ogive.grammar import syntax as s
from ogive.grammar.source import Span
from ogive.language.desk import SeenFile
from ogive.language.facts import fact
from ogive.language.pointing import trees_at


def labels_at(tried: tuple[SeenFile, int]) -> list[tuple[str, str]]:
    """The labels of the axes that the operands around an offset have, each with its size."""
    seen, offset = tried
    place = seen.lines.position(offset)
    found: dict[str, str] = {}
    for span in operands(trees_at(seen, place)):
        known = fact(seen, span)
        for type in types_of(None if known is None else known.value):
            for axis in type.axes:
                label = axis.pack or axis.label
                if label and label != "...":
                    found.setdefault(label.removeprefix("*"), str(axis.size) if axis.pack is None else "any axes")
    return list(found.items())


def operands(trees: list[s.Tree]) -> list[Span]:
    """The places of what is handed to the innermost application around a position."""
    for at in range(len(trees) - 1, 0, -1):
        tree, holder = trees[at], trees[at - 1]
        if isinstance(holder, s.Call) and holder.func is tree:
            return [each.span for each in holder.args]
        if isinstance(holder, s.Stage) and holder.func is tree and isinstance(trees[at - 2], s.Pipe):
            pipe = trees[at - 2]
            assert isinstance(pipe, s.Pipe)
            before = pipe.stages.index(holder)
            first = pipe.stages[before - 1] if before else pipe.head
            spans = [first.span]
            if before == 0 and isinstance(pipe.head, s.TupleExpr):
                spans += [each.span for each in pipe.head.items]
            return spans
    return []


def types_of(value: object) -> list[TensorType]:
    """The types of tensors in a value."""
    match value:
        case Tensor(type=type) | Param(type=type):
            return [type]
        case Partly() if value.tensor is not None:
            return [value.tensor.type]
        case tuple():
            return [type for each in value for type in types_of(each)]
        case _:
            return []
