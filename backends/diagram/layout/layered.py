"""The overview, placed from top to bottom in layers, after Sugiyama, Tagawa and Toda (1981).

A node stands in the layer behind the last of what it reads; an edge that passes layers has a point in each, the first
of which keeps room for its label. Few sweeps order each layer by the means of its neighbours, ties by the source; a
regression under distances places it. What is in a loop or an open block is laid out by itself, with ports on the edges
of its frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ogive.backends.diagram.figure.figure import Change
from ogive.backends.diagram.figure.geometry import (
    Command,
    Drawing,
    Group,
    Item,
    Path,
    Text,
    extent,
    moved,
    polygon,
    rectangle,
)
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.overview import Box, Edge, Overview

SWEEPS = 4
APART = 18.0  # between two nodes of a layer
ROW = 34.0  # the height of a row of labels, with room for bends over and under them
BARE = 24.0  # of a row without labels
BEND = 11.0  # of it
SIDE = 14.0  # from the frame of a group to what stands in it
LOOKS = {"block": ("slab", "name"), "op": ("glyph", "caption"), "weight": ("learned", "bold")}


@dataclass(slots=True)
class Point:
    """A node, a port, or where an edge passes a layer; `x` is the middle of a node, and the line of an edge."""

    left: float
    right: float
    height: float = 0.0
    box: Box | None = None
    inside: Level | None = None
    text: str = ""
    x: float = 0.0
    layer: int = 0
    before: list[Point] = field(default_factory=list)
    after: list[Point] = field(default_factory=list)
    pull: float = 1.0


@dataclass(slots=True)
class EdgeLine:
    """An edge at one level: its points from top to bottom; `key` names the value at the ports of groups."""

    points: list[Point]
    key: str
    arrow: bool
    change: Change = ""


@dataclass(slots=True)
class Level:
    """What stands in one frame: its layers, and where edges enter and leave it."""

    layers: list[list[Point]] = field(default_factory=list)
    lines: list[EdgeLine] = field(default_factory=list)
    ins: dict[str, Point] = field(default_factory=dict)
    outs: dict[str, Point] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0
    tops: list[float] = field(default_factory=list)
    bottoms: list[float] = field(default_factory=list)
    title: float = SIDE  # where the title of its frame begins


def layered(made: Overview, theme: Theme, alt: str = "") -> Drawing:
    """The drawing of an overview."""
    level = _level(made, "", _Tree(made), theme)
    items: list[Item] = []
    groups: list[Group] = []
    for item, group in _drawn(level, theme.margin, theme.margin, theme):
        items += [item] if item is not None else []
        groups += [group] if group is not None else []
    _, _, right, bottom = extent(items)
    size = round(right + theme.margin, 1), round(bottom + theme.margin, 1)
    said = alt or f"{made.title}: {', '.join(b.text for b in made.boxes if b.kind == 'block')}."
    return Drawing(*size, tuple(items), made.title, said, tuple(groups))


class _Tree:
    """Which child of a frame holds a box, and the edges of each frame."""

    def __init__(self, made: Overview) -> None:
        self.parent = {box.id: box.parent for box in made.boxes}
        self.children: dict[str, list[Box]] = {}
        for box in made.boxes:
            self.children.setdefault(box.parent, []).append(box)
        self.edges: dict[str, list[tuple[Edge, str, str]]] = {}
        for edge in made.edges:
            a, b = self._up(edge.source), self._up(edge.target)
            for frame in dict.fromkeys([*a, *b]):
                self.edges.setdefault(frame, []).append((edge, a.get(frame, ""), b.get(frame, "")))

    def _up(self, box: str) -> dict[str, str]:
        """By frame, the child of it that holds a box."""
        found = {}
        while box:
            found[self.parent[box]] = box
            box = self.parent[box]
        return found


def _level(made: Overview, frame: str, tree: _Tree, theme: Theme) -> Level:
    level = Level()
    nodes = {box.id: _node(made, box, tree, theme) for box in tree.children.get(frame, [])}
    edges: list[tuple[Point, Point, Edge, bool]] = []
    for edge, a, b in tree.edges.get(frame, []):
        if a == b:
            continue
        source = nodes[a] if a else level.ins.setdefault(edge.source, Point(4, 4))
        target = nodes[b] if b else level.outs.setdefault(edge.source, Point(4, 4))
        if all((source, target) != (x, y) or edge.text != e.text for x, y, e, _ in edges[-8:]):
            edges.append((source, target, edge, bool(a and b)))
    points = [*level.ins.values(), *nodes.values(), *level.outs.values()]
    _layers(points, level, edges)
    _lines(level, edges, theme)
    _order(level.layers)
    _across(level)
    _down(level, frame, theme)
    return level


def _node(made: Overview, box: Box, tree: _Tree, theme: Theme) -> Point:
    if box.kind == "group":
        inside = _level(made, box.id, tree, theme)
        title = text_width(box.text, theme.label, theme.least, True, plain=True) + 2 * SIDE
        ports = [port.x for port in inside.ins.values()]
        if ports and min(ports) < title + 4 - SIDE:  # beside the edges that enter at the top
            inside.title = max(ports) + 8
        inside.width = max(inside.width, inside.title + title - SIDE)
        return Point(inside.width / 2, inside.width / 2, inside.height, box, inside)
    size = theme.small if box.kind == "op" else theme.label
    wide = text_width(box.text, size, theme.least, box.kind != "op", plain=True) + 18
    return Point(wide / 2, wide / 2, 18.0 if box.kind == "op" else 24.0, box)


def _layers(points: Sequence[Point], level: Level, edges: Iterable[tuple[Point, Point, Edge, bool]]) -> None:
    """Each behind the last of what it reads; what reads nothing just before its first reader. Rows between are even."""
    place = {id(point): i for i, point in enumerate(points)}
    reads: list[list[int]] = [[] for _ in points]
    for a, b, _, _ in edges:
        reads[place[id(b)]].append(place[id(a)])
    first = len(level.ins)
    for i, point in enumerate(points):
        point.layer = max((points[k].layer + 2 for k in reads[i]), default=2 if 0 < first <= i else 0)
    last = max((point.layer for point in points), default=0)
    for port in level.outs.values():
        port.layer = last
    soon: dict[int, int] = {}
    for i in reversed(range(len(points))):
        box = points[i].box
        if not reads[i] and i in soon and box is not None and box.kind != "input":
            points[i].layer = max(points[i].layer, soon[i] - 2)
        for k in reads[i]:
            soon[k] = min(soon.get(k, points[i].layer), points[i].layer)
    level.layers = [[] for _ in range(last + 1)]
    for point in points:
        level.layers[point.layer].append(point)


def _lines(level: Level, edges: Iterable[tuple[Point, Point, Edge, bool]], theme: Theme) -> None:
    said: set[tuple[int, str]] = set()
    for a, b, edge, whole in edges:
        text = edge.text if whole and (id(a), edge.text) not in said else ""  # once for what one node makes
        said.add((id(a), edge.text))
        wide = text_width(text, theme.small, theme.least) + 8 if text else 4.0
        between = [
            Point(4.0, wide if k == a.layer + 1 else 4.0, layer=k, pull=3.0) for k in range(a.layer + 1, b.layer)
        ]
        if between:
            between[0].text = text
        way = [a, *between, b]
        for upper, lower in pairwise(way):
            upper.after.append(lower)
            lower.before.append(upper)
        for point in between:
            level.layers[point.layer].append(point)
        level.lines.append(EdgeLine(way, edge.source, b.box is not None, edge.change))


def _order(layers: list[list[Point]]) -> None:
    """Each layer by the means of the places of its neighbours; where these agree, as before."""
    at = {id(point): i for layer in layers for i, point in enumerate(layer)}

    def mean(point: Point, near: list[Point]) -> float:
        return sum(at[id(other)] for other in near) / len(near) if near else at[id(point)]

    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            layer.sort(key=lambda point: mean(point, point.before if sweep % 2 == 0 else point.after))
            at.update((id(point), i) for i, point in enumerate(layer))


def _across(level: Level) -> None:
    """Middles as near to those of the neighbours as the distances in a layer allow."""
    for layer in level.layers:
        x = 0.0
        for point in layer:
            point.x = x + point.left
            x += point.left + point.right + APART
    for sweep in range(2 * SWEEPS + 1):
        down = sweep % 2 == 0
        for layer in level.layers if down else reversed(level.layers):
            wanted = []
            for point in layer:
                near = (point.before if down else point.after) or point.before or point.after
                wanted.append(sum(other.x for other in near) / len(near) if near else point.x)
            for point, x in zip(layer, _spaced(layer, wanted), strict=True):
                point.x = x
    least = min((p.x - p.left for layer in level.layers for p in layer), default=0.0)
    for layer in level.layers:
        for point in layer:
            point.x = round(point.x - least, 1)
    level.width = max((p.x + p.right for layer in level.layers for p in layer), default=0.0)


def _spaced(layer: Sequence[Point], wanted: Sequence[float]) -> list[float]:
    """The nearest places, by least squares, that keep the distances: neighbours that want to be closer move as one."""
    if len(layer) == 1:
        return [wanted[0]]
    offsets, total = [], 0.0
    for i, point in enumerate(layer):
        total += layer[i - 1].right + APART + point.left if i else 0.0
        offsets.append(total)
    blocks: list[tuple[float, float, int]] = []  # sum of weighted wishes, weight, members
    for point, wish, offset in zip(layer, wanted, offsets, strict=True):
        blocks.append(((wish - offset) * point.pull, point.pull, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            (a, b, n), (c, d, m) = blocks[-2:]
            blocks[-2:] = [(a + c, b + d, n + m)]
    means = [total / weight for total, weight, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _down(level: Level, frame: str, theme: Theme) -> None:
    """The top of each layer; a frame has its title over them and room beside them."""
    y = theme.band + 6 if frame else 0.0
    for k, layer in enumerate(level.layers):
        level.tops.append(y)
        tall = max((point.height for point in layer), default=0.0)
        tall = (ROW if any(point.text for point in layer) else BARE) if k % 2 else tall
        level.bottoms.append(y + tall)
        y += tall
    level.height = y + (SIDE if frame else 0)
    if frame:
        level.width += 2 * SIDE
        for layer in level.layers:
            for point in layer:
                point.x += SIDE


def _port(point: Point, key: str, ends: str) -> float:
    """Where an edge meets a node: at its middle, or at the port of a group."""
    if point.inside is None:
        return point.x
    port = (point.inside.ins if ends == "top" else point.inside.outs).get(key)
    return point.x - point.left + port.x if port is not None else point.x


def _drawn(level: Level, dx: float, dy: float, theme: Theme) -> Iterable[tuple[Item | None, Group | None]]:
    """Frames first, then edges, then nodes and texts."""
    for layer in level.layers:
        for point in layer:
            if point.inside is not None and point.box is not None:
                yield from _frame(point, dx, dy + level.tops[point.layer], theme)
    for line in level.lines:
        for item in _edge(line, level, theme):
            yield moved(item, dx, dy), None
    for layer in level.layers:
        for point in layer:
            if point.inside is None and point.box is not None:
                yield from _box(point, dx + point.x, dy + level.tops[point.layer], theme)


def _frame(point: Point, dx: float, y: float, theme: Theme) -> Iterable[tuple[Item | None, Group | None]]:
    box, inside = point.box, point.inside
    assert box is not None
    assert inside is not None
    x = dx + point.x - point.left
    shape = Path(rectangle(x, y, inside.width, inside.height, 6), "plate", box.id)
    wide = text_width(box.text, theme.label, theme.least, True, plain=True)
    yield (
        shape,
        Group(box.id, box.text, "", block=box.block, box=(x, y, x + inside.width, y + inside.height), plate=True),
    )
    yield Text(x + inside.title, y + 15, box.text, theme.label, "title", wide, owner=box.id), None
    yield from _drawn(inside, x, y, theme)


def _box(point: Point, x: float, y: float, theme: Theme) -> Iterable[tuple[Item | None, Group | None]]:
    box = point.box
    assert box is not None
    style, words = LOOKS.get(box.kind, ("", "bold"))
    size = theme.small if box.kind == "op" else theme.label
    wide = text_width(box.text, size, theme.least, words == "bold", plain=True)
    left, right = x - point.left, x + point.right
    yield None, Group(box.id, box.text, "", block=box.block, box=(left, y, right, y + point.height))
    if style:
        shape = rectangle(left, y, right - left, point.height, 9 if box.kind == "op" else 4)
        yield Path(shape, style, box.id, change=box.change), None
    yield (
        Text(x, y + point.height / 2 + size * 0.35, box.text, size, words, wide, "middle", box.id, "", box.change),
        None,
    )


def _edge(line: EdgeLine, level: Level, theme: Theme) -> Iterable[Item]:
    first, last = line.points[0], line.points[-1]
    x, y = _port(first, line.key, "bottom"), level.tops[first.layer] + first.height if first.box else 0.0
    commands: list[Command] = [("M", (x, y))]

    def on(to_x: float, to_y: float) -> None:
        nonlocal x, y
        middle = (y + to_y) / 2
        bent: Command = ("C", (x, middle, to_x, middle, to_x, to_y))
        commands.append(bent if abs(x - to_x) > 0.3 else ("L", (to_x, to_y)))
        x, y = to_x, to_y

    if level.bottoms[first.layer] - y > 0.5:
        on(x, level.bottoms[first.layer])
    for point in line.points[1:-1]:
        top, bottom = level.tops[point.layer], level.bottoms[point.layer]
        inset = BEND if point.layer % 2 else 0.0
        on(point.x, top + inset)
        on(point.x, bottom - inset)
        if point.text:
            wide = text_width(point.text, theme.small, theme.least)
            yield Text(x + 4, (top + bottom) / 2 + theme.small * 0.35, point.text, theme.small, "legend", wide)
    on(_port(last, line.key, "top"), level.tops[last.layer])
    if last.box is None:
        on(x, level.height)
    yield Path(tuple(commands), "wire", change=line.change)
    if line.arrow and last.inside is None:
        yield Path(polygon((x - 3, y - 6), (x, y), (x + 3, y - 6)), "solid")
