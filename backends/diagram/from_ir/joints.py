"""What rules of links are made of: an axis that stands on both sides of a glyph, and the operands that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ogive.backends.diagram.figure.figure import Link
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.ir.model import Node

Links = list[Link]
Operands = Sequence[Wires | None]
Rule = Callable[[Node, Operands, Sequence[Wires]], Links]


def joined(left: tuple[str, ...], right: tuple[str, ...]) -> Link:
    """The same axis on both sides: past the glyph, joined at a dot, or copied from one."""
    if len(left) == 1:
        return Link("through" if len(right) == 1 else "split", left, right)
    return Link("join", left, right)


def given(ins: Operands) -> list[Wires]:
    """The operands without those that are left out."""
    return [w for w in ins if w is not None]
