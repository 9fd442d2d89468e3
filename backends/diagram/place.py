"""A section, placed: columns from left to right, heights from `solve`, bends in the gaps alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure import Change, Op, Section, Slot, Tensor
from ogive.backends.diagram.geometry import Command, Group, Item, Path, Text, bend, joined, line, moved
from ogive.backends.diagram.labels import text_width
from ogive.backends.diagram.nested import nested
from ogive.backends.diagram.pieces import Piece, arrow, piece
from ogive.backends.diagram.solve import Heights, heights
from ogive.backends.diagram.theme import Theme

SEPARATOR = 22.0  # from a dashed line to the first wire of the tensor under it
NEW = ("out", "fresh", "merge", "unmerge", "regroup", "cat", "uncat")  # links after which a wire is labelled


@dataclass(slots=True)
class Gap:
    """The room around a boundary: bends away from the last column, labels, bends toward the next one."""

    start: float
    label: float
    bend: float
    end: float


@dataclass(slots=True)
class Placed:
    """Where everything of a section stands; (0, 0) is its upper left."""

    section: Section
    theme: Theme
    pieces: dict[str, Piece]
    heights: Heights
    gaps: list[Gap] = field(default_factory=list)
    labelled: list[set[str]] = field(default_factory=list)
    width: float = 0
    height: float = 0

    def port(self, sid: str, y: float) -> float:
        """The height of a wire of a tensor whose first wire is at `y`."""
        return y + self._row[sid] * self.theme.pitch

    @property
    def _row(self) -> dict[str, int]:
        return {s.sid: i for b in self.section.boundaries for t in b for i, s in enumerate(t.slots)}


def place(section: Section, theme: Theme, above: dict[str, float] | None = None, inner: bool = False) -> Placed:
    """Find a place for everything."""
    pieces: dict[str, Piece] = {}
    for at, column in enumerate(section.columns):
        left = {t.tid: t for t in section.boundaries[at]}
        right = {t.tid: t for t in section.boundaries[at + 1]}
        for op in column.ops:
            pieces[op.oid] = _piece(op, left, right, theme)
    placed = Placed(section, theme, pieces, heights(section, pieces, theme, above))
    placed.labelled = list(_labelled(section, inner))
    _columns(placed)
    return placed


def _piece(op: Op, left: dict[str, Tensor], right: dict[str, Tensor], theme: Theme) -> Piece:
    if not op.bodies:
        return piece(op, left, right, theme)
    return nested(op, left, right, theme, place, painted)


def _labelled(section: Section, inner: bool) -> Iterator[set[str]]:
    """At each boundary, the wires that begin there; at the end all, but not inside another operation."""
    yield {slot.sid for tensor in section.boundaries[0] for slot in tensor.slots}
    for at, column in enumerate(section.columns):
        new = {sid for op in column.ops for link in op.links if link.kind in NEW for sid in link.right}
        several = [op.outputs for op in column.ops if op.source and len(op.outputs) > 1]
        names = {tid for outputs in several for tid in outputs}
        new |= {slot.sid for t in section.boundaries[at + 1] if t.tid in names for slot in t.slots}
        if at == len(section.columns) - 1 and not inner:
            stays = {t.tid for t in section.boundaries[-2]}
            last = [t for t in section.boundaries[-1] if t.tid not in stays or at == 0 or not _born(section, t, at)]
            new |= {slot.sid for tensor in last for slot in tensor.slots}
        yield new


def _born(section: Section, tensor: Tensor, at: int) -> bool:
    """Whether a tensor comes from the column before this one, so that its labels stand there."""
    return at > 0 and tensor.tid not in {t.tid for t in section.boundaries[at - 1]}


def _columns(placed: Placed) -> None:
    """Widths, left to right."""
    section, theme = placed.section, placed.theme
    x = 0.0
    for at, boundary in enumerate(section.boundaries):
        away = _jump(placed, at - 1, after=True) if at else 0
        toward = _jump(placed, at, after=False) if at < len(section.columns) else 0
        slots = [s for t in boundary for s in t.slots if s.sid in placed.labelled[at]]
        wide = max((text_width(s.label, theme.label, theme.least) + 8 for s in slots if s.label), default=0.0)
        wide = max(wide, 12.0 if any(s.role == "dtype" for s in slots) else 0.0)
        gap = Gap(x, x + _zone(away), 0, 0)
        gap.bend = gap.label + max(wide, 4.0)
        gap.end = gap.bend + _zone(toward)
        if at and at < len(section.columns):
            gap.end = max(gap.end, gap.start + (6 if _copies(section, at - 1) else theme.gap))
        placed.gaps.append(gap)
        x = gap.end
        if at < len(section.columns):
            x += max(placed.pieces[op.oid].width for op in section.columns[at].ops)
    placed.width = x
    bottoms = [placed.heights.ops[op.oid] + placed.pieces[op.oid].height for c in section.columns for op in c.ops]
    for boundary in section.boundaries:
        bottoms += [placed.heights.tensors[t.tid] + len(t.slots) * theme.pitch - 6 for t in boundary]
    placed.height = max(bottoms, default=0.0)


def _copies(section: Section, at: int) -> bool:
    return all(op.glyph == "copy" for op in section.columns[at].ops)


def _zone(jump: float) -> float:
    """How much room wires need to change their height by so much."""
    return 0.0 if jump < 0.5 else min(max(0.5 * jump, 14.0), 64.0)


def _jump(placed: Placed, at: int, after: bool) -> float:
    """The largest change of height between the tensors and the operations of a column."""
    boundary = placed.section.boundaries[at + 1 if after else at]
    lanes = {t.tid: t for t in boundary}
    jumps = [0.0]
    for op in placed.section.columns[at].ops:
        made, top = placed.pieces[op.oid], placed.heights.ops[op.oid]
        for tid in op.outputs if after else op.inputs:
            ports = made.right if after else made.left
            y = placed.heights.tensors[tid]
            jumps += [abs(y + i * placed.theme.pitch - top - ports[s.sid]) for i, s in enumerate(lanes[tid].slots)]
    return max(jumps)


def painted(placed: Placed) -> list[Item]:
    """The section as items: wires first, so that glyphs cover them."""
    items: list[Item] = []
    wires: list[Path] = []
    for path in _wires(placed):
        wires.append(path)
    for at, column in enumerate(placed.section.columns):
        for op in column.ops:
            made = placed.pieces[op.oid]
            x, y = placed.gaps[at].end, placed.heights.ops[op.oid]
            for item in (moved(item, x, y) for item in made.items):
                if isinstance(item, Path) and item.style == "wire" and item.axis and not op.bodies:
                    wires.append(replace(item, owner=""))
                else:
                    items.append(item)
    return [*_separators(placed), *joined(wires), *items, *_arrows(placed), *_labels(placed)]


@dataclass(slots=True)
class _Ends:
    """Where a tensor comes from and where it goes: the boundary, and the heights of its wires at the operation."""

    born: int = 0
    dies: int = 0
    maker: Op | None = None
    user: Op | None = None


def _lives(section: Section) -> dict[str, _Ends]:
    lives: dict[str, _Ends] = {}
    for at, boundary in enumerate(section.boundaries):
        for tensor in boundary:
            lives.setdefault(tensor.tid, _Ends(at, at)).dies = at
    for column in section.columns:
        for op in column.ops:
            for tid in op.inputs:
                lives[tid].user = op
            for tid in op.outputs:
                lives[tid].maker = op
    return lives


def _wires(placed: Placed) -> Iterator[Path]:
    """Each wire of each tensor, from the operation that makes it to the one that reads it."""
    section = placed.section
    tensors = {t.tid: t for b in section.boundaries for t in b}
    for tid, ends in _lives(section).items():
        y = placed.heights.tensors[tid]
        change = _change(ends)
        for i, slot in enumerate(tensors[tid].slots):
            commands = _run(placed, ends, slot, y + i * placed.theme.pitch)
            yield Path(commands, "wire", axis=slot.axis, change=change, wrong=tensors[tid].wrong)


def _change(ends: _Ends) -> Change:
    for op in (ends.maker, ends.user):
        if op is not None and op.change:
            return op.change
    return ""


def _run(placed: Placed, ends: _Ends, slot: Slot, y: float) -> tuple[Command, ...]:
    first, last = placed.gaps[ends.born], placed.gaps[ends.dies]
    x = first.start
    commands: list[Command] = []
    if ends.maker is not None:
        made = placed.pieces[ends.maker.oid]
        port = placed.heights.ops[ends.maker.oid] + made.right[slot.sid]
        commands += line((placed.gaps[ends.born - 1].end + made.width, port), (x, port))
        commands += bend(x, port, first.label, y)
    else:
        commands += line((x, y), (first.label, y))
    commands.append(("L", (last.bend, y)))
    if ends.user is not None:
        port = placed.heights.ops[ends.user.oid] + placed.pieces[ends.user.oid].left[slot.sid]
        commands += bend(last.bend, y, last.end, port)
    else:
        commands.append(("L", (last.end, y)))
    return tuple(commands)


def _separators(placed: Placed) -> Iterator[Path]:
    """A dashed line over each tensor that stands under another one, as long as it does."""
    lives = _lives(placed.section)
    for tid, ends in lives.items():
        y = placed.heights.tensors[tid] - SEPARATOR
        start: float | None = None
        for at in range(ends.born, ends.dies + 1):
            gap = placed.gaps[at]
            covered = placed.section.boundaries[at][0].tid != tid
            if covered and start is None:
                start = gap.label + 5
            if start is not None and (not covered or at == ends.dies):
                stop = (gap if covered else placed.gaps[at - 1]).bend - 2
                if stop - start > 14:
                    yield Path(line((start, y), (stop, y)), "separator")
                start = None


def _arrows(placed: Placed) -> Iterator[Path]:
    for tid, ends in _lives(placed.section).items():
        gap = placed.gaps[ends.born]
        tensor = next(t for t in placed.section.boundaries[ends.born] if t.tid == tid)
        for i, slot in enumerate(tensor.slots):
            if slot.role == "dtype":
                y = placed.heights.tensors[tid] + i * placed.theme.pitch
                yield arrow(max(gap.label, gap.bend - 8), y)


def _labels(placed: Placed) -> Iterator[Text]:
    theme = placed.theme
    for at, boundary in enumerate(placed.section.boundaries):
        gap = placed.gaps[at]
        for tensor in boundary:
            for i, slot in enumerate(tensor.slots):
                if slot.sid not in placed.labelled[at] or not slot.label:
                    continue
                y = placed.heights.tensors[tensor.tid] + i * theme.pitch - 4
                wide = text_width(slot.label, theme.label, theme.least)
                style = "bold" if slot.role == "pack" else "label"
                yield Text(gap.label + 3, y, slot.label, theme.label, style, wide, axis=slot.axis)


def groups(placed: Placed, dx: float, dy: float) -> Iterator[Group]:
    """What is known of each operation, and where it stands."""
    for at, column in enumerate(placed.section.columns):
        for op in column.ops:
            made = placed.pieces[op.oid]
            x, y = dx + placed.gaps[at].end, dy + placed.heights.ops[op.oid]
            box = (x, y, x + made.width, y + made.height)
            name = op.text or op.above or op.source or op.glyph
            core = made.core and (x + made.core[0], y + made.core[1], x + made.core[2], y + made.core[3])
            yield Group(
                op.oid, name, op.where, op.attr("path"), op.attr("block"), op.wrong, box, core, bool(made.bodies)
            )
            for body, right, down in made.bodies:
                yield from groups(body, x + right, y + down)
