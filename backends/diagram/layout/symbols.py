"""One operation, drawn by itself: its links stacked in rows, and at which heights its wires come and go.

Nothing here knows where the operation will stand. Wires bend to these heights in the gaps beside it, so wires that meet
at a dot simply have the same height.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from ogive.backends.diagram.figure.figure import DrawnTensor, Op, WireSlot
from ogive.backends.diagram.figure.geometry import Command, Dot, Item, Path, Text, line, moved, polygon
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.badges import SIGNS, badge
from ogive.backends.diagram.layout.placement import OpDrawing
from ogive.backends.diagram.layout.shapes import SHAPES, Area

FLAT = ("join", "split", "through", "drop", "fresh", "retype")  # on one line
CUP = 15.0  # between the two ends of a cup
CAT = 9.0  # between the ends of a bar across tensors: two of them fit in one row


@dataclass(slots=True)
class SymbolRow:
    """A group of links that stands on its own: so many wires on the left, so many on the right."""

    kind: str
    left: list[str]
    right: list[str]
    key: float
    pitch: float

    @property
    def height(self) -> float:
        """From its first to its last wire."""
        if self.kind in FLAT:
            return 0
        height = (max(len(self.left), len(self.right)) - 1) * self.pitch
        return max(height - 2 * self.pitch, 0) if self.kind == "cat" else height


def piece(op: Op, left: Mapping[str, DrawnTensor], right: Mapping[str, DrawnTensor], theme: Theme) -> OpDrawing:
    """The drawing of an operation without a body."""
    rows = _rows(op, left, right, theme)
    target = next((row for row in rows if row.kind == "target"), None)
    slots = {s.sid: s for t in (*left.values(), *right.values()) for s in t.slots}
    # a glyph that no wire ends on floats over the tensor instead
    above = op.above or (op.text if target is None and op.glyph not in ("copy", "drop", "wires", "join") else "")
    top = 19.0 if above or (op.change in SIGNS and target is None) else 0.0
    area = SHAPES[op.glyph if target else "wires"](op, _lefts(target), _rights(target), theme)
    core_width = area.width
    width = max(core_width, _rows_width(rows), _float_width(op, above, theme), 8.0)
    made = OpDrawing(width, 0, {}, {})
    y = top + 9
    for row in rows:
        if row is target:
            y += area.above
        _place(made, row, y, width, core_width, area, slots, theme, op.glyph)
        y += row.height + theme.pitch + (area.below if row is target else 0)
    made.height = max(y - theme.pitch + 9, top + 9)
    if op.glyph == "join":
        made.items += _types_met(made, rows)
    if above:
        _float(made, op, above, top, theme)
    if _caption(op):
        _foot(made, op, theme)
    if op.change in SIGNS:
        made.items += _badge(made, op, above, top, theme)
    made.items = [_owned(item, op) for item in made.items]
    return made


def _badge(made: OpDrawing, op: Op, above: str, top: float, theme: Theme) -> Iterator[Item]:
    """At the corner of the glyph, else before what floats over the tensor."""
    if made.core is not None:
        return badge(op.change, made.core[0] - 1, made.core[1] - 1, theme)
    wide = text_width(above, theme.label, theme.least, plain=True)
    x = made.width / 2 - wide / 2 - (20 if op.glyph != "join" else 9) if above else made.width / 2
    return badge(op.change, x, top - 8.2, theme)


def _types_met(made: OpDrawing, rows: list[SymbolRow]) -> list[Item]:
    """An element type that does not go on, like the truth that `select` asks, ends where the tensors meet."""
    met = [made.left[row.left[0]] for row in rows if row.kind == "join" and row.left]
    items: list[Item] = []
    for row in rows:
        for y in (made.left[sid] for sid in row.left if row.kind == "retype" and met):
            end = min(met, key=lambda at: abs(at - y))
            middle, tip = (y + end) / 2, 3.0 if end > y else -3.0
            items += [Path(line((0, y), (0, end)), "thin")]
            items += [Path(polygon((-3, middle - tip), (0, middle + tip), (3, middle - tip)), "solid")]
    return items


def _lefts(target: SymbolRow | None) -> int:
    return len(target.left) if target else 0


def _rights(target: SymbolRow | None) -> int:
    return len(target.right) if target else 0


def _owned(item: Item, op: Op) -> Item:
    if isinstance(item, Path):
        kept = op.change in ("changed", "marked") and item.style == "wire"  # what changed has the wires it had
        return replace(item, owner=op.oid, change="" if kept else op.change, wrong=bool(op.wrong))
    return replace(item, owner=op.oid, change=op.change)


def _rows(op: Op, left: Mapping[str, DrawnTensor], right: Mapping[str, DrawnTensor], theme: Theme) -> list[SymbolRow]:
    """The links in rows, in the order of the results; what has no result stands after what it stood under."""
    order_right = {sid: i for i, sid in enumerate(s.sid for t in op.outputs for s in right[t].slots)}
    order_left = {sid: i for i, sid in enumerate(s.sid for t in left if t in op.inputs for s in left[t].slots)}
    rows: list[SymbolRow] = []
    target = SymbolRow("target", [], [], 0, theme.pitch)
    types = {s.sid for t in (*left.values(), *right.values()) for s in t.slots if s.role == "dtype"}
    ends = {sid for link in op.links if link.kind in ("in", "out") for sid in (*link.left, *link.right)}
    if op.glyph in ("float", "join") and ends <= types:
        # the symbol floats over the tensor, its type changes under it
        target = SymbolRow("retype", [], [], 0, theme.pitch)
    for link in op.links:
        if link.kind in ("in", "out"):
            target.left += link.left
            target.right += link.right
            continue
        pitch = {"cup": CUP, "select": CUP, "cat": CAT}.get(link.kind, theme.pitch)
        rows.append(SymbolRow(link.kind, list(link.left), list(link.right), 0, pitch))
    if target.left or target.right:
        rows.append(target)
    for row in rows:
        if row.kind != "cat":  # which is laid end to end in the order of its operands
            row.left.sort(key=order_left.__getitem__)
        row.right.sort(key=order_right.__getitem__)
    at_left = {sid: row for row in rows for sid in row.left}
    for row in rows:
        row.key = min((order_right[s] for s in row.right), default=-1.0)
    if len(op.outputs) > 1:  # what is cut apart stays in the order in which it came
        for row in rows:
            row.key = min((order_left[s] for s in row.left), default=-1.0)
        return _lifted(sorted(rows, key=lambda row: row.key), target, order_left, order_right)
    names = list(order_left)
    for row in rows:
        if not row.right:
            before = [at_left[s] for s in names[: order_left[row.left[0]]] if at_left[s].right]
            row.key = before[-1].key + 0.5 if before else -1 + order_left[row.left[0]] / 1000
    rows.sort(key=lambda row: (row.key, order_left[row.left[0]] if row.left else 0))
    return _lifted(rows, target, order_left, order_right)


def _lifted(
    rows: list[SymbolRow], target: SymbolRow, order_left: Mapping[str, int], order_right: Mapping[str, int]
) -> list[SymbolRow]:
    """The rows with the glyph between those wires that it crosses least, where these run between its own."""
    if not any(row is target for row in rows) or target.kind != "target":
        return rows
    others = [row for row in rows if row is not target]
    at = next(i for i, row in enumerate(rows) if row is target)
    sides = [(order_left, "left"), (order_right, "right")]

    def crossed(row: SymbolRow, above: bool) -> int:
        """How many pairs cross where the row stands above the glyph, or below it."""
        ends = ((order, getattr(row, side), getattr(target, side)) for order, side in sides)
        pairs = [(order[a], order[b]) for order, mine, its in ends for a in mine for b in its]
        return sum(a > b if above else a < b for a, b in pairs)

    def cost(place: int) -> tuple[int, int]:
        return sum(crossed(row, i < place) for i, row in enumerate(others)), abs(place - at)

    best = min(range(len(rows)), key=cost)
    return [*others[:best], target, *others[best:]]


def _float_width(op: Op, above: str, theme: Theme) -> float:
    caption = text_width(_caption(op), theme.small, theme.least, plain=True)
    if not above:
        return caption
    arrows = (0 if op.glyph == "join" else 18) + (30 if op.change in SIGNS else 0)
    return max(text_width(above, theme.label, theme.least, plain=True) + arrows, caption)


def _caption(op: Op) -> str:
    """The place of its weights, or what it was and is; a function of each element needs none."""
    if op.attr("was"):
        return op.attr("was")
    return "" if op.glyph in ("float", "join") else op.caption


def _rows_width(rows: list[SymbolRow]) -> float:
    wide = {"merge": 12, "unmerge": 12, "cat": 12, "uncat": 12, "regroup": 30, "cup": 14, "select": 18}
    return max((float(wide.get(row.kind, 8)) for row in rows), default=8.0)


def _place(
    made: OpDrawing,
    row: SymbolRow,
    y: float,
    width: float,
    core: float,
    area: Area,
    slots: Mapping[str, WireSlot],
    theme: Theme,
    glyph: str,
) -> None:  # fmt: skip
    """Draw one row with its first wire at `y`, and note where its wires come and go."""
    middle = y + row.height / 2
    if row.kind == "target":
        _target(made, row, y, width, core, area, slots, theme, glyph)
        return
    if row.kind in FLAT:
        _line(made, row, y, width, slots, glyph)
        return
    lefts = _spread(len(row.left), middle, row.pitch)
    rights = _spread(len(row.right), middle, row.pitch)
    made.left.update(zip(row.left, lefts, strict=True))
    made.right.update(zip(row.right, rights, strict=True))
    draw = {"cup": _cup, "select": _cup}.get(row.kind, _bar)
    draw(made, row, lefts, rights, width, slots)


def _spread(count: int, middle: float, pitch: float) -> list[float]:
    return [middle + (i - (count - 1) / 2) * pitch for i in range(count)]


def _wire(a: tuple[float, float], b: tuple[float, float], slot: WireSlot) -> Path:
    return Path(line(a, b), "wire", axis=slot.axis)


def _line(
    made: OpDrawing, row: SymbolRow, y: float, width: float, slots: Mapping[str, WireSlot], glyph: str
) -> None:  # fmt: skip
    made.left.update((sid, y) for sid in row.left)
    made.right.update((sid, y) for sid in row.right)
    dot = width / 2
    slot = slots[(row.left or row.right)[0]]
    ended = row.kind == "retype" and glyph == "join"
    if ended and row.left and not row.right:
        return
    if row.kind == "through" or (row.left and row.right):
        made.items.append(_wire((0, y), (width, y), slot))
    elif row.left:
        made.items.append(_wire((0, y), (dot, y), slot))
    else:
        made.items.append(_wire((dot, y), (width, y), slot))
    # wires meet where their bends end, and part where their bends begin
    dot = {"join": 0.0, "split": width}.get(row.kind, dot)
    if row.kind == "retype" and (not row.left or glyph == "join"):
        return  # its name and its arrow come behind the operation, or it ends where tensors meet
    if row.kind == "retype":
        made.items.append(arrow(width / 2 - 3, y))
    elif row.kind != "through":
        made.items.append(Dot(dot, y))


def _cup(
    made: OpDrawing,
    row: SymbolRow,
    lefts: list[float],
    rights: list[float],
    width: float,
    slots: Mapping[str, WireSlot],
) -> None:
    """Wires close in an arc: a sum of products; a lone wire ends at a dot, a sum."""
    if len(lefts) == 1:
        made.items += [_wire((0, lefts[0]), (width / 2, lefts[0]), slots[row.left[0]]), Dot(width / 2, lefts[0])]
        return
    axis = slots[row.left[0]].axis
    for a, b in pairwise(lefts):
        far = 4 + (b - a) * 0.62
        arc: tuple[Command, ...] = (("M", (0, a)), ("L", (3, a)), ("C", (far, a, far, b, 3, b)), ("L", (0, b)))
        made.items.append(Path(arc, "arc", axis=axis))
        if row.kind == "select":
            tip = 3 + (b - a) * 0.46
            middle = (a + b) / 2
            head = polygon((tip - 4, middle + 4), (tip, middle - 3), (tip + 4, middle + 4))
            made.items.append(Path(head, "solid"))
    for y in lefts[1:-1]:
        made.items.append(Dot(3, y))


def _bar(
    made: OpDrawing,
    row: SymbolRow,
    lefts: list[float],
    rights: list[float],
    width: float,
    slots: Mapping[str, WireSlot],
) -> None:
    """A thick bar: several wires on one side are one on the other; two bars where both sides are several."""
    ends = [*lefts, *rights]
    top, bottom = min(ends) - 5, max(ends) + 5
    if len(ends) == 2:
        top, bottom = top - 2, bottom + 2
    if row.kind == "regroup":
        a, b, middle = 5.0, width - 5, (top + bottom) / 2
        made.items += [Path(line((x, top), (x, bottom)), "bold") for x in (a, b)]
        made.items.append(Path(line((a, middle), (b, middle)), "wire"))
    else:
        a = b = width / 2
        made.items.append(Path(line((a, top), (a, bottom)), "bold"))
    made.items += [_wire((0, y), (a, y), slots[s]) for s, y in zip(row.left, lefts, strict=True)]
    made.items += [_wire((b, y), (width, y), slots[s]) for s, y in zip(row.right, rights, strict=True)]


def _target(
    made: OpDrawing,
    row: SymbolRow,
    y: float,
    width: float,
    core: float,
    area: Area,
    slots: Mapping[str, WireSlot],
    theme: Theme,
    glyph: str,
) -> None:  # fmt: skip
    """The glyph between the wires that end on it and those that start there."""
    middle = y + row.height / 2
    lefts = _spread(len(row.left), middle, theme.pitch)
    rights = _spread(len(row.right), middle, theme.pitch)
    if glyph in ("slab", "box"):  # wires that go on keep their height
        lefts, rights = ([y + i * theme.pitch for i in range(len(ends))] for ends in (lefts, rights))
    made.left.update(zip(row.left, lefts, strict=True))
    made.right.update(zip(row.right, rights, strict=True))
    x = (width - core) / 2
    for sid, at in zip(row.left, lefts, strict=True):
        reach = x + area.enter
        made.items.append(_wire((0, at), (reach, at), slots[sid]))
        if slots[sid].role == "dtype":
            made.items.append(arrow(reach - 7, at))
    for sid, at in zip(row.right, rights, strict=True):
        made.items.append(_wire((x + core - area.leave, at), (width, at), slots[sid]))
    made.items += [moved(item, x, middle) for item in area.items]
    if area.box is not None:
        left, top, right, bottom = area.box
        made.core = (x + left, middle + top, x + right, middle + bottom)


def arrow(x: float, y: float) -> Path:
    """A small arrowhead on a wire."""
    return Path((*line((x, y - 3), (x + 6, y), (x, y + 3)), ("Z", ())), "solid")


def _foot(made: OpDrawing, op: Op, theme: Theme) -> None:
    """The caption, under the glyph."""
    caption = _caption(op)
    wide = text_width(caption, theme.small, theme.least, plain=True)
    middle, y = made.width / 2, made.height + theme.small - 0.5
    made.items.append(Text(middle, y, caption, theme.small, "caption", wide, "middle"))
    made.height += theme.small + 1


def _float(made: OpDrawing, op: Op, above: str, top: float, theme: Theme) -> None:
    """The symbol that floats over the tensor between the tail and the head of an arrow, or over the dots of a join."""
    middle, y = made.width / 2, top - 4
    wide = text_width(above, theme.label, theme.least, plain=True)
    style = "bold" if op.glyph == "join" or op.learned else "float"
    middle = 0.0 if op.glyph == "join" and wide < 12 else middle  # over the dots
    made.items.append(Text(middle, y, above, theme.label, style, wide, "middle"))
    if op.glyph == "join":
        return
    a, b, y = middle - wide / 2 - 9, middle + wide / 2 + 3, y - 4.2
    made.items.append(Path((*line((a, y - 3.5), (a + 5, y), (a, y + 3.5)),), "thin"))
    made.items.append(Path((*line((b, y - 3.5), (b + 6, y), (b, y + 3.5)), ("Z", ())), "solid"))
