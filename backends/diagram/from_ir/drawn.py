"""What is known of the operation that is drawn, before it has links."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from ogive.backends.diagram.figure.figure import Change, Op
from ogive.backends.diagram.figure.labels import printable
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.ir.model import Node

# operands that stand inside the glyph where a weight alone feeds them
INSIDE = {
    "linear": (1, 2), "conv": (1, 2), "conv_transpose": (1, 2), "layer_norm": (1, 2), "rms_norm": (1,),
    "batch_norm": (1, 2, 3, 4), "batch_norm_train": (1, 2), "group_norm": (1, 2),
}  # fmt: skip
WINDOW = ("kernel", "stride", "dilation")  # settings that are read as numbers wherever these are known
SAME_AXIS = {"norm", "softmax", "mask", "float"}  # glyphs after which an axis is still the same one


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is known of the operation that is drawn: its wires, and whether a weight stands inside of its glyph."""

    base: Op
    ins: list[Wires | None]
    outs: list[Wires]
    learned: bool


def changed(op: Op, name: str, marks: Mapping[str, tuple[Change, str]], fewer: Mapping[str, int]) -> Op:
    """The operation with what is known of its node in a difference: what it was and is, turns that were left out."""
    change, was = marks.get(name, ("", ""))
    attrs = (*op.attrs, ("fewer", str(fewer[name]))) if name in fewer else op.attrs
    if op.glyph == "repeat" and was:  # `×3 → ×5` stands at the head of the bracket
        return replace(op, change=change, text=was, attrs=attrs)
    return replace(op, change=change, attrs=(*attrs, ("was", was)) if was else attrs)


def where(node: Node) -> str:
    """The file and the line of an operation."""
    if node.span is None:
        return ""
    return f"{_name(node.span.path)}:{node.span.begin()[0]}"


@cache
def _name(path: str) -> str:
    """The name of a file, whatever path or link it was named by: where it lies is no part of what it draws."""
    return printable(os.path.basename(os.path.realpath(path)))
