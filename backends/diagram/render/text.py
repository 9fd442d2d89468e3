"""The circuit in text: wires as lines of characters, for terminals and for those who read with their ears."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from ogive.backends.diagram.figure.figure import DrawnTensor, Figure, Op, Section
from ogive.backends.diagram.figure.legend import explained


def text(figure: Figure, width: int | None = None) -> str:
    """All sections, then the bodies of open blocks and loops by name, then the legend; of `width` characters a line.

    What is wider goes on below, cut where tensors have labels.
    """
    parts = [figure.title]
    for section in figure.sections:
        parts.append(_section(section, width))
        for op in section.walk():
            for body in op.bodies:
                name = " ".join(x for x in (op.text, op.caption, body.title if body.title != op.text else "") if x)
                parts.append(f"{name}:\n{_section(body, width)}")
    legend = explained(figure, parts)
    if legend:
        told = ", ".join(legend)
        parts.append(told if width is None else "\n".join(wrap(told, width, break_long_words=False)))
    return "\n\n".join(parts) + "\n"


def _section(section: Section, width: int | None) -> str:
    rows = _rows(section)
    height = max(rows.values(), default=-1) + 1
    lines = [""] * max(height, 1)
    marks = []  # from where to where the labels of each boundary stand
    for at, boundary in enumerate(section.boundaries):
        start = max(map(len, lines))
        _data(lines, boundary, rows)
        marks.append((start, max(map(len, lines))))
        if at < len(section.columns):
            _operations(lines, section, at, rows)
    if width is None or max(map(len, lines)) <= width:
        return "\n".join(line.rstrip() for line in lines)
    return "\n\n".join(_pieces(lines, marks, width))


def _pieces(lines: list[str], marks: list[tuple[int, int]], width: int) -> Iterator[str]:
    """The lines in pieces that are no wider than `width`; each begins with the labels with which the last one ends."""
    at = 0
    while at < len(marks) - 1:
        start = marks[at][0]
        fits = [k for k in range(at + 1, len(marks)) if marks[k][1] - start <= width]
        at = fits[-1] if fits else at + 1
        piece = [line[start : marks[at][1]].rstrip() for line in lines]
        used = [i for i, line in enumerate(piece) if line]
        yield "\n".join(piece[used[0] : used[-1] + 1] if used else piece[:1])


def _rows(section: Section) -> dict[str, int]:
    """A line for each wire; a line between two tensors, one over the first for what floats."""
    found: dict[str, int] = {}
    for boundary in section.boundaries:
        line = 1
        for tensor in boundary:
            known = max((found.get(slot.sid, 0) for slot in tensor.slots[:1]), default=0)
            line = max(line, known)
            for slot in tensor.slots:
                found[slot.sid] = max(found.get(slot.sid, 0), line)
                line = found[slot.sid] + 1
            line += 1
    # the same tensor stands on the same lines wherever it is alive
    for _ in range(len(section.boundaries)):
        moved = False
        for boundary in section.boundaries:
            line = 1
            for tensor in boundary:
                top = max([line, *(found[slot.sid] - i for i, slot in enumerate(tensor.slots))])
                for i, slot in enumerate(tensor.slots):
                    moved |= found[slot.sid] != top + i
                    found[slot.sid] = top + i
                line = top + len(tensor.slots) + 1
        if not moved:
            break
    return found


def _pad(lines: list[str], fills: dict[int, str]) -> None:
    """Bring all lines to one length, each by its own character."""
    width = max(map(len, lines), default=0)
    for i, line in enumerate(lines):
        lines[i] = line + fills.get(i, " ") * (width - len(line))


def _data(lines: list[str], boundary: tuple[DrawnTensor, ...], rows: dict[str, int]) -> None:
    live = {rows[s.sid]: s for t in boundary for s in t.slots}
    _pad(lines, {})
    width = max((len(s.label) for s in live.values()), default=0) + 2
    for i, line in enumerate(lines):
        slot = live.get(i)
        label = f" {slot.label} " if slot and slot.label else ""
        lines[i] = line + label.center(width, "─") if slot else line + " " * width
    for tensor in boundary[1:]:
        row = rows[tensor.slots[0].sid] - 1 if tensor.slots else 0
        if row > 0 and row not in live:
            lines[row] = lines[row][: len(lines[row]) - width] + ("- " * width)[:width]


def _operations(lines: list[str], section: Section, at: int, rows: dict[str, int]) -> None:
    left, right = section.boundaries[at], section.boundaries[at + 1]
    passing = {t.tid for t in left} & {t.tid for t in right}
    fills = {rows[s.sid]: "─" for t in left if t.tid in passing for s in t.slots}
    columns: dict[int, str] = {}
    for op in section.columns[at].ops:
        columns.update(_cells(op, section, at, rows))
    width = max(map(len, columns.values()), default=1) + 2
    for i, line in enumerate(lines):
        if i in columns:
            lines[i] = line + columns[i]
        else:
            lines[i] = line + fills.get(i, " ") * width
    _pad(lines, {i: "─" for i in {rows[s.sid] for t in right for s in t.slots}})


def _cells(op: Op, section: Section, at: int, rows: dict[str, int]) -> dict[int, str]:
    """What stands on each line of an operation's column."""
    before = {rows[s.sid] for t in section.boundaries[at] if t.tid in op.inputs for s in t.slots}
    after = {rows[s.sid] for t in section.boundaries[at + 1] if t.tid in op.outputs for s in t.slots}
    marks = {"join": "●", "split": "●", "cup": "╯", "drop": "●", "fresh": "●", "select": "◂", "merge": "▐",
             "unmerge": "▐", "cat": "▐", "uncat": "▐", "regroup": "▐", "through": "─"}  # fmt: skip
    name = op.text or op.above or (op.glyph if op.source == "call" else op.source)
    cells: dict[int, str] = {}
    for link in op.links:
        for sid in (*link.left, *link.right):
            row = rows[sid]
            mark = f"[{name}]" if link.kind in ("in", "out") else marks[link.kind]
            lead = "─" if row in before else " "
            tail = "─" if row in after else " "
            cells[row] = f"{lead}{mark}{tail}"
    if op.above and not any(link.kind in ("in", "out") for link in op.links):
        top = min((*before, *after), default=1)
        cells[top - 1] = f" {op.above} "
    width = max((len(c) for c in cells.values()), default=0)
    return {row: _stretched(cell, width, row in before, row in after) for row, cell in cells.items()}


def _stretched(cell: str, width: int, before: bool, after: bool) -> str:
    left = (width - len(cell)) // 2
    return ("─" if before else " ") * left + cell + ("─" if after else " ") * (width - len(cell) - left)
