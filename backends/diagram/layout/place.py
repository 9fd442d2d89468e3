"""A section, placed: columns from left to right, heights from `solve`, bends in the gaps alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ogive.backends.diagram.figure.figure import Change, DrawnTensor, Op, Section, WireSlot
from ogive.backends.diagram.figure.geometry import Command, Group, Item, Path, Text, joined, line, moved
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.nested import Rows, nested
from ogive.backends.diagram.layout.placement import Gap, OpDrawing, Placed
from ogive.backends.diagram.layout.route import Jump, Routes, routes, width
from ogive.backends.diagram.layout.row_connectors import hooks
from ogive.backends.diagram.layout.solve import heights
from ogive.backends.diagram.layout.symbols import arrow, piece

NEAR = 70.0  # parts of a dashed line that are no further apart are one
SEPARATOR = 22.0  # from a dashed line to the first wire of the tensor under it
NEW = ("out", "fresh", "merge", "unmerge", "regroup", "cat", "uncat")  # links after which a wire is labelled


def place(
    section: Section, theme: Theme, above: Mapping[str, float] | None = None, known: frozenset[str] | None = None,
    *, rows: Rows, pieces: Mapping[str, OpDrawing] | None = None, ends: bool | None = None,
) -> Placed:  # fmt: skip
    """Find a place for everything.

    `known` are wires of a body that are labelled outside of it (None: this is no body), `pieces` what is drawn already,
    `ends` whether the last boundary has labels, `rows` how bodies are laid out.
    """
    made = dict(pieces or {})
    for at, column in enumerate(section.columns):
        left = {t.tid: t for t in section.boundaries[at]}
        right = {t.tid: t for t in section.boundaries[at + 1]}
        for op in column.ops:
            if op.oid not in made:
                around = (op, left, right, theme)
                made[op.oid] = nested(*around, rows, painted) if op.bodies else piece(*around)
    placed = Placed(section, theme, made, heights(section, made, theme, dict(above or {})))
    placed.labelled = list(_labelled(section, known or frozenset(), known is None if ends is None else ends))
    _columns(placed)
    return placed


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
    section, theme = placed.section, placed.theme
    x = 0.0
    for at, boundary in enumerate(section.boundaries):
        away = _jumps(placed, at - 1, after=True) if at else {}
        toward = _jumps(placed, at, after=False) if at < len(section.columns) else {}
        slots = [s for t in boundary for s in t.slots if s.sid in placed.labelled[at]]
        wide = max((text_width(s.label, theme.label, theme.least) + 8 for s in slots if s.label), default=0.0)
        wide = max(wide, 12.0 if any(s.role == "dtype" for s in slots) else 0.0, _parted(placed, at))
        gap = Gap(x, x + width(away.values()), 0, 0, away, toward)
        gap.bend = gap.label + max(wide, 4.0)
        gap.end = gap.bend + width(toward.values())
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


def _parted(placed: Placed, at: int) -> float:
    """Room for a dashed line over a tensor that is alive at this boundary alone."""
    sections = placed.section.boundaries
    beside = {t.tid for i in (at - 1, at + 1) if 0 <= i < len(sections) for t in sections[i]}
    return 20.0 if any(t.tid not in beside for t in sections[at][1:]) else 0.0


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
        for i, slot in enumerate(tensor.slots):
            y = placed.heights.tensors[tensor.tid] + i * pitch
            port = ports.get(slot.sid, y)
            found[slot.sid] = Jump(port, y) if after else Jump(y, port)
    return found


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
    return [*_separators(placed), *joined(wires), *items, *_arrows(placed), *_labels(placed), *hooks(placed)]


@dataclass(slots=True)
class _Ends:
    """Where a tensor comes from and where it goes: the boundary, and the heights of its wires at the operation."""

    first: int = 0
    last: int = 0
    maker: Op | None = None
    user: Op | None = None


def _lives(section: Section) -> dict[str, _Ends]:
    lives: dict[str, _Ends] = {}
    for at, boundary in enumerate(section.boundaries):
        for tensor in boundary:
            lives.setdefault(tensor.tid, _Ends(at, at)).last = at
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
    ways = [(routes(gap.away.values()), routes(gap.toward.values())) for gap in placed.gaps]
    tensors = {t.tid: t for b in section.boundaries for t in b}
    for tid, ends in _lives(section).items():
        y = placed.heights.tensors[tid]
        change = _change(ends)
        for i, slot in enumerate(tensors[tid].slots):
            commands = _run(placed, ends, slot, y + i * placed.theme.pitch, ways)
            yield Path(commands, "wire", axis=slot.axis, change=change, wrong=tensors[tid].wrong)


def _change(ends: _Ends) -> Change:
    """What leads to an operation that came or went did so too; what changed has the wires it had."""
    for op in (ends.maker, ends.user):
        if op is not None and op.change in ("added", "removed"):
            return op.change
    return ""


def _run(
    placed: Placed, ends: _Ends, slot: WireSlot, y: float, ways: list[tuple[Routes, Routes]]
) -> tuple[Command, ...]:
    first, last = placed.gaps[ends.first], placed.gaps[ends.last]
    x = first.start
    commands: list[Command] = []
    if ends.maker is not None:
        made = placed.pieces[ends.maker.oid]
        jump = first.away[slot.sid]
        commands += line((placed.gaps[ends.first - 1].end + made.width, jump.start), (x, jump.start))
        commands += ways[ends.first][0].bend(jump, x, first.label)
    else:
        commands += line((x, y), (first.label, y))
    commands.append(("L", (last.bend, y)))
    if ends.user is not None:
        jump = last.toward[slot.sid]
        commands += ways[ends.last][1].bend(jump, last.bend, last.end)
    else:
        commands.append(("L", (last.end, y)))
    return tuple(commands)


def _separators(placed: Placed) -> Iterator[Path]:
    """A dashed line over each tensor that stands under another one, as long as it does."""
    parts: dict[float, list[tuple[float, float]]] = {}
    for tid, ends in _lives(placed.section).items():
        y = placed.heights.tensors[tid] - SEPARATOR
        start: float | None = None
        for at in range(ends.first, ends.last + 1):
            gap = placed.gaps[at]
            covered = placed.section.boundaries[at][0].tid != tid
            if covered and start is None:
                start = gap.label + 3
            if start is not None and (not covered or at == ends.last):
                parts.setdefault(round(y, 1), []).append((start, (gap if covered else placed.gaps[at - 1]).bend - 2))
                start = None
    for y, found in parts.items():
        for a, b in _whole(sorted(found), list(_floats(placed, y))):
            if b - a > 13:
                yield Path(line((a, y), (b, y)), "separator")


def _whole(parts: list[tuple[float, float]], texts: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Pieces of a dashed line that nothing stands between are one."""
    now: tuple[float, float] | None = None
    for part in parts:
        if now is not None and part[0] - now[1] < NEAR and not any(now[1] < b and a < part[0] for a, b in texts):
            now = now[0], max(now[1], part[1])
            continue
        if now is not None:
            yield now
        now = part
    if now is not None:
        yield now


def _floats(placed: Placed, y: float) -> Iterator[tuple[float, float]]:
    """From where to where an operation stands at this height."""
    for at, column in enumerate(placed.section.columns):
        for op in column.ops:
            top = placed.heights.ops[op.oid]
            if top - 3 < y < top + placed.pieces[op.oid].height + 3:
                yield placed.gaps[at].end, placed.gaps[at].end + placed.pieces[op.oid].width


def _arrows(placed: Placed) -> Iterator[Path]:
    for tid, ends in _lives(placed.section).items():
        gap = placed.gaps[ends.first]
        ended = {sid for link in ends.user.links if link.kind == "in" for sid in link.left} if ends.user else set()
        tensor = next(t for t in placed.section.boundaries[ends.first] if t.tid == tid)
        for i, slot in enumerate(tensor.slots):
            # an arrow into a glyph that stands next says the same
            if slot.role == "dtype" and not (slot.sid in ended and ends.first == ends.last):
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
