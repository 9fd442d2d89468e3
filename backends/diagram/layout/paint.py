"""A section that has places, as items: wires, bundles, dashed lines, labels, what is known of operations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ogive.backends.diagram.figure.figure import Change, Op, Section, WireSlot
from ogive.backends.diagram.figure.geometry import Command, Dot, Group, Item, Path, Text, joined, line, moved
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.layout.bundles import NAME, STUB, reach
from ogive.backends.diagram.layout.placement import Placed, label_room
from ogive.backends.diagram.layout.route import Routes, routes
from ogive.backends.diagram.layout.row_connectors import hooks
from ogive.backends.diagram.layout.symbols import arrow

NEAR = 70.0  # parts of a dashed line that are no further apart are one
CLEAR = 5.0  # between a dashed line and a caption
SEPARATOR = 22.0  # from a dashed line to the first wire of the tensor under it


def painted(placed: Placed) -> list[Item]:
    """The section as items: wires first, so that glyphs cover them."""
    items: list[Item] = []
    wires = list(_wires(placed))
    lines, over = _bundles(placed)
    for at, column in enumerate(placed.section.columns):
        for op in column.ops:
            made = placed.pieces[op.oid]
            x, y = placed.gaps[at].end, placed.heights.ops[op.oid]
            hidden = _met(placed, at, op, y)
            for item in (moved(item, x, y) for item in made.items if not (isinstance(item, Dot) and item in hidden)):
                if isinstance(item, Path) and item.style == "wire" and item.axis and not op.bodies:
                    wires.append(replace(item, owner=""))
                else:
                    items.append(item)
    dashes = _apart(list(_separators(placed)), items)
    return [*dashes, *lines, *joined(wires), *items, *over, *_arrows(placed), *_labels(placed), *hooks(placed)]


def _met(placed: Placed, at: int, op: Op, top: float) -> set[Dot]:
    """The dots of an operation at which nothing but a bundle arrives: they stand on its bar."""
    gap, made = placed.gaps[at], placed.pieces[op.oid]
    heights = {y for bar in gap.closed if bar.tid in op.inputs for y in bar.dots}
    if not heights or all(bar.dots == bar.ports and not bar.track for bar in gap.closed):
        return set()
    pairs = {made.left[sid] for link in op.links if link.kind == "join" and len(link.left) == 2 for sid in link.left}
    return {item for item in made.items if isinstance(item, Dot) and not item.x and item.y in pairs
            and item.y + top in heights}  # fmt: skip


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
        single = tid in placed.bundles
        for i, slot in enumerate(tensors[tid].slots[:1] if single else tensors[tid].slots):
            commands = _run(placed, ends, slot, y + i * placed.theme.pitch, ways)
            if single and len(tensors[tid].slots) > 1:
                yield Path(commands, "bundle", change=change, wrong=tensors[tid].wrong)
            else:
                yield Path(commands, "wire", axis=slot.axis, change=change, wrong=tensors[tid].wrong)


def _bundles(placed: Placed) -> tuple[list[Path], list[Item]]:
    """The bars of bundles with the wires that leave them, and what stands over these: dots, names of memories."""
    lines: list[Path] = []
    over: list[Item] = []
    tensors = {t.tid: t for b in placed.section.boundaries for t in b}
    for gap in placed.gaps:
        for after, bars in ((True, gap.opened), (False, gap.closed)):
            for bar in bars:
                x, end = reach(gap, bar, after), gap.start if after else gap.end
                low, high = bar.reach
                lines.append(Path(line((x, low), (x, high)), "bundle"))
                for slot, port in zip(tensors[bar.tid].slots, bar.ports, strict=True):
                    if x != end:
                        lines.append(Path(line(*sorted(((x, port), (end, port)))), "wire", axis=slot.axis))
                over += [Dot(x, port) for port in bar.dots]
    over += _memories(placed, lines)
    return lines, over


def _memories(placed: Placed, lines: list[Path]) -> Iterator[Text]:
    """The names of memories, before the tensors that begin by them and behind those that end under them."""
    for tid, ends in _lives(placed.section).items():
        for names, gap, style in ((placed.read, placed.gaps[ends.first], "read"),
                                  (placed.kept, placed.gaps[ends.last], "kept")):  # fmt: skip
            if tid not in names:
                continue
            tensor = next(t for t in placed.section.boundaries[ends.first] if t.tid == tid)
            y = placed.middle(tensor)
            single = tid in placed.bundles
            if single:
                x = gap.label + STUB if style == "kept" else gap.bend - NAME
            else:
                x = gap.bend - NAME if style == "kept" else gap.label
            if not single and len(tensor.slots) > 1:
                a, b = (x + NAME, x + NAME + STUB) if style == "read" else (x - STUB, x)
                bar = b if style == "read" else a
                heights = [placed.heights.tensors[tid] + i * placed.theme.pitch for i in (0, len(tensor.slots) - 1)]
                lines.append(Path(line((a, y), (b, y)), "bundle"))
                lines.append(Path(line((bar, heights[0]), (bar, heights[1])), "bundle"))
            yield Text(x + (4 if style == "kept" else 0), y + 4, names[tid], placed.theme.label, style, NAME - 4)


def _change(ends: _Ends) -> Change:
    """What leads to an operation that came or went did so too; what changed has the wires it had."""
    for op in (ends.maker, ends.user):
        if op is not None and op.change in ("added", "removed"):
            return op.change
    both = ends.maker is not None and ends.user is not None
    return "marked" if both and ends.maker.change == ends.user.change == "marked" else ""  # type: ignore[union-attr]


def _run(
    placed: Placed, ends: _Ends, slot: WireSlot, y: float, ways: list[tuple[Routes, Routes]]
) -> tuple[Command, ...]:
    last = placed.gaps[ends.last]
    tid = slot.sid.rsplit(".", 1)[0]
    single = tid in placed.bundles
    commands = list(_begun(placed, ends, slot, y, ways, tid))
    if tid in placed.kept:
        stop = last.label + STUB if single else last.bend - NAME - STUB
        return (*commands, ("L", (max(stop, commands[-1][1][-2]), y)))
    bar = next((bar for bar in last.closed if bar.tid == tid), None)
    if bar is not None:
        return (*commands, ("L", (reach(last, bar, False), y)))
    commands.append(("L", (last.bend, y)))
    if ends.user is not None:
        jump = last.toward[slot.sid]
        commands += ways[ends.last][1].bend(jump, last.bend, last.turn)
    return (*commands, ("L", (last.end, commands[-1][1][-1])))


def _begun(
    placed: Placed, ends: _Ends, slot: WireSlot, y: float, ways: list[tuple[Routes, Routes]], tid: str
) -> Iterator[Command]:
    """The wire as far as the labels."""
    first, single = placed.gaps[ends.first], tid in placed.bundles
    bar = next((bar for bar in first.opened if bar.tid == tid), None)
    if tid in placed.read:
        start = first.bend if single else first.label + NAME + STUB
        yield from line((start, y), (max(start, first.label), y))
    elif bar is not None:
        yield from line((reach(first, bar, True), y), (first.label, y))
    elif ends.maker is not None:
        made = placed.pieces[ends.maker.oid]
        jump = first.away[slot.sid]
        yield from line((placed.gaps[ends.first - 1].end + made.width, jump.start), (first.begin, jump.start))
        yield from ways[ends.first][0].bend(jump, first.begin, first.label)
    else:
        yield from line((first.start, y), (first.label, y))


def _separators(placed: Placed) -> Iterator[Path]:
    """A dashed line over each tensor that stands under another one, as long as it does."""
    parts: dict[float, list[tuple[float, float]]] = {}
    for tid, ends in _lives(placed.section).items():
        if tid in placed.bundles:
            continue
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


def _apart(lines: list[Path], items: list[Item]) -> Iterator[Path]:
    """Dashed lines, a little away from the captions that stand at their height."""
    texts = [item.box for item in items if isinstance(item, Text) and item.style == "caption"]
    for each in lines:
        ((a, y),), ((b, _),) = ([points] for _, points in each.commands)
        near = [(left - CLEAR, right + CLEAR) for left, top, right, bottom in texts if top - 2 < y < bottom + 2]
        for left, right in near:
            a = right if left < a < right else a
            b = left if left < b < right else b
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
        for i, slot in enumerate(() if tid in placed.bundles else tensor.slots):
            # an arrow into a glyph that stands next says the same
            if slot.role == "dtype" and not (slot.sid in ended and ends.first == ends.last):
                y = placed.heights.tensors[tid] + i * placed.theme.pitch
                kept = tid in placed.kept and ends.first == ends.last  # then it ends before the name
                yield arrow(max(gap.label, gap.bend - 8 - (NAME + STUB if kept else 0.0)), y)


def _labels(placed: Placed) -> Iterator[Text]:
    theme = placed.theme
    for at, boundary in enumerate(placed.section.boundaries):
        gap = placed.gaps[at]
        for tensor in boundary:
            for i, slot in enumerate(tensor.slots):
                if slot.sid not in placed.labelled[at] or not slot.label or tensor.tid in placed.bundles:
                    continue
                y = placed.heights.tensors[tensor.tid] + i * theme.pitch - 4
                wide = text_width(slot.label, theme.label, theme.least)
                style = "bold" if slot.role == "pack" else "label"
                x = gap.label + 3 + (NAME + STUB if tensor.tid in placed.read else 0)
                spots = ((slot.label, slot.measure),) if slot.measure else ()
                yield Text(x, y, slot.label, theme.label, style, wide, axis=slot.axis, spots=spots,
                           room=label_room(slot, theme) if spots else 0.0)  # fmt: skip


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
                op.oid, name, op.where, op.attr("path"), op.attr("block"), op.wrong, box, core, bool(made.bodies),
                op.oid,
            )  # fmt: skip
            for body, right, down in made.bodies:
                yield from groups(body, x + right, y + down)
