"""What is known of the operation that is drawn, before it has links."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from ogive.backends.diagram.figure.figure import Op
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


def where(node: Node) -> str:
    """The file and the line of an operation."""
    if node.span is None:
        return ""
    return f"{_name(node.span.path)}:{node.span.begin()[0]}"


@cache
def _name(path: str) -> str:
    """The name of a file, whatever path or link it was named by: where it lies is no part of what it draws."""
    return printable(os.path.basename(os.path.realpath(path)))
