"""The vertical figure of transformer papers: one column from the bottom up, loops in frames, short-cuts as arcs.

The spine of a frame is its longest way from what enters to what leaves; what is not on it stands in columns to the left
and leads into the spine from the side. Boxes of a column are of one width. An edge along the spine that passes boxes is
an arc on the right, which leaves right under the box that comes next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.geometry import Group, Item, Path, Text, line, polygon, rectangle
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.badges import badge
from ogive.backends.diagram.layout.curves import rounded
from ogive.backends.diagram.views.overview import Box, Edge, Overview
from ogive.backends.diagram.views.spines import Spines

GAP = 22.0  # between two boxes of a column
SAID = 12.0  # the height of a line of sizes
LANE = 11.0  # between two arcs
PAD = 12.0  # from a frame to what stands in it
APART = 34.0  # between two columns
TALL = 26.0  # a box
RING = 9.0  # the radius of a sum
LOOKS = {"op": "glyph", "weight": "learned"}


Rect = tuple[float, float, float, float]  # left, top (bottom where upwards), right, bottom (top)


@dataclass(slots=True)
class Tower:
    """What stands in a frame, its spine at x = 0 and its ground at y = 0, upwards: boxes and frames by their places."""

    places: dict[str, Rect] = field(default_factory=dict)  # left, bottom, right, top
    left: float = 0.0
    right: float = 0.0
    height: float = 0.0


class Stacked:
    """Places the boxes of an overview, then draws them and what runs between them."""

    def __init__(self, made: Overview, theme: Theme) -> None:
        self.made, self.theme = made, theme
        self.boxes = {box.id: box for box in made.boxes}
        self.spines = Spines(made)
        self.lanes: dict[tuple[str, str], int] = {}  # of arcs: how far out they run
        self.straight: set[str] = set()  # boxes from which an edge leads straight on
        self.told: set[tuple[str, str]] = set()
        self.said: dict[str, float] = {}  # how far right of the middle of a box the sizes reach that stand over it
        for edge in made.edges:
            wide = text_width(edge.text, theme.small, theme.least) + 9 if edge.text else 0.0
            self.said[edge.source] = max(self.said.get(edge.source, 0.0), wide)
        self.right_of = float("inf")  # where columns to the right of the spine begin

    def width(self, box: Box) -> float:
        """Of a box by its text."""
        if box.text in ("+", "×"):
            return 2 * RING
        return text_width(_words(box), self._size(box), self.theme.least, box.kind == "weight", plain=True) + 22

    def _size(self, box: Box) -> float:
        return self.theme.small if box.kind == "op" else self.theme.label

    def frame(self, name: str) -> Tower:
        """Place what stands in a frame; side columns to the left of the spine."""
        columns = self.spines.columns(name)
        tower, tops = Tower(), dict[str, float]()
        inner = {each: self.frame(each) for column in columns for each in column if self.boxes[each].kind == "group"}
        if columns:
            tower.left, tower.right = self._sides(columns[0], inner)
        at = {each: k for k, column in enumerate(columns) for each in column}
        arcs = {columns[0][start] for _, start, _ in self.spines.skips(name, columns[0])} if columns else set[str]()
        for each in self.spines.order(name):
            column, room = columns[at[each]], inner.get(each)
            under = [tops[x] for x in column[: column.index(each)]]
            if room is None:
                under += [tops[x] for x in self.spines.reads(name, each)]
            else:  # what reads it in there stands over it
                under += [tops[x] - max(room.places[t][1] - GAP, 0.0) for x, t in self.spines.entries(name, each)]
            y = max(under, default=0.0 if name else -GAP) + GAP
            if each in arcs and any(self.said.get(x) for x in self.spines.reads(name, each)):
                y += SAID  # under the arc that leaves here stand the sizes of what is below
            tops[each] = self._set(tower, each, y, room, column)
        self._beside(name, columns, tower)
        lanes = self._lanes(name, columns[0] if columns else [])
        if lanes or name:
            own = (each for each in columns[0] if lanes or each not in inner)
            tower.right = max([tower.right, *(self._reach(each, tower.places[each]) for each in own)])
        tower.right += LANE * lanes + (6 if lanes else 0)
        tower.height = max(tops.values(), default=0.0) + (GAP if name else 0.0)
        return tower

    def _set(self, tower: Tower, each: str, y: float, room: Tower | None, column: list[str]) -> float:
        """Put a box or a frame over the middle of its column; where its top is."""
        box = self.boxes[each]
        if room is None:
            wide = self._wide(column, box)
            tower.places[each] = (-wide / 2, y, wide / 2, y + self._tall(box))
        else:
            tower.places[each] = (room.left - PAD, y, room.right + PAD, y + room.height)
            for key, (a, b, c, d) in room.places.items():
                tower.places[key] = (a, y + b, c, y + d)
        return tower.places[each][3]

    def _beside(self, name: str, columns: list[list[str]], tower: Tower) -> None:
        """Columns beside the spine stand as high as what reads them, and as near to it as there is room.

        To the left of it, but for those whose edge would run into others there.
        """
        taken: list[tuple[float, float, float]] = []  # bottom, top, left
        right_of: list[float] = []
        for at, column in enumerate(columns[1:], start=1):
            last = tower.places[column[-1]]
            inside = {each for child in column for each in self._below(child)}
            readers = [e.target for e in self.made.edges if e.source in inside and e.target not in inside]
            goals = [tower.places[each] for each in readers if each in tower.places]
            up = min((sum(goal[1::2]) for goal in goals), default=0.0) / 2 - sum(last[1::2]) / 2
            up = up if up > 0 and all(self.boxes[x].kind != "group" for x in column) else 0.0
            low, high = min(tower.places[x][1] for x in inside) + up, tower.places[column[-1]][3] + up
            right = max(tower.places[x][2] for x in inside)
            level = sum(last[1::2]) / 2 + up
            others = [each for other in columns[1:at] for each in other if each not in readers]
            if not name and any(self._meets(tower, each, level) for each in others):
                aside = max([tower.right, *right_of]) + APART - min(tower.places[x][0] for x in inside)
                self._shift(tower, inside, aside, up)
                right_of.append(right + aside)
                self.right_of = min(self.right_of, min(tower.places[x][0] for x in inside))
                continue
            near = min((left for a, b, left in taken if a < high + GAP and low < b + GAP), default=tower.left)
            sizes = max(self._reach(x, tower.places[x]) for x in inside) - right  # beside its boxes, and its last edge
            last_said = tower.places[column[-1]][2] + self.said.get(column[-1], 0.0) - 4 - right
            aside = near - max(APART, sizes + 8, last_said) - right
            self._shift(tower, inside, aside, up)
            left = min(tower.places[x][0] for x in inside) - max(map(self._times, column))
            taken.append((low, high, left))
        tower.left = min([tower.left, *(left for _, _, left in taken)])
        tower.right = max([tower.right, *right_of])

    def _meets(self, tower: Tower, each: str, level: float) -> bool:
        """Whether a level edge would run into a box."""
        _, low, _, high = tower.places[each]
        return self.boxes[each].kind != "group" and low - 3 < level < high + 3

    def _shift(self, tower: Tower, inside: set[str], aside: float, up: float) -> None:
        for key in inside:
            a, b, c, d = tower.places[key]
            tower.places[key] = (a + aside, b + up, c + aside, d + up)

    def _below(self, child: str) -> Iterator[str]:
        yield child
        for box in self.made.boxes:
            if box.parent == child:
                yield from self._below(box.id)

    def _tall(self, box: Box) -> float:
        return 2 * RING if box.text in ("+", "×") else 20.0 if box.kind in ("op", "input", "output") else TALL

    def _wide(self, column: list[str], box: Box) -> float:
        """Blocks of a column are of one width."""
        if box.kind != "block":
            return self.width(box)
        return max(self.width(self.boxes[x]) for x in column if self.boxes[x].kind == "block")

    def _sides(self, column: list[str], inner: dict[str, Tower]) -> tuple[float, float]:
        half = max((self._wide(column, self.boxes[x]) / 2 for x in column if x not in inner), default=0.0)
        left = min([-half, *(inner[x].left - PAD - self._times(x) for x in column if x in inner)])
        return left, max([half, *(inner[x].right + PAD for x in column if x in inner)])

    def _times(self, group: str) -> float:
        """The room of `12×` before a frame."""
        text = _count(self.boxes[group]) if self.boxes[group].kind == "group" else ""
        return text_width(text, self.theme.label, self.theme.least, True, plain=True) + 10 if text else 0.0

    def _lanes(self, name: str, spine: list[str]) -> int:
        taken: list[list[tuple[int, int]]] = []
        for edge, a, b in self.spines.skips(name, spine):
            lane = next((k for k, used in enumerate(taken) if all(b <= x or y <= a for x, y in used)), len(taken))
            if lane == len(taken):
                taken.append([])
            taken[lane].append((a, b))
            self.lanes[edge.source, edge.target] = lane
        return len(taken)

    # drawing: y downwards

    def painted(self, tower: Tower) -> tuple[list[Item], list[Group]]:
        """Frames, edges, boxes."""
        items: list[Item] = []
        groups: list[Group] = []
        shown = {key: (a, -d, c, -b) for key, (a, b, c, d) in tower.places.items()}  # left, top, right, bottom
        self.straight = {edge.source for edge in self.made.edges if (edge.source, edge.target) not in self.lanes}
        for box in (box for box in self.made.boxes if box.kind == "group"):
            items += self._group(box, shown)
            groups.append(Group(box.id, box.text, box.where, box.path, box.block, box=shown[box.id], plate=True))
        for edge in {(edge.source, edge.target): edge for edge in reversed(self.made.edges)}.values():
            items += self._edge(edge, shown)
        for box in (box for box in self.made.boxes if box.kind != "group"):
            items += self._box(box, shown[box.id])
            groups.append(Group(box.id, box.text, box.where, box.path, box.block, box=shown[box.id], op=box.op))
        return items, groups

    def _middle(self, group: str, shown: dict[str, Rect]) -> float:
        """Where the spine of a frame runs."""
        columns = self.spines.columns(group)
        first = columns[0][0] if columns else group
        if self.boxes[first].kind == "group" and first != group:
            return self._middle(first, shown)
        return (shown[first][0] + shown[first][2]) / 2

    def _group(self, box: Box, shown: dict[str, Rect]) -> Iterator[Item]:
        left, top, right, bottom = shown[box.id]
        yield Path(rectangle(left, top, right - left, bottom - top, 8), "plate", box.id, change=box.change)
        count, size = _count(box), self.theme.small
        if count:
            wide = text_width(count, self.theme.label, self.theme.least, True, plain=True)
            yield Text(left - 6, top + 15, count, self.theme.label, "title", wide, "end", box.id, change=box.change)
        name = box.then[0] if box.then else "" if count else box.text
        if name:
            x, wide = left + 5, text_width(name, size, self.theme.least, True, plain=True)
            if x < self._middle(box.id, shown) < x + wide + 4:  # beside the edge that leaves it
                x = self._middle(box.id, shown) + 5
            yield Text(x, top - 4, name, size, "title", wide, owner=box.id, change=box.change)
        if box.change:
            yield from badge(box.change, left, top, self.theme, box.id)

    def _box(self, box: Box, place: Rect) -> Iterator[Item]:
        left, top, right, bottom = place
        style = (box.role or "slab") if box.kind == "block" else LOOKS.get(box.kind, "")
        if style:
            radius = RING if box.text in ("+", "×") else 9 if box.kind == "op" else 5
            yield Path(rectangle(left, top, right - left, bottom - top, radius), style, box.id, change=box.change)
        words, size = _words(box), self._size(box)
        looks = {"block": "name", "op": "caption", "weight": "bold"}.get(box.kind, "bold")
        if box.text in ("+", "×"):
            size, looks = self.theme.label, "bold"
        wide = text_width(words, size, self.theme.least, looks == "bold", plain=True)
        middle = (left + right) / 2, (top + bottom) / 2 + size * 0.35
        yield Text(*middle, words, size, looks, wide, "middle", box.id, "", box.change)
        if box.change:
            yield from badge(box.change, left, top, self.theme, box.id)

    def _edge(self, edge: Edge, shown: dict[str, Rect]) -> Iterator[Item]:
        a, b = shown[edge.source], shown[edge.target]
        x, to = (a[0] + a[2]) / 2, (b[0] + b[2]) / 2
        level = abs((a[1] + a[3]) - (b[1] + b[3])) < 1
        if (edge.source, edge.target) in self.lanes:
            yield from self._arc(edge, shown)
        elif abs(x - to) < 0.5:
            yield Path(line((x, a[1]), (x, b[3])), "wire", change=edge.change)
            yield Path(polygon((x - 3, b[3] + 6), (x, b[3]), (x + 3, b[3] + 6)), "solid", change=edge.change)
        else:
            yield from self._aside(edge, a, b, shown)
        if edge.text and (edge.source, edge.target) not in self.lanes and (edge.source, edge.text) not in self.told:
            self.told.add((edge.source, edge.text))  # once for what one box makes
            wide = text_width(edge.text, self.theme.small, self.theme.least)
            place = (a[2] + 5, a[1] + 5) if level else (x + 5, a[1] - 6)
            yield Text(*place, edge.text, self.theme.small, "legend", wide)

    def _aside(self, edge: Edge, a: Rect, b: Rect, shown: dict[str, Rect]) -> Iterator[Item]:
        """Between two columns: into the side of what stands to the right, into the foot of what stands to the left."""
        x, to = (a[0] + a[2]) / 2, (b[0] + b[2]) / 2
        y, out = (b[1] + b[3]) / 2, (a[1] + a[3]) / 2
        if x < to or self.right_of <= x:
            side, leave, tip = (b[0], a[2], -6) if x < to else (b[2], a[0], 6)
            over = [box for key, box in shown.items() if box[0] < x < box[2] and y < box[3] and box[1] < a[1] - 1
                    and self.boxes[key].kind != "group"]  # fmt: skip
            away = leave + (10 if x < to else -10)
            way = [(leave, out), (away, out), (away, y), (side, y)] if over else [(x, a[1]), (x, y), (side, y)]
            way = [(leave, y), (side, y)] if abs(y - out) < 0.5 else way
            yield Path(rounded(way), "wire", change=edge.change)
            yield Path(polygon((side + tip, y - 3), (side, y), (side + tip, y + 3)), "solid", change=edge.change)
        else:
            left = [shown[key][1] for key in self._around(edge.source) if key not in self._around(edge.target)]
            y = max(min([a[1], *left]) - GAP / 2 - 5, b[3] + 8)
            yield Path(rounded(((x, a[1]), (x, y), (to, y), (to, b[3]))), "wire", change=edge.change)
            yield Path(polygon((to - 3, b[3] + 6), (to, b[3]), (to + 3, b[3] + 6)), "solid", change=edge.change)

    def _reach(self, key: str, place: Rect) -> float:
        """How far right a box and what stands over it reach."""
        return max(place[2], (place[0] + place[2]) / 2 + self.said.get(key, 0.0))

    def _around(self, box: str) -> list[str]:
        """The frames that a box stands in."""
        found = []
        while box := self.boxes[box].parent:
            found.append(box)
        return found

    def _arc(self, edge: Edge, shown: dict[str, Rect]) -> Iterator[Item]:
        """Around the boxes on the way, on their right, from right under the first of them."""
        target, frame = shown[edge.target], self.boxes[edge.target].parent
        x = (target[0] + target[2]) / 2
        column = [shown[key] for key in self.spines.columns(frame)[0]]
        passed = [each for each in column if target[3] < each[3] + 0.1 and each[3] <= shown[edge.source][1] + 0.1]
        y = max((each[3] for each in passed), default=target[3]) + GAP / 2 - 1
        reach = [self._reach(key, shown[key]) for key in self.spines.columns(frame)[0] if shown[key] in passed]
        lane = max(reach, default=target[2]) + LANE * (self.lanes[edge.source, edge.target] + 1)
        up = (target[1] + target[3]) / 2
        source = shown[edge.source]
        if edge.source not in self.straight and y < source[1] and abs((source[0] + source[2]) / 2 - x) < 0.5:
            yield Path(line((x, source[1]), (x, y)), "wire", change=edge.change)  # none else leads there
            self.straight.add(edge.source)
        yield Path(rounded(((x, y), (lane, y), (lane, up), (target[2], up))), "wire", change=edge.change)
        yield Path(
            polygon((target[2] + 6, up - 3), (target[2], up), (target[2] + 6, up + 3)), "solid", change=edge.change
        )


def _words(box: Box) -> str:
    return " · ".join((box.text, *box.then))


def _count(box: Box) -> str:
    """`12×`, as papers have it."""
    return f"{box.text[1:]}×" if box.text.startswith("×") and "→" not in box.text else ""
