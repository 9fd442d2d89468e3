"""H0906: a name in a pattern that is also a size in scope, and another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.pattern_parse import Operand, parse
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.sizes import Size
from ogive.grammar.source import Span


def hint(frame: Frame, pattern: Pattern, types: Sequence[object], place: Span | None) -> None:
    """Say of each name of a fitting pattern whether it misleads the reader."""
    if place is None or frame.module.name:
        return  # the library's patterns are no concern of its users
    said: set[str] = set()
    for name, found, inside in _sizes(pattern, types):
        known = frame.scope.variables.get(name)
        if name not in said and isinstance(known, Size) and not frame.proof.facts.equal(known, found):
            said.add(name)
            frame.report(
                "H0906",
                f"`{name}` is `{found}` in this pattern, and another size outside",
                place.inner(*inside),
                help="the names of a pattern are its own: another one would not mislead",
            )


def _sizes(pattern: Pattern, types: Sequence[object]) -> Iterator[tuple[str, Size, tuple[int, int]]]:
    """The plain names on the left of a pattern with their sizes, and the places of both in the string."""
    operands = [type for type in types if isinstance(type, TensorType)]
    for operand, type in zip(parse(pattern.text).inputs, operands, strict=False):
        leaves = {leaf.text: leaf for leaf in operand.leaves() if leaf.kind == "name"}
        for name, given in pattern.sizes.items():
            if name in leaves:
                yield name, given, _inside(leaves[name].inside)
        yield from _aligned(operand, type)


def _aligned(operand: Operand, type: TensorType) -> Iterator[tuple[str, Size, tuple[int, int]]]:
    packs = [i for i, term in enumerate(operand.terms) if term.kind == "pack"]
    before = packs[0] if packs else len(operand.terms)
    after = len(operand.terms) - before - 1 if packs else 0
    pairs = [*zip(operand.terms[:before], type.axes, strict=False)]
    if after:
        pairs += zip(operand.terms[-after:], type.axes[-after:], strict=False)
    for term, axis in pairs:
        if term.kind == "name" and axis.pack is None and axis.label != term.text:
            yield term.text, axis.size, _inside(term.inside)


def _inside(inside: tuple[int, int]) -> tuple[int, int]:
    return 1 + inside[0], 1 + inside[1]
