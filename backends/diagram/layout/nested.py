"""Operations with a body: open blocks on a plate, loops in brackets, choices one under the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure.figure import Change, DrawnTensor, Link, Op, Section
from ogive.backends.diagram.figure.geometry import Command, Dot, Item, Path, Text, line, moved, polygon, rectangle
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.badges import badge
from ogive.backends.diagram.layout.placement import OpDrawing, Placed
from ogive.backends.diagram.layout.route import Jump, routes, width

Rows = Callable[[Section, Theme, Mapping[str, float] | None, frozenset[str] | None], "list[Placed]"]
Paint = Callable[["Placed"], list[Item]]
EDGE = 16.0  # from the outside of a bracket or plate to the body
NEAR = 8.0  # from the outside to the bracket itself
FRAME = 4.0  # from the frame of one of several bodies to the body
HOOKS = 20.0  # room on both sides for the arrows of a body that goes on in a second row
LANES = ("through", "join", "split", "fresh")  # links that run past the body


@dataclass(slots=True)
class _Stack:
    """Rows of bodies one under the other, with the heights of the wires at their ends; `frames` hold several bodies."""

    height: float
    rows: list[tuple[Placed, float]] = field(default_factory=list)  # and their tops
    frames: list[tuple[float, float, str]] = field(default_factory=list)
    ins: dict[str, float] = field(default_factory=dict)
    outs: dict[str, float] = field(default_factory=dict)

    @property
    def width(self) -> float:
        """Of the widest row."""
        return max((placed.width for placed, _ in self.rows), default=0.0)

    @property
    def wrapped(self) -> bool:
        """Whether a body has several rows."""
        return any(not placed.last for placed, _ in self.rows)


def nested(
    op: Op, left: dict[str, DrawnTensor], right: dict[str, DrawnTensor], theme: Theme, rows: Rows, paint: Paint
) -> OpDrawing:
    """The drawing of an operation around the drawings of its bodies."""
    lanes = [link for link in op.links if link.kind in LANES]
    top = theme.band + (14 if op.glyph == "scan" and op.attr("carry") != "0" else 0)
    stack = _stacked(op, left, right, top + len(lanes) * theme.pitch, theme, rows)
    made = OpDrawing(0, stack.height, {}, {})
    heights = {sid: top + (i + 0.6) * theme.pitch for i, link in enumerate(lanes) for sid in (*link.left, *link.right)}
    _ports(made.left, [left[t] for t in op.inputs], op.enter, stack.ins, heights, theme)
    start = min(made.left.values(), default=0.0)  # of results that no wire inside leads to: those of a gradient
    _ports(made.right, [right[t] for t in op.outputs], ((o, i) for i, o in op.leave), stack.outs, heights, theme, start)
    ends = [*made.left.values(), *made.right.values()]
    made.height = max(stack.height, top + 20, max(ends, default=0.0) + theme.pad)
    enter = [(o, Jump(made.left[o], stack.ins[i])) for o, i in op.enter]
    enter += [(sid, Jump(made.left[sid], heights[sid])) for link in lanes for sid in link.left]
    leave = [(o, Jump(stack.outs[i], made.right[o])) for i, o in op.leave]
    leave += [(sid, Jump(heights[sid], made.right[sid])) for link in lanes for sid in link.right]
    hooks = HOOKS if stack.wrapped else 0.0
    before, after = (EDGE + width(jump for _, jump in side) + hooks for side in (enter, leave))
    title = text_width(f"{op.text} {op.caption}", theme.label, theme.least, True, plain=True)
    made.width = max(before + stack.width + after, title + 60)
    axes = {s.sid: s.axis for t in (*left.values(), *right.values()) for s in t.slots}
    frame = [*_frame(op, made, theme), *_frames(stack, before, made.width - after, theme)]
    items = [
        *_edge(enter, made.left, 0, before, axes, hooks),
        *_edge(leave, made.right, made.width, made.width - after, axes, hooks),
        *_lanes(lanes, heights, before, made.width - after, axes),
    ]
    for placed, y in stack.rows:
        items += [moved(item, before, y) for item in paint(placed)]
        items += _longer(placed, before, y, made.width - after) if placed.last else []
        made.bodies.append((placed, before, y))
    inner: Change = "" if op.change in ("changed", "marked") else op.change  # what changed has the wires it had
    made.items = [replace(item, owner=op.oid, change=op.change) for item in frame]
    made.items += badge(op.change, 6, 2, theme, op.oid) if op.change else ()
    made.items += [item if item.owner else replace(item, owner=op.oid, change=item.change or inner) for item in items]
    return made


def _stacked(
    op: Op, left: dict[str, DrawnTensor], right: dict[str, DrawnTensor], top: float, theme: Theme, rows: Rows
) -> _Stack:
    stack = _Stack(top)
    above = _reserved(op, left, right, theme)
    labels = {s.sid: s.label for t in left.values() for s in t.slots}
    for body in op.bodies:
        inner = {s.sid: s.label for t in body.boundaries[0] for s in t.slots}
        known = frozenset(i for o, i in op.enter if i in inner and labels.get(o) == inner[i])
        if len(op.bodies) > 1:
            stack.height += theme.band
        start = stack.height
        for placed in rows(body, replace(theme, width=theme.width - 2 * EDGE - HOOKS), above, known):
            stack.rows.append((placed, stack.height))
            for at, goals, here in ((0, stack.ins, placed.first), (-1, stack.outs, placed.last)):
                for tensor in placed.section.boundaries[at] if here else ():
                    for i, slot in enumerate(tensor.slots):
                        goals[slot.sid] = stack.height + placed.heights.tensors[tensor.tid] + i * theme.pitch
            stack.height += placed.height + (theme.pad if placed.last else theme.row)
        if len(op.bodies) > 1:
            stack.frames.append((start, stack.height - theme.pad, body.title))
    return stack


def _reserved(op: Op, left: dict[str, DrawnTensor], right: dict[str, DrawnTensor], theme: Theme) -> dict[str, float]:
    """Room over the tensors of a body whose outer tensors have more axes than they."""
    inner = {i: o for o, i in op.enter} | dict(op.leave)
    past = {sid for link in op.links if link.kind in LANES for sid in (*link.left, *link.right)}
    sizes = {s.sid: sum(s.sid not in past for s in t.slots) for t in (*left.values(), *right.values()) for s in t.slots}
    found = {}
    for body in op.bodies:
        for boundary in (body.boundaries[0], body.boundaries[-1]):
            for tensor in boundary:
                outer = next((inner[s.sid] for s in tensor.slots if s.sid in inner), None)
                more = sizes.get(outer, 0) - len(tensor.slots) if outer else 0
                if more > 0:
                    found[tensor.tid] = more * theme.pitch
    return found


def _ports(
    ports: dict[str, float], tensors: list[DrawnTensor], pairs: Iterable[tuple[str, str]], inside: dict[str, float],
    lanes: dict[str, float], theme: Theme, start: float = 0.0,
) -> None:  # fmt: skip
    """Each outer tensor stands where its wires go on inside; what stops at the edge finds room over or under them.

    The first wire of each lane is as high as the lane; the others stay with their tensors and bend to it.
    """
    goals: dict[str, float] = {}
    for outer, inner in pairs:
        goals.setdefault(outer, inside[inner])
    floor, met = 0.0, set[float]()
    for tensor in tensors:
        sids = [s.sid for s in tensor.slots]
        held = [goals[sid] - i * theme.pitch for i, sid in enumerate(sids) if sid in goals]
        top = min(held, default=max(floor + 8, start))
        for i, sid in enumerate(sids):
            lane = lanes.get(sid)
            height = top + i * theme.pitch if lane is None or lane in met else lane
            met |= {lane} if lane is not None else set()
            ports[sid] = floor = max(height, floor)
            floor += theme.pitch
        floor += FRAME


def _edge(
    jumps: list[tuple[str, Jump]], ports: dict[str, float], out: float, body: float, axes: dict[str, str], hooks: float
) -> list[Item]:
    """Wires between the outside and the bodies; what has no wire inside ends at the edge."""
    items: list[Item] = []
    sign = 1 if body > out else -1
    near, far = out + sign * NEAR, body - sign * (FRAME + hooks)
    ways = routes(jump for _, jump in jumps)
    for sid, jump in jumps:
        commands: tuple[Command, ...]
        if sign > 0:
            commands = (*line((out, jump.start), (near, jump.start)), *ways.bend(jump, near, far),
                        ("L", (body, jump.end)))  # fmt: skip
        else:
            commands = (*line((body, jump.start), (far, jump.start)), *ways.bend(jump, far, near),
                        ("L", (out, jump.end)))  # fmt: skip
        items.append(Path(commands, "wire", axis=axes[sid]))
    inside = [sid for sid, _ in jumps]
    for sid, y in ports.items():
        if sid not in inside:
            items.append(Path(line(*sorted(((out, y), (near, y)))), "wire", axis=axes[sid]))
        elif inside.count(sid) > 1:
            items.append(Dot(near, y))
    return items


def _lanes(
    lanes: list[Link], heights: dict[str, float], start: float, stop: float, axes: dict[str, str]
) -> Iterable[Item]:
    """Axes over which the body is vectorized run past it; those of several operands meet at a dot."""
    for link in lanes:
        sid = (*link.left, *link.right)[0]
        y = heights[sid]
        yield Path(line((start, y), (stop, y)), "wire", axis=axes[sid])
        if len(link.left) != 1:
            yield Dot(start, y)
        if len(link.right) > 1:
            yield Dot(stop, y)


def _longer(placed: Placed, x: float, top: float, stop: float) -> Iterable[Item]:
    """The wires of a row that is narrower than others go on to the edge."""
    if stop - x - placed.width > 0.5:
        for tensor in placed.section.boundaries[-1]:
            for i, slot in enumerate(tensor.slots):
                y = top + placed.heights.tensors[tensor.tid] + i * placed.theme.pitch
                yield Path(line((x + placed.width, y), (stop, y)), "wire", axis=slot.axis)


def _frames(stack: _Stack, start: float, stop: float, theme: Theme) -> Iterable[Item]:
    for top, bottom, title in stack.frames:
        wide = text_width(title, theme.small, theme.least, plain=True)
        box = rectangle(start - FRAME, top - theme.band + 2, stop - start + 2 * FRAME, bottom - top + theme.band + 2, 4)
        yield Path(box, "plate")
        yield Text(start, top - 6, title, theme.small, "caption", wide)


def _frame(op: Op, made: OpDrawing, theme: Theme) -> list[Item]:
    """A plate with a title; or tall bold brackets with the count of the iterations."""
    wide = text_width(op.text, theme.label, theme.least, True, plain=True)
    items: list[Item] = [Text(EDGE, 14, op.text, theme.label, "title", wide)]
    if op.caption and op.caption != op.text:
        small = text_width(op.caption, theme.small, theme.least, plain=True)
        items.append(Text(EDGE + wide + 7, 14, op.caption, theme.small, "caption", small))
    if op.glyph in ("plate", "phase"):
        return [Path(rectangle(4, 0, made.width - 8, made.height, 6), "plate"), *items]
    items += [Path(_bracket(NEAR, made.height, 7), "bold"), Path(_bracket(made.width - NEAR, made.height, -7), "bold")]
    if op.glyph == "scan" and op.attr("carry") != "0":
        items += _arc(made, theme)
    return items


def _bracket(x: float, height: float, hook: float) -> tuple[Command, ...]:
    """A tall parenthesis."""
    return (("M", (x + hook, 1)), ("C", (x, 6, x, 12, x, 20)), ("L", (x, height - 20)),
            ("C", (x, height - 12, x, height - 6, x + hook, height - 1)))  # fmt: skip


def _arc(made: OpDrawing, theme: Theme) -> list[Item]:
    """What is carried comes back: an arc over the body, its arrow to the left."""
    y, a, b = theme.band + 4.0, 13.0, made.width - 13.0
    curve: tuple[Command, ...] = (("M", (b, y + 14)), ("C", (b, y + 4, b - 4, y, b - 12, y)), ("L", (a + 12, y)),
                                  ("C", (a + 4, y, a, y + 4, a, y + 14)))  # fmt: skip
    middle = (a + b) / 2
    turned = polygon((6, -3), (0, 0), (6, 3))
    return [Path(curve, "thin"), moved(Path(turned, "solid"), middle, y)]
