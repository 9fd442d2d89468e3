"""Where things of a figure stand: operations in their own coordinates, wires, gaps between columns, sections."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.backends.diagram.figure.figure import DrawnTensor, Section
from ogive.backends.diagram.figure.geometry import Item
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.route import Jump, crossings


@dataclass(slots=True)
class OpDrawing:
    """The drawing of one operation in its own coordinates, (0, 0) at its upper left."""

    width: float
    height: float
    left: dict[str, float]
    right: dict[str, float]
    items: list[Item] = field(default_factory=list)
    core: tuple[float, float, float, float] | None = None  # the glyph that no other wire may enter
    bodies: list[tuple[Placed, float, float]] = field(default_factory=list)  # what stands in it, and where


@dataclass(slots=True)
class Heights:
    """The height of the first wire of each tensor, and of the upper side of each operation."""

    tensors: dict[str, float]
    ops: dict[str, float]


@dataclass(slots=True)
class Gap:
    """The room around a boundary: bends away from the last column, labels, bends toward the next one."""

    start: float
    label: float
    bend: float
    end: float
    away: dict[str, Jump] = field(default_factory=dict)  # by wire, on the left of the labels
    toward: dict[str, Jump] = field(default_factory=dict)  # on their right


@dataclass(slots=True)
class Placed:
    """Where everything of a section stands; (0, 0) is its upper left."""

    section: Section
    theme: Theme
    pieces: dict[str, OpDrawing]
    heights: Heights
    gaps: list[Gap] = field(default_factory=list)
    labelled: list[set[str]] = field(default_factory=list)
    width: float = 0
    height: float = 0
    first: bool = True  # of the rows of a wrapped section
    last: bool = True

    @property
    def crossings(self) -> int:
        """How many pairs of wires cross, those of bodies included."""
        here = sum(crossings(gap.away.values()) + crossings(gap.toward.values()) for gap in self.gaps)
        ops = [op.oid for column in self.section.columns for op in column.ops]
        return here + sum(body.crossings for oid in ops for body, _, _ in self.pieces[oid].bodies)

    def middle(self, tensor: DrawnTensor) -> float:
        """The height of the middle of a tensor."""
        return self.heights.tensors[tensor.tid] + max(len(tensor.slots) - 1, 0) * self.theme.pitch / 2
