"""An overview as a drawing: its layers in one or more columns on a page, title, legend and a key of the colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import inf

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
from ogive.backends.diagram.layout.badges import badge, changes_of, key_of_changes
from ogive.backends.diagram.layout.box_text import BAND, BoxText, memory
from ogive.backends.diagram.layout.layered import SAID_LINE, SIDE, EdgeLine, Level, Point, levels, port
from ogive.backends.diagram.layout.notes import key_of_roles, legend_rows
from ogive.backends.diagram.layout.packed import Painted, packed
from ogive.backends.diagram.layout.pages import MOST, in_columns, room
from ogive.backends.diagram.layout.sheet import framed
from ogive.backends.diagram.views.memories import KEPT, remembered
from ogive.backends.diagram.views.overview import Box, Edge, Overview
from ogive.backends.diagram.views.parts import in_parts

BEND = 8.0  # of a row between layers, at either end of a straight piece
CORNER = 6.0
LOOKS = {"block": "slab", "op": "glyph", "weight": "learned"}
NAMED = (0.5, 0.3, 0.18, 0.1)  # of the height of an overview: the length of edges that get names
MOST_ROWS = 24  # on a page, from left to right
ENDS = 70.0  # the height of the names at which a part begins and ends
Placed = tuple[Item | None, Group | None]


def overview_drawing(
    made: Overview, theme: Theme, direction: str = "TB", *, paged: bool = True, cut: bool = False
) -> Drawing:  # fmt: skip
    """The drawing of an overview, from top to bottom (TB) or from left to right (LR).

    In several columns (rows, from left to right) where it is longer than a page, unless `paged` is off; where it is
    `cut` in parts of a page, which need not stand side by side.
    """
    plain, made = made, remembered(made) if paged else made
    made = _narrowed(made, plain, theme, direction) if cut else made
    parts = _parts(made, theme) if cut and direction == "TB" else [made]
    items, groups = packed((_painted(part, theme, direction, paged) for part in parts), theme, feet=False)
    left, _, right, bottom = extent(items)
    wide = max(right - left, min(320.0, room(theme)[0]))
    roles = dict.fromkeys(box.role or "slab" for box in made.boxes if box.kind == "block")
    items += key_of_roles(list(roles), theme, left, bottom + 26, wide)
    items += key_of_changes(changes_of(items), theme, left, extent(items)[3] + 18)
    legend = list(dict.fromkeys([*made.legend, *([KEPT] if len(parts) > 1 else [])]))
    items += legend_rows(legend, theme, left, extent(items)[3] + 18, wide)
    said = made.alt or f"{made.title}: {', '.join(b.text for b in made.boxes if b.kind == 'block')}."
    return framed(items, groups, theme, made.title, said, 16)


def _painted(made: Overview, theme: Theme, direction: str, paged: bool) -> Painted:
    wide, tall = room(theme)
    level = levels(made, theme, direction == "LR", _across(theme, direction))
    if paged:
        if direction == "TB":
            in_columns(level, wide, tall)
        else:
            in_columns(level, tall, wide, MOST_ROWS if theme.page is not None else MOST)
    found = list(_OverviewPainter(theme, direction == "LR").frame(level, 0.0, 0.0))
    return [item for item, _ in found if item is not None], [group for _, group in found if group is not None]


def _narrowed(made: Overview, plain: Overview, theme: Theme, direction: str) -> Overview:
    """An overview with names for as many of its longest edges as a page asks for that is too narrow for them."""
    across = _across(theme, direction)
    narrowest: tuple[float, Overview] = (inf, made)
    for share in (*NAMED, 0.0):
        level = levels(made, theme, direction == "LR", across)
        if level.width < narrowest[0]:
            narrowest = level.width, made
        if level.width <= across:
            break
        places = dict(_along(level, 0.0))
        least = share * level.height
        made = remembered(plain, partial(_longer, places, least))
    return narrowest[1]


def _longer(places: Mapping[str, tuple[float, float]], least: float, edge: Edge) -> bool:
    return places[edge.target][0] - places[edge.source][1] > least


def _along(level: Level, start: float) -> Iterator[tuple[str, tuple[float, float]]]:
    """Where each box begins and ends along the flow."""
    for layer in level.layers:
        for point in layer:
            if point.box is not None:
                top = start + level.tops[point.layer]
                yield point.box.id, (top, top + point.height)
                if point.inside is not None:
                    yield from _along(point.inside, top)


def _across(theme: Theme, direction: str) -> float:
    """The room of a page across the flow."""
    return inf if theme.page is None else room(theme)[0 if direction == "TB" else 1]


def _parts(made: Overview, theme: Theme) -> list[Overview]:
    """An overview that is higher than its page, in parts between its layers that are not, if no frame alone is."""
    wide, tall = room(theme)
    level = levels(made, theme, False, wide)
    if level.height <= tall:
        return [made]
    part: dict[str, int] = {}
    number, start = 0, 0.0
    for layer, bottom in zip(level.layers, level.bottoms, strict=True):
        boxes = [point.box for point in layer if point.box is not None]
        inside = [box.id for box in boxes]
        if any(box.kind != "output" for box in boxes) and part and bottom - start > tall - ENDS:
            number, start = number + 1, level.tops[layer[0].layer]
        part |= dict.fromkeys(inside, number)
    return in_parts(made, part) if number else [made]


class _OverviewPainter:
    """Draws a level; places are across and along the flow, which may run to the right."""

    def __init__(self, theme: Theme, level: bool) -> None:
        self.theme, self.level = theme, level

    def at(self, across: float, along: float) -> tuple[float, float]:
        """A place of the page."""
        return (along, across) if self.level else (across, along)

    def frame(self, level: Level, dx: float, dy: float) -> Iterator[Placed]:
        """Frames first, then edges, then nodes and texts; `dx` is across and `dy` along the flow."""
        for layer in level.layers:
            for point in layer:
                if point.inside is not None and point.box is not None:
                    yield from self._group(point, dx, dy + level.tops[point.layer])
        for line in level.lines:
            for item in self._edge(line, level):
                yield moved(item, *self.at(dx, dy)), None
        for layer in level.layers:
            for point in layer:
                if point.inside is None and point.box is not None:
                    yield from self._box(point, dx + point.x, dy + level.tops[point.layer])

    def _group(self, point: Point, dx: float, along: float) -> Iterator[Placed]:
        box, inside = point.box, point.inside
        assert box is not None
        assert inside is not None
        across = dx + point.x - point.left
        x, y = self.at(across, along)
        wide, tall = self.at(inside.width, inside.height)
        yield (
            Path(rectangle(x, y, wide, tall, 6), "plate", box.id, change=box.change),
            Group(box.id, box.text, box.where, box.path, box.block, box=(x, y, x + wide, y + tall), plate=True),
        )
        at = x + (SIDE if self.level else inside.title)
        for text, style, size, width in BoxText.of(box, self.theme).lines:
            yield Text(at, y + 15, text, size, style, width, owner=box.id, change=box.change), None
            at += width + 10
        if box.change:
            yield from ((item, None) for item in badge(box.change, x, y, self.theme, box.id))
        yield from self.frame(inside, across, along)

    def _box(self, point: Point, across: float, along: float) -> Iterator[Placed]:
        box = point.box
        assert box is not None
        text = BoxText.of(box, self.theme)
        if self.level:
            left, top = along + (point.height - text.width) / 2, across - point.left + 13 * bool(text.takes)
        else:
            left, top = across - point.left + text.takes, along
        wide, tall = text.width, text.height
        yield None, Group(box.id, box.text, box.where, box.path, box.block, box=(left, top, left + wide, top + tall),
                          op=box.op)  # fmt: skip
        style = box.role if box.kind == "block" and box.role else LOOKS.get(box.kind, "")
        if style:
            shape = rectangle(left, top, wide, tall, 9 if box.kind == "op" else 4)
            yield Path(shape, style, box.id, change=box.change), None
        y = top + tall / 2 - BAND * (len(text.lines) - 1) / 2
        for words, looks, size, width in text.lines:
            place = left + wide / 2, y + size * 0.35
            yield Text(*place, words, size, looks, width, "middle", box.id, "", box.change), None
            y += BAND
        if box.change:
            yield from ((item, None) for item in badge(box.change, left, top, self.theme, box.id))
        for item in self._memory(box, (left, top, left + wide, top + tall)):
            yield item, None

    def _memory(self, box: Box, place: tuple[float, float, float, float]) -> Iterator[Text]:
        """What a box takes from memory stands before it, what it puts there behind it, across the flow."""
        left, top, right, bottom = place
        takes, sends = memory(box)
        middle, down = (left + right) / 2, (top + bottom) / 2 + self.theme.small * 0.35
        spots = ((middle, top - 3), (middle, bottom + 10)) if self.level else ((left - 4, down), (right + 4, down))
        anchors = ("middle", "middle") if self.level else ("end", "start")
        for words, (x, y), anchor in zip((takes, sends), spots, anchors, strict=True):
            if words:
                wide = text_width(words, self.theme.small, self.theme.least)
                yield Text(x, y, words, self.theme.small, "legend", wide, anchor, box.id)

    def _edge(self, line: EdgeLine, level: Level) -> Iterator[Item]:
        first, last = line.points[0], line.points[-1]
        x, y = port(first, line.key, "bottom"), level.tops[first.layer] + first.height if first.box else 0.0
        commands: list[Command] = [("M", self.at(x, y))]

        def on(to_x: float, to_y: float) -> None:
            nonlocal x, y
            middle = (y + to_y) / 2
            bent: Command = ("C", (*self.at(x, middle), *self.at(to_x, middle), *self.at(to_x, to_y)))
            commands.append(bent if abs(x - to_x) > 0.3 else ("L", self.at(to_x, to_y)))
            x, y = to_x, to_y

        if level.bottoms[first.layer] - y > 0.5:
            on(x, level.bottoms[first.layer])
        for point in line.points[1:-1]:
            top, bottom = level.tops[point.layer], level.bottoms[point.layer]
            inset = BEND if point.layer % 2 else 0.0
            on(point.x, top + inset)
            on(point.x, bottom - inset)
            yield from self._label(point, top, bottom)
            if point.lane is not None:
                back, under, over = point.lane
                after = level.tops[point.layer + 1]
                ends = (line.points[line.points.index(point) + 1].x, after)
                ends = (port(last, line.key, "top"), after) if point is line.points[-2] else ends
                way = ((x, y + under), (back, y + under), (back, after - over - 4), (ends[0], after - over - 4), ends)
                commands += self._rounded((x, y), way)
                x, y = ends
        if line.points[-2:-1] == [] or getattr(line.points[-2], "lane", None) is None:
            on(port(last, line.key, "top"), level.tops[last.layer])
        if last.box is None:
            on(x, level.height)
        yield Path(tuple(commands), "wire", change=line.change)
        if line.arrow and last.inside is None:
            yield Path(polygon(self.at(x - 3, y - 6), self.at(x, y), self.at(x + 3, y - 6)), "solid")

    def _rounded(self, start: tuple[float, float], way: Sequence[tuple[float, float]]) -> Iterator[Command]:
        """Straight pieces along and across the flow, with round corners."""
        for before, corner, after in zip((start, *way), way, way[1:], strict=False):
            near = _toward(corner, before)
            bend = _toward(corner, after)
            yield "L", self.at(*near)
            yield "C", (*self.at(*corner), *self.at(*corner), *self.at(*bend))
        yield "L", self.at(*way[-1])

    def _label(self, point: Point, top: float, bottom: float) -> Iterator[Text]:
        x, y = self.at(point.x, (top + bottom) / 2)
        over = SAID_LINE * (len(point.lines) - 1)
        for k, text in enumerate(point.lines):
            wide = text_width(text, self.theme.small, self.theme.least)
            down = SAID_LINE * k - (over if self.level else over / 2)
            place = (x - wide / 2 - 3, y - 4 + down) if self.level else (x + 4, y + self.theme.small * 0.35 + down)
            yield Text(*place, text, self.theme.small, "legend", wide)


def _toward(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """A little way from a corner to another point, on a line along or across the flow."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    far = max(abs(dx), abs(dy))
    part = min(CORNER, far / 2) / far if far else 0.0
    return corner[0] + dx * part, corner[1] + dy * part
