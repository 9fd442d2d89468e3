"""The overview in layers, after Sugiyama, Tagawa and Toda (1981), from top to bottom or from left to right.

A node stands in the layer behind the last of what it reads; an edge that passes layers has a point in each, the first
of which keeps room for its label. Few sweeps order each layer by the means of its neighbours, ties by the source; a
regression under distances places it. What is in a loop or an open block is laid out by itself, with ports on the edges
of its frame. Places are along the flow and across it, whichever way it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Literal

from ogive.backends.diagram.figure.figure import Change
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.box_text import BoxText, said
from ogive.backends.diagram.views.overview import Box, Edge, Overview

SWEEPS = 4
APART = 18.0  # between two nodes of a layer
CLOSE = -3.0  # half of the room of an edge that passes, where a page has little
ROW = 26.0  # the height of a row of labels, with room for bends over and under them
BARE = 18.0  # of a row without labels
SAID_LINE = 11.5  # from one line of a label to the next
SHARES = (1.0, 0.62, 0.3)  # of its room: how wide the boxes of a layer may be, without edges that pass
INNER = 0.62  # and how wide a frame in it, at the least
DEEP = 3  # frames in one another of which several widths are tried
SIDE = 14.0  # from the frame of a group to what stands in it


@dataclass(slots=True, eq=False)
class Point:
    """A node, a port, or where an edge passes a layer; `x` is the middle of a node, and the line of an edge."""

    left: float
    right: float
    height: float = 0.0
    box: Box | None = None
    inside: Level | None = None
    lines: tuple[str, ...] = ()  # the text beside an edge
    x: float = 0.0
    layer: int = 0
    before: list[tuple[Point, float]] = field(
        default_factory=list
    )  # neighbours, and how far right of them it wants to be
    after: list[tuple[Point, float]] = field(default_factory=list)
    pull: float = 1.0
    lane: tuple[float, float, float] | None = (
        None  # to the next column: the place of its way back, room under and over it
    )


@dataclass(slots=True, eq=False)
class EdgeLine:
    """An edge at one level: its points from first to last; `key` names the value at the ports of groups."""

    points: list[Point]
    key: str
    arrow: bool
    change: Change = ""


@dataclass(slots=True, eq=False)
class Level:
    """What stands in one frame: its layers, and where edges enter and leave it."""

    layers: list[list[Point]] = field(default_factory=list)
    lines: list[EdgeLine] = field(default_factory=list)
    ins: dict[str, Point] = field(default_factory=dict)
    outs: dict[str, Point] = field(default_factory=dict)
    width: float = 0.0  # across the flow
    height: float = 0.0  # along it
    tops: list[float] = field(default_factory=list)
    bottoms: list[float] = field(default_factory=list)
    title: float = SIDE  # where the title of its frame begins


def levels(made: Overview, theme: Theme, level: bool, wide: float = inf) -> Level:
    """The nodes of an overview with their places; `level` flow runs from left to right.

    Layers are no wider than that, across the flow, where boxes allow it: what else would stand beside one another, or
    beside edges that pass, stands behind one another, after Coffman and Graham (1972).
    """
    return _OverviewLayers(made, theme, level).frame("", wide)


class _OverviewLayers:
    """Which child of a frame holds a box, the edges of each frame, and their layers."""

    def __init__(self, made: Overview, theme: Theme, level: bool) -> None:
        self.theme, self.level = theme, level
        self.inner: dict[tuple[str, float], Level] = {}  # frames in frames, laid out once for each width
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

    def frame(self, name: str, wide: float, deep: int = 0) -> Level:
        """What stands in a frame, so wide or in the narrowest way; in frames in frames in frames one is tried."""
        found: list[Level] = []
        for share in SHARES if self.theme.wrap and deep < DEEP else SHARES[:1]:
            found.append(self._laid(name, wide, share, deep))
            if found[-1].width <= wide:
                break
        return min(found, key=lambda level: level.width)

    def _laid(self, name: str, wide: float, share: float, deep: int) -> Level:
        level = Level()
        nodes = {box.id: self._node(box, wide * max(share, INNER), deep + 1) for box in self.children.get(name, [])}
        edges: list[tuple[Point, Point, Edge, bool]] = []
        for edge, a, b in self.edges.get(name, []):
            if a == b:
                continue
            source = nodes[a] if a else level.ins.setdefault(edge.source, Point(4, 4))
            target = nodes[b] if b else level.outs.setdefault(edge.source, Point(4, 4))
            if all((source, target) != (x, y) or edge.text != e.text for x, y, e, _ in edges[-8:]):
                edges.append((source, target, edge, bool(a and b)))
        points = [*level.ins.values(), *nodes.values(), *level.outs.values()]
        _layers(points, level, edges, wide * share)
        self._lines(level, edges)
        _order(level.layers)
        _across(level, wide)
        self._down(level, name)
        return level

    def _node(self, box: Box, wide: float, deep: int) -> Point:
        text = BoxText.of(box, self.theme)
        if box.kind != "group":
            if self.level:
                return Point(text.height / 2 + 13 * bool(text.takes), text.height / 2 + 13 * bool(text.sends),
                             max(text.width, text.takes, text.sends), box)  # fmt: skip
            return Point(text.width / 2 + text.takes, text.width / 2 + text.sends, text.height, box)
        wide -= 2 * SIDE
        if (box.id, wide) not in self.inner:
            self.inner[box.id, wide] = self.frame(box.id, wide, deep)
        inside = self.inner[box.id, wide]
        title = text.width + 2 * SIDE
        if self.level:
            inside.height = max(inside.height, title)
        else:
            ports = [port.x for port in inside.ins.values()]
            if ports and min(ports) < title + 4 - SIDE:  # beside the edges that enter at the top
                inside.title = max(ports) + 8
            inside.width = max(inside.width, inside.title + title - SIDE)
        return Point(inside.width / 2, inside.width / 2, inside.height, box, inside)

    def _lines(self, level: Level, edges: Iterable[tuple[Point, Point, Edge, bool]]) -> None:
        told: set[tuple[int, str]] = set()
        for a, b, edge, whole in edges:
            text = edge.text if whole and (id(a), edge.text) not in told else ""  # once for what one node makes
            told.add((id(a), edge.text))
            parts = said(text, self.theme)
            wide = max((text_width(part, self.theme.small, self.theme.least) + 8 for part in parts), default=-inf)
            aside = CLOSE if self.theme.wrap else 4.0
            between = [Point(aside, aside, layer=k, pull=3.0) for k in range(a.layer + 1, b.layer)]
            if between:
                between[0].lines = (*parts,)
                if text and self.level:
                    between[0].left, between[0].height = 16.0 + SAID_LINE * (len(parts) - 1), wide + 6
                else:
                    between[0].right = max(wide, aside)
            way = [a, *between, b]
            for upper, lower in pairwise(way):
                aside = _offset(upper, edge.source, "bottom") - _offset(lower, edge.source, "top")
                upper.after.append((lower, -aside))
                lower.before.append((upper, aside))
            for point in between:
                level.layers[point.layer].append(point)
            level.lines.append(EdgeLine(way, edge.source, b.box is not None, edge.change))

    def _down(self, level: Level, frame: str) -> None:
        """The start of each layer; a frame has its title over them and room beside them."""
        band = self.theme.band if frame else 0.0
        y = 0.0 if self.level else band
        for k, layer in enumerate(level.layers):
            level.tops.append(y)
            tall = max((point.height for point in layer), default=0.0)
            if k % 2:
                most = max((len(point.lines) for point in layer), default=0)
                tall = max(ROW + SAID_LINE * (most - 1) if most and not self.level else BARE, tall)
            level.bottoms.append(y + tall)
            y += tall
        below = (3.0 if level.outs else SIDE) if frame and not self.level else 0.0
        level.height = y + below
        if frame:
            before = band if self.level else SIDE
            level.width += before + SIDE
            for layer in level.layers:
                for point in layer:
                    point.x += before


def _offset(point: Point, key: str, ends: Literal["top", "bottom"]) -> float:
    """How far from its middle an edge meets a node: a group has ports."""
    if point.inside is None:
        return 0.0
    port = (point.inside.ins if ends == "top" else point.inside.outs).get(key)
    return port.x - point.left if port is not None else 0.0


def port(point: Point, key: str, ends: Literal["top", "bottom"]) -> float:
    """Where an edge meets a node: at its middle, or at the port of a group."""
    return point.x + _offset(point, key, ends)


def _layers(
    points: Sequence[Point], level: Level, edges: Iterable[tuple[Point, Point, Edge, bool]], wide: float
) -> None:  # fmt: skip
    """Each behind the last of what it reads, in the first layer that has room for it; what reads nothing just before
    its first reader. Rows between are even.
    """
    place = {id(point): i for i, point in enumerate(points)}
    reads: list[list[int]] = [[] for _ in points]
    for a, b, _, _ in edges:
        reads[place[id(b)]].append(place[id(a)])
    first, ports = len(level.ins), {id(port) for port in (*level.ins.values(), *level.outs.values())}
    used: dict[int, float] = {}

    def fits(point: Point, layer: int) -> bool:
        return not used.get(layer) or used[layer] + point.left + point.right <= wide

    def put(point: Point, layer: int) -> None:
        point.layer = layer
        if id(point) not in ports:
            used[layer] = used.get(layer, 0.0) + point.left + point.right + APART

    for i in _sorted(reads):
        layer = max((points[k].layer + 2 for k in reads[i]), default=2 if 0 < first <= i else 0)
        while id(points[i]) not in ports and not fits(points[i], layer):
            layer += 2
        put(points[i], layer)
    last = max((point.layer for point in points), default=0)
    for port in level.outs.values():
        port.layer = last
    soon: dict[int, int] = {}
    for i in reversed(_sorted(reads)):
        box = points[i].box
        if not reads[i] and i in soon and box is not None and box.kind != "input":
            used[points[i].layer] -= points[i].left + points[i].right + APART
            rows = range(soon[i] - 2, points[i].layer, -2)
            put(points[i], next((row for row in rows if fits(points[i], row)), points[i].layer))
        for k in reads[i]:
            soon[k] = min(soon.get(k, points[i].layer), points[i].layer)
    level.layers = [[] for _ in range(last + 1)]
    for point in points:
        level.layers[point.layer].append(point)


def _sorted(reads: Sequence[Sequence[int]]) -> list[int]:
    """Each behind what it reads, else in their order: what stands in one stage may be read by one that came first."""
    found: list[int] = []
    seen: set[int] = set()
    for start in range(len(reads)):
        waiting = [start]
        while waiting:
            at = waiting[-1]
            left = [k for k in reads[at] if k not in seen and k not in waiting]
            if at in seen or not left:
                waiting.pop()
                found += [] if at in seen else [at]
                seen.add(at)
            else:
                waiting += reversed(left)
    return found


def _order(layers: list[list[Point]]) -> None:
    """Each layer by the means of the places of its neighbours; where these agree, as before."""
    at = {id(point): i for layer in layers for i, point in enumerate(layer)}

    def mean(point: Point, near: list[tuple[Point, float]]) -> float:
        return sum(at[id(other)] for other, _ in near) / len(near) if near else at[id(point)]

    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            layer.sort(key=lambda point: mean(point, point.before if sweep % 2 == 0 else point.after))
            at.update((id(point), i) for i, point in enumerate(layer))


def _across(level: Level, wide: float) -> None:
    """Middles as near to those of the neighbours as the distances in a layer allow."""
    for layer in level.layers:
        x = 0.0
        for point in layer:
            point.x = x + point.left
            x += point.left + point.right + APART
    for sweep in range(2 * SWEEPS + 1):
        down = sweep % 2 == 0
        for layer in level.layers if down else reversed(level.layers):
            wanted: list[float | None] = []
            for point in layer:
                near = (point.before if down else point.after) or point.before or point.after
                point.pull = point.pull if near else 0.001
                wanted.append(sum(other.x + aside for other, aside in near) / len(near) if near else None)
            for point, x in zip(layer, _spaced(layer, _beside(layer, wanted)), strict=True):
                point.x = x
    least = min((p.x - p.left for layer in level.layers for p in layer), default=0.0)
    for layer in level.layers:
        for point in layer:
            point.x = round(point.x - least, 1)
    level.width = max((p.x + p.right for layer in level.layers for p in layer), default=0.0)
    if level.width > wide:
        _squeezed(level, wide)


def _squeezed(level: Level, wide: float) -> None:
    """Layers that have drifted apart, within the room that each of them fits in: around the middle of all points."""
    points = sorted(point.x for layer in level.layers for point in layer)
    start = min(max(points[len(points) // 2] - wide / 2, 0.0), level.width - wide)
    for layer in level.layers:
        room = sum(point.left + point.right + APART for point in layer) - APART
        low = start
        for point in layer:
            high = low + wide - room
            point.x = round(min(max(point.x, low + point.left), max(high, low) + point.left) - start, 1)
            low += point.left + point.right + APART
    level.width = max((p.x + p.right for layer in level.layers for p in layer), default=0.0)


def _beside(layer: Sequence[Point], wanted: Sequence[float | None]) -> list[float]:
    """What no edge leads to stands next to what is on its left, or else on its right."""
    found = list(wanted)
    for i in range(1, len(layer)):
        before = found[i - 1]
        if found[i] is None and before is not None:
            found[i] = before + layer[i - 1].right + APART + layer[i].left
    for i in reversed(range(len(layer) - 1)):
        after = found[i + 1]
        if found[i] is None and after is not None:
            found[i] = after - layer[i + 1].left - APART - layer[i].right
    return [x if x is not None else point.x for x, point in zip(found, layer, strict=True)]


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
