"""A section, placed: columns from left to right, heights from `solve`, bends in the gaps alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ogive.backends.diagram.figure.figure import DrawnTensor, Op, Section
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.bundles import bars, bundled, copied, named_width, room
from ogive.backends.diagram.layout.memories import RowPart
from ogive.backends.diagram.layout.nested import Rows, nested
from ogive.backends.diagram.layout.paint import painted
from ogive.backends.diagram.layout.placement import Gap, OpDrawing, Placed, label_room
from ogive.backends.diagram.layout.route import Jump, width
from ogive.backends.diagram.layout.solve import heights
from ogive.backends.diagram.layout.symbols import piece

HOOKED = 40.0  # room for arrows between rows
DEEP = 5  # bodies in one another, up to which three narrower widths are tried; each try lays out all that is inside
APART = 20.0  # from a bar where one bundle begins to one where another ends
NEW = ("out", "fresh", "merge", "unmerge", "regroup", "cat", "uncat")  # links after which a wire is labelled


def place(
    section: Section, theme: Theme, above: Mapping[str, float] | None = None, known: frozenset[str] | None = None,
    *, rows: Rows, pieces: Mapping[str, OpDrawing] | None = None, ends: bool | None = None, part: RowPart | None = None,
    spare: Mapping[str, float] | None = None, wide: dict[str, OpDrawing] | None = None,
) -> Placed:  # fmt: skip
    """Find a place for everything.

    `known` are wires of a body that are labelled outside of it (None: this is no body), `pieces` what is drawn already,
    `ends` whether the last boundary has labels, `rows` how bodies are laid out, `part` the row that the section is,
    `spare` the room beside operations with bodies, `wide` (filled here) their drawings at the whole width.
    """
    made = dict(pieces or {})
    wide = {} if wide is None else wide
    part = part or RowPart(section)
    for at, column in enumerate(section.columns):
        left = {t.tid: t for t in section.boundaries[at]}
        right = {t.tid: t for t in section.boundaries[at + 1]}
        for op in column.ops:
            if op.oid not in made:
                around = (op, left, right, theme)
                room_left = (spare or {}).get(op.oid, 0.0)
                made[op.oid] = _fitted(*around, rows, room_left, wide) if op.bodies else piece(*around)
    bundles = bundled(section, made, {*part.kept, *part.across}, {*part.read, *part.across})
    tensors = {t.tid: t for boundary in section.boundaries for t in boundary}
    copies = (op for column in section.columns for op in column.ops if op.glyph == "copy")
    made |= {op.oid: copied(op, tensors) for op in copies if op.inputs[0] in bundles}
    placed = Placed(section, theme, made, heights(section, made, theme, dict(above or {}), bundles))
    placed.bundles, placed.kept, placed.read, placed.across = bundles, part.kept, part.read, part.across
    placed.labelled = list(_labelled(section, known or frozenset(), known is None if ends is None else ends))
    begun = {s.sid for b in section.boundaries[1:] for t in b if t.tid in part.read for s in t.slots}
    for tids in placed.labelled[1:] if begun else ():
        tids |= begun
    _columns(placed)
    return placed


def _fitted(
    op: Op, left: dict[str, DrawnTensor], right: dict[str, DrawnTensor], theme: Theme, rows: Rows, spare: float,
    wide: dict[str, OpDrawing],
) -> OpDrawing:  # fmt: skip
    """An operation with a body that leaves `spare` room of the width, if it can."""
    sides = ([slot for tid in tids for slot in tensors[tid].slots]
             for tids, tensors in ((op.inputs, left), (op.outputs, right)))  # fmt: skip
    labels = sum(max((label_room(slot, theme) + 8 for slot in side), default=0.0) for side in sides)
    spare = spare or labels
    most = theme.width - spare - HOOKED
    if op.oid not in wide:
        wide[op.oid] = nested(op, left, right, theme, rows, painted)
    made, narrow = wide[op.oid], theme
    for _ in range(3 if depth(op) <= DEEP else 1):
        if made.width <= most or narrow.width < 0.3 * theme.width:
            break
        narrow = replace(narrow, width=narrow.width - (made.width - most))
        other = nested(op, left, right, narrow, rows, painted)
        made = other if other.width < made.width else made
    made.spare = spare
    return made


def depth(op: Op) -> int:
    """How many bodies stand in one another in an operation, 0 if it has none; those of a choice count together."""
    inner = (depth(other) for body in op.bodies for column in body.columns for other in column.ops)
    return len(op.bodies) + max(inner, default=0)


def _labelled(section: Section, known: frozenset[str], ends: bool) -> Iterator[set[str]]:
    """At each boundary, the wires that begin there and are not known by that name; where it ends, all."""
    yield {slot.sid for tensor in section.boundaries[0] for slot in tensor.slots} - known
    for at, column in enumerate(section.columns):
        names = [{s.sid: (s.axis, s.label) for t in b for s in t.slots} for b in section.boundaries[at : at + 2]]
        new: set[str] = set()
        for op in column.ops:
            before = {names[0][sid] for link in op.links for sid in link.left}
            begun = {sid for link in op.links if link.kind in NEW for sid in link.right}
            begun |= {sid for link in op.links for sid in link.right if _renamed(names[0], link.left, names[1][sid][1])}
            if op.source and len(op.outputs) > 1:
                begun = {s.sid for t in section.boundaries[at + 1] if t.tid in op.outputs for s in t.slots}
                before = set()
            inner = {s.sid: s.label for body in op.bodies for t in body.boundaries[-1] for s in t.slots}
            begun -= {o for i, o in op.leave if inner[i] == names[1][o][1]}  # the body has said so
            new |= {sid for sid in begun if names[1][sid] not in before}
        if at == len(section.columns) - 1 and ends:
            stays = {t.tid for t in section.boundaries[-2]}
            last = [t for t in section.boundaries[-1] if t.tid not in stays or at == 0 or not _born(section, t, at)]
            new |= {slot.sid for tensor in last for slot in tensor.slots}
        yield new


def _renamed(before: Mapping[str, tuple[str, str]], left: tuple[str, ...], label: str) -> bool:
    """Whether the axis had another name before."""
    return bool(left) and label not in {before[sid][1] for sid in left}


def _born(section: Section, tensor: DrawnTensor, at: int) -> bool:
    """Whether a tensor comes from the column before this one, so that its labels stand there."""
    return at > 0 and tensor.tid not in {t.tid for t in section.boundaries[at - 1]}


def _columns(placed: Placed) -> None:
    """Widths, left to right."""
    section, theme, bundles = placed.section, placed.theme, placed.bundles
    x = 0.0
    for at in range(len(section.boundaries)):
        away = _jumps(placed, at - 1, after=True) if at else {}
        toward = _jumps(placed, at, after=False) if at < len(section.columns) else {}
        opened = bars(placed, at - 1, after=True) if at else []
        closed = bars(placed, at, after=False) if at < len(section.columns) else []
        begin = x + room(opened, after=True)
        label = begin + width(away.values())
        bend = label + max(_wide(placed, at), _parted(placed, at), 4.0)
        turn = bend + width(toward.values())
        gap = Gap(x, begin, label, bend, turn, turn + room(closed, after=False), away, toward, opened, closed)
        if at and at < len(section.columns):
            gap.end = max(gap.end, gap.start + (6 if _copies(section, at - 1) else theme.gap))
        if opened and closed:
            gap.end = max(gap.end, gap.start + room(opened, after=True) + room(closed, after=False) + APART)
        placed.gaps.append(gap)
        x = gap.end
        if at < len(section.columns):
            x += max((placed.pieces[op.oid].width for op in section.columns[at].ops), default=0.0)
    placed.width = x
    bottoms = [placed.heights.ops[op.oid] + placed.pieces[op.oid].height for c in section.columns for op in c.ops]
    for boundary in section.boundaries:
        single = [t.tid for t in boundary if t.tid in bundles]
        bottoms += [placed.heights.tensors[tid] + 6 for tid in single]
        bottoms += [
            placed.heights.tensors[t.tid] + len(t.slots) * theme.pitch - 6 for t in boundary if t.tid not in single
        ]
    placed.height = max(bottoms, default=0.0)


def _wide(placed: Placed, at: int) -> float:
    """Room for the labels at a boundary, and for the names of memories."""
    theme, found = placed.theme, 0.0
    for tensor in placed.section.boundaries[at]:
        slots = [s for s in tensor.slots if s.sid in placed.labelled[at] and tensor.tid not in placed.bundles]
        wide = max((label_room(s, theme) + 8 for s in slots if s.label), default=0.0)
        wide = max(wide, 12.0 if any(s.role == "dtype" for s in slots) else 0.0)
        found = max(found, wide + named_width(placed, tensor))
    return found


def _parted(placed: Placed, at: int) -> float:
    """Room for a dashed line over a tensor that is alive at this boundary alone."""
    sections = placed.section.boundaries
    beside = {t.tid for i in (at - 1, at + 1) if 0 <= i < len(sections) for t in sections[i]}
    alone = (t.tid for t in sections[at][1:] if t.tid not in placed.bundles)
    return 20.0 if any(tid not in beside for tid in alone) else 0.0


def _copies(section: Section, at: int) -> bool:
    return all(op.glyph == "copy" for op in section.columns[at].ops)


def _jumps(placed: Placed, at: int, after: bool) -> dict[str, Jump]:
    """What each wire does between the tensors and the operations of a column, from left to right."""
    boundary = placed.section.boundaries[at + 1 if after else at]
    pitch = placed.theme.pitch
    ports: dict[str, float] = {}
    for op in placed.section.columns[at].ops:
        made, top = placed.pieces[op.oid], placed.heights.ops[op.oid]
        ports |= {sid: top + y for sid, y in (made.right if after else made.left).items()}
    found = {}
    for tensor in boundary:
        single = tensor.tid in placed.bundles
        spread = single and len({round(ports.get(s.sid, 0.0)) for s in tensor.slots}) > 1  # a bar leads there
        for i, slot in enumerate(() if spread else tensor.slots[:1] if single else tensor.slots):
            y = placed.heights.tensors[tensor.tid] + i * pitch
            port = ports.get(slot.sid, y)
            found[slot.sid] = Jump(port, y) if after else Jump(y, port)
    return found
