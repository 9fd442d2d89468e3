"""Operations with a body: open blocks on a plate, loops in brackets, choices one under the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ogive.backends.diagram.figure import Op, Section, Tensor
from ogive.backends.diagram.geometry import Command, Dot, Item, Path, Text, bend, line, moved, polygon, rectangle
from ogive.backends.diagram.labels import text_width
from ogive.backends.diagram.pieces import Piece
from ogive.backends.diagram.theme import Theme

if TYPE_CHECKING:
    from ogive.backends.diagram.place import Placed

Place = Callable[[Section, Theme, "dict[str, float] | None", bool], "Placed"]
Paint = Callable[["Placed"], list[Item]]
EDGE = 16.0  # from the outside of a bracket or plate to the body
FRAME = 4.0  # from the frame of one of several bodies to the body


@dataclass(slots=True)
class _Stack:
    """Bodies one under the other: their items, the frames behind them, the heights of the wires at their ends."""

    height: float
    items: list[Item] = field(default_factory=list)
    frames: list[Item] = field(default_factory=list)
    ins: dict[str, float] = field(default_factory=dict)
    outs: dict[str, float] = field(default_factory=dict)
    bodies: list[tuple[Placed, float, float]] = field(default_factory=list)


def nested(
    op: Op, left: dict[str, Tensor], right: dict[str, Tensor], theme: Theme, place: Place, paint: Paint
) -> Piece:
    """The drawing of an operation around the drawings of its bodies."""
    above = _reserved(op, left, right, theme)
    bodies = [place(body, theme, above, True) for body in op.bodies]
    weave = _weave(op, bodies)
    band = theme.band + (14 if op.glyph == "scan" and op.attr("carry") != "0" else 0)
    inner = max((b.width for b in bodies), default=0.0)
    title = text_width(f"{op.text} {op.caption}", theme.label, theme.least, True, plain=True)
    wide = max(inner + 2 * (EDGE + weave), title + 60)
    stack = _stacked(bodies, EDGE + weave, wide - 2 * (EDGE + weave), band, theme, paint)
    made = Piece(wide, max(stack.height, band + 20), {}, {})
    edges = _edges(op, made, left, right, stack, weave, theme)
    made.items = [_owned(item, op) for item in (*_frame(op, made, theme), *stack.frames, *edges, *stack.items)]
    made.bodies = stack.bodies
    return made


def _stacked(bodies: list[Placed], x: float, width: float, top: float, theme: Theme, paint: Paint) -> _Stack:
    stack = _Stack(top)
    for body in bodies:
        framed = len(bodies) > 1
        top = stack.height + (theme.band if framed else 0)
        stack.items += _body(body, x, top, width, theme, paint)
        if framed:
            stack.frames += _inner_frame(body, x, top, width, theme)
        for boundary, found in ((body.section.boundaries[0], stack.ins), (body.section.boundaries[-1], stack.outs)):
            for tensor in boundary:
                for i, slot in enumerate(tensor.slots):
                    found[slot.sid] = top + body.heights.tensors[tensor.tid] + i * theme.pitch
        stack.bodies.append((body, x, top))
        stack.height = top + body.height + theme.pad
    return stack


def _owned(item: Item, op: Op) -> Item:
    return item if item.owner else replace(item, owner=op.oid, change=op.change)


def _reserved(op: Op, left: dict[str, Tensor], right: dict[str, Tensor], theme: Theme) -> dict[str, float]:
    """Room over the tensors of a body whose outer tensors have more axes than they."""
    inner = {i: o for o, i in op.enter} | dict(op.leave)
    sizes = {s.sid: len(t.slots) for t in (*left.values(), *right.values()) for s in t.slots}
    found = {}
    for body in op.bodies:
        for boundary in (body.boundaries[0], body.boundaries[-1]):
            for tensor in boundary:
                outer = next((inner[s.sid] for s in tensor.slots if s.sid in inner), None)
                more = sizes.get(outer, 0) - len(tensor.slots) if outer else 0
                if more > 0:
                    found[tensor.tid] = more * theme.pitch
    return found


def _weave(op: Op, bodies: list[Placed]) -> float:
    """Room for wires that change their height between the edge and the body."""
    if len(bodies) > 1:
        return 30.0
    sliced = op.glyph in ("repeat", "scan") and (len(op.enter) < _count(op, 0) or len(op.leave) < _count(op, 1))
    return 14.0 if sliced else 0.0


def _count(op: Op, side: int) -> int:
    return sum(len((link.left, link.right)[side]) for link in op.links)


def _body(body: Placed, x: float, top: float, width: float, theme: Theme, paint: Paint) -> list[Item]:
    items = [moved(item, x, top) for item in paint(body)]
    for tensor in body.section.boundaries[-1]:  # a narrow body goes on to the edge
        for i, slot in enumerate(tensor.slots):
            y = top + body.heights.tensors[tensor.tid] + i * theme.pitch
            if width - body.width > 0.5:
                items.append(Path(line((x + body.width, y), (x + width, y)), "wire", axis=slot.axis))
    return items


def _inner_frame(body: Placed, x: float, top: float, width: float, theme: Theme) -> list[Item]:
    title = body.section.title
    wide = text_width(title, theme.small, theme.least, plain=True)
    frame = rectangle(x - 4, top - theme.band + 2, width + 8, body.height + theme.band + 2, 4)
    return [Path(frame, "plate"), Text(x, top - 6, title, theme.small, "caption", wide)]


def _edges(
    op: Op, made: Piece, left: dict[str, Tensor], right: dict[str, Tensor], stack: _Stack, weave: float, theme: Theme
) -> list[Item]:
    """Wires from the outside to the bodies; what has no wire inside ends at the edge."""
    items: list[Item] = []
    width = made.width
    for outer, tensors, pairs, ports, entering in (
        (made.left, left, op.enter, stack.ins, True),
        (made.right, right, tuple((o, i) for i, o in op.leave), stack.outs, False),
    ):
        goals: dict[str, list[float]] = {}
        for a, b in pairs:
            goals.setdefault(a, []).append(ports[b])
        axes = {s.sid: s.axis for t in tensors.values() for s in t.slots}
        names = op.inputs if entering else op.outputs
        _heights(outer, [tensors[t] for t in names], goals, made.height, theme)
        for sid, y in outer.items():
            for goal in goals.get(sid, []):
                commands = _crossing(y, goal, width, weave, entering)
                items.append(Path(commands, "wire", axis=axes[sid]))
            if sid not in goals:
                stub = line((0, y), (8.0, y)) if entering else line((width - 8, y), (width, y))
                items.append(Path(stub, "wire", axis=axes[sid]))
            elif len(goals[sid]) > 1:
                items.append(Dot(EDGE - 8 if entering else width - EDGE + 8, y))
    return items


def _crossing(y: float, goal: float, width: float, weave: float, entering: bool) -> tuple[Command, ...]:
    if entering:
        end = EDGE + weave
        return (*line((0, y), (EDGE - 8, y)), *bend(EDGE - 8, y, end - FRAME, goal), ("L", (end, goal)))
    start = width - EDGE - weave
    return (*line((start, goal), (start + FRAME, goal)), *bend(start + FRAME, goal, width - EDGE + 8, y),
            ("L", (width, y)))  # fmt: skip


def _heights(
    outer: dict[str, float], tensors: list[Tensor], goals: dict[str, list[float]], height: float, theme: Theme
) -> None:
    """Each outer tensor stands where its wires go on inside; sliced axes find room over or under them."""
    floor = theme.band
    for tensor in tensors:
        known = [(i, goals[s.sid][0]) for i, s in enumerate(tensor.slots) if s.sid in goals]
        if known:
            top = max(min(y - i * theme.pitch for i, y in known), floor)
        else:
            top = floor + 8
        if all(abs(y - i * theme.pitch - top) < 0.1 for i, y in known):
            pass
        for i, slot in enumerate(tensor.slots):
            outer[slot.sid] = top + i * theme.pitch
        floor = top + len(tensor.slots) * theme.pitch + 4


def _frame(op: Op, made: Piece, theme: Theme) -> list[Item]:
    """A plate with a title; or tall bold brackets with the count of the turns."""
    title = {"plate": op.text, "phase": "phase" if op.source == "phase" else ""}.get(op.glyph, op.text)
    wide = text_width(title, theme.label, theme.least, True, plain=True)
    named = Text(EDGE, 14, title, theme.label, "title", wide)
    items: list[Item] = [named]
    if op.caption and op.caption != title:
        small = text_width(op.caption, theme.small, theme.least, plain=True)
        items.append(Text(EDGE + wide + 7, 14, op.caption, theme.small, "caption", small))
    if op.glyph in ("plate", "phase"):
        return [Path(rectangle(4, 0, made.width - 8, made.height, 6), "plate"), *items]
    items += [Path(_bracket(8, made.height, 7), "bold"), Path(_bracket(made.width - 8, made.height, -7), "bold")]
    if op.glyph == "scan" and op.attr("carry") != "0":
        items += _arc(made, theme)
    return items


def _bracket(x: float, height: float, hook: float) -> tuple[Command, ...]:
    """A tall parenthesis."""
    return (("M", (x + hook, 1)), ("C", (x, 6, x, 12, x, 20)), ("L", (x, height - 20)),
            ("C", (x, height - 12, x, height - 6, x + hook, height - 1)))  # fmt: skip


def _arc(made: Piece, theme: Theme) -> list[Item]:
    """What is carried comes back: an arc over the body, its arrow to the left."""
    y, a, b = theme.band + 4.0, 13.0, made.width - 13.0
    curve: tuple[Command, ...] = (("M", (b, y + 14)), ("C", (b, y + 4, b - 4, y, b - 12, y)), ("L", (a + 12, y)),
                                  ("C", (a + 4, y, a, y + 4, a, y + 14)))  # fmt: skip
    middle = (a + b) / 2
    turned = polygon((6, -3), (0, 0), (6, 3))
    return [Path(curve, "thin"), moved(Path(turned, "solid"), middle, y)]
