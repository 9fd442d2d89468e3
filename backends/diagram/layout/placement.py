"""Where things of a figure stand: operations in their own coordinates, wires, gaps between columns, sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.figure import DrawnTensor, Section, WireSlot
from ogive.backends.diagram.figure.geometry import Item
from ogive.backends.diagram.figure.labels import text_width
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
    spare: float = 0.0  # the room that was left beside it, if it has a body


@dataclass(slots=True)
class Heights:
    """The height of the first wire of each tensor, and of the upper side of each operation."""

    tensors: dict[str, float]
    ops: dict[str, float]


@dataclass(frozen=True, slots=True)
class ThickBar:
    """Where a bundle takes its wires together, or lets them go: heights of the wires, those with dots, the bundle's."""

    tid: str
    ports: tuple[float, ...]
    dots: tuple[float, ...]
    y: float
    track: int = 0

    @property
    def reach(self) -> tuple[float, float]:
        """From its upper to its lower end."""
        return min(*self.ports, self.y), max(*self.ports, self.y)


@dataclass(slots=True)
class Gap:
    """The room around a boundary: bars, bends away from the last column, labels, bends toward the next one, bars."""

    start: float
    begin: float  # of bends away
    label: float
    bend: float  # where bends begin that lead toward the next column
    turn: float  # where they end
    end: float
    away: dict[str, Jump] = field(default_factory=dict)  # by wire, on the left of the labels
    toward: dict[str, Jump] = field(default_factory=dict)  # on their right
    opened: list[ThickBar] = field(default_factory=list)  # bars on the left of the labels
    closed: list[ThickBar] = field(default_factory=list)  # on their right


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
    bundles: frozenset[str] = frozenset()  # tensors that are one thick line
    kept: Mapping[str, str] = field(default_factory=dict)  # tensors that end under a name, and which
    read: Mapping[str, str] = field(default_factory=dict)  # tensors that begin by a name
    across: frozenset[str] = frozenset()  # tensors that go on beside the row
    first: bool = True  # of the rows of a wrapped section
    last: bool = True
    risen: bool = False  # whether it goes on from a row that stands under it
    rises: bool = False  # whether the next row stands over it

    @property
    def crossings(self) -> int:
        """How many pairs of wires cross, those of bodies included."""
        here = sum(_crossed(gap.away, gap.opened) + _crossed(gap.toward, gap.closed) for gap in self.gaps)
        ops = [op.oid for column in self.section.columns for op in column.ops]
        return here + sum(body.crossings for oid in ops for body, _, _ in self.pieces[oid].bodies)

    def stretch(self, wide: float) -> None:
        """Make it as wide as that: longer wires in the gaps between operations."""
        copies = [all(op.glyph == "copy" for op in column.ops) for column in self.section.columns]
        inner = [at for at in range(1, len(self.gaps) - 1) if not copies[at - 1]] or [0, len(self.gaps) - 1]
        more = (wide - self.width) / len(inner)
        moved = 0.0
        for at, gap in enumerate(self.gaps if more > 0 else ()):
            gap.start, gap.begin, gap.label = gap.start + moved, gap.begin + moved, gap.label + moved
            moved += more if at in inner else 0.0
            gap.bend, gap.turn, gap.end = gap.bend + moved, gap.turn + moved, gap.end + moved
        self.width += moved

    def middle(self, tensor: DrawnTensor) -> float:
        """The height of the middle of a tensor."""
        wires = 1 if tensor.tid in self.bundles else len(tensor.slots)
        return self.heights.tensors[tensor.tid] + max(wires - 1, 0) * self.theme.pitch / 2


def label_room(slot: WireSlot, theme: Theme) -> float:
    """How wide the label of a wire is, or what may stand in place of it."""
    return max(text_width(text, theme.label, theme.least) for text in (slot.label, slot.room))


def _crossed(jumps: Mapping[str, Jump], bars: Iterable[ThickBar]) -> int:
    """The crossings in a gap: each wire that runs through a bar without being one of its own is one."""
    bars = list(bars)
    lines = [Jump(bar.y, min(bar.ports, key=lambda port, bar=bar: abs(port - bar.y))) for bar in bars]  # type: ignore[misc]
    found = crossings([*jumps.values(), *lines])
    for bar in bars:
        low, high = min(bar.ports), max(bar.ports)
        found += sum(low < j.end < high and j.end not in bar.ports for j in jumps.values())
    return found
