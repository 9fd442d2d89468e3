"""The diagram IR: a figure is a row of data columns (boundaries) and operation columns, with links between wires.

The law: in every column each wire on the left is in exactly one link, and so is each on the right. A tensor that no
operation of the column consumes passes through it, without a link of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ogive.backends.diagram.figure.live import LiveSizes

Change = Literal["", "added", "removed", "changed", "marked"]

# how many wires a link joins on its left and on its right; "n" stands for one or more
ARITY: dict[str, tuple[str, str]] = {
    "through": ("1", "1"),  # past the glyph: broadcast
    "in": ("1", "0"),  # ends on the glyph
    "out": ("0", "1"),  # starts on the glyph
    "cup": ("n", "0"),  # sum of products
    "join": ("n", "1"),  # a dot: shared, kept
    "split": ("1", "n"),  # a dot: copied
    "merge": ("n", "1"),  # a bar: axes multiplied into one
    "unmerge": ("1", "n"),
    "regroup": ("n", "n"),  # two bars: merged and cut elsewhere
    "cat": ("n", "1"),  # a bar across tensors: laid end to end
    "uncat": ("1", "n"),
    "drop": ("1", "0"),  # ends at a dot
    "fresh": ("0", "1"),  # starts at a dot
    "select": ("n", "0"),  # an arrowed cup: an index picks from an axis
}


@dataclass(frozen=True, slots=True)
class WireSlot:
    """One wire of a tensor. `axis` says which wires are the same axis; a `dtype` wire carries an element type."""

    sid: str
    axis: str
    label: str
    size: str
    role: Literal["axis", "pack", "dtype"] = "axis"
    measure: str = ""  # on a page: the size that the label says, by its text in the program
    room: str = ""  # what may stand in place of the label


@dataclass(frozen=True, slots=True)
class DrawnTensor:
    """A stack of wires, the first axis on top."""

    tid: str
    slots: tuple[WireSlot, ...]
    name: str = ""
    elem: str = "float"
    wrong: bool = False  # an error names this tensor


@dataclass(frozen=True, slots=True)
class Link:
    """Which wires on the left of an operation become which on its right."""

    kind: str
    left: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Op:
    """An operation of a column.

    `glyph` is what stands where wires end on it, `text` what is written there, `above` what floats over the tensor,
    `caption` the place of its weights. `operands` says what `text` or `above` say with a place between its parts for
    each operand, where the order of the operands matters and the wires alone do not tell it. `source` is the operation
    of the graph ("" where it is the diagram's own copy).
    """

    oid: str
    glyph: str
    source: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    links: tuple[Link, ...]
    text: str = ""
    above: str = ""
    caption: str = ""
    learned: bool = False
    bodies: tuple[Section, ...] = ()
    enter: tuple[tuple[str, str], ...] = ()  # (wire here, wire at the start of a body)
    leave: tuple[tuple[str, str], ...] = ()  # (wire at the end of a body, wire here)
    attrs: tuple[tuple[str, str], ...] = ()
    where: str = ""  # file:line
    change: Change = ""
    wrong: str = ""  # the message of an error at this operation
    operands: tuple[str, ...] = ()

    def attr(self, name: str, default: str = "") -> str:
        """The attribute of that name."""
        return next((value for key, value in self.attrs if key == name), default)


@dataclass(frozen=True, slots=True)
class Column:
    """Operations side by side; their rows do not overlap."""

    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """`boundaries[i]` stands left of `columns[i]`; one more boundary ends it. Tensors are listed top to bottom."""

    boundaries: tuple[tuple[DrawnTensor, ...], ...]
    columns: tuple[Column, ...]
    title: str = ""
    outputs: tuple[str, ...] = ()  # the tensors at the end, in the order of the signature
    ends: tuple[str, ...] = ()  # and their names, where the section is a whole figure

    def walk(self) -> Iterator[Op]:
        """All operations, those of bodies after the one that holds them."""
        for column in self.columns:
            for op in column.ops:
                yield op
                for body in op.bodies:
                    yield from body.walk()

    def slots(self) -> Iterator[WireSlot]:
        """All wires, bodies included; a wire once for each boundary that it crosses."""
        for boundary in self.boundaries:
            for tensor in boundary:
                yield from tensor.slots
        for column in self.columns:
            for op in column.ops:
                for body in op.bodies:
                    yield from body.slots()


@dataclass(frozen=True, slots=True)
class AxisRow:
    """A row of the legend: `e = d/heads`."""

    axis: str
    label: str
    size: str
    key: str = ""  # the size by its text in the program


@dataclass(frozen=True, slots=True)
class Figure:
    """What is drawn of one definition; a section for each row of a wrapped figure."""

    name: str
    title: str
    sections: tuple[Section, ...]
    legend: tuple[AxisRow, ...] = ()
    notes: tuple[str, ...] = ()
    alt: str = ""
    live: LiveSizes | None = None  # for a page

    def walk(self) -> Iterator[Op]:
        """All operations."""
        for section in self.sections:
            yield from section.walk()
