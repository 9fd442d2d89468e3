"""Feature maps as volumes in a row: height and depth to scale, the thickness by the root of the channels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise
from math import sqrt

from ogive.backends.diagram.figure.geometry import (
    Drawing,
    Group,
    Item,
    Path,
    Text,
    extent,
    line,
    polygon,
)
from ogive.backends.diagram.figure.labels import lowered, text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.curves import rounded
from ogive.backends.diagram.layout.notes import key_of_roles, legend_rows
from ogive.backends.diagram.layout.pages import room
from ogive.backends.diagram.layout.sheet import framed
from ogive.backends.diagram.views.volumes import Volume, Volumes

TALL = 150.0  # the height of the highest map
LEAST = 5.0  # of any side
THICK = 58.0  # of the map with the most channels
SLANT = (0.42, 0.30)  # how far right and up one unit of depth goes
APART = 18.0
STEP = 9.0  # between two short-cuts
LINE = 12.0
ROW = 36.0  # between two rows
NAMED = 16.0  # over a row, for the names of what comes from another one


def maps_drawing(made: Volumes, theme: Theme, title: str, alt: str) -> Drawing:
    """The drawing of feature maps, in as many rows as the theme's width asks for."""
    painter = _Maps(made, theme)
    items, groups = painter.painted()
    left, _, right, bottom = extent(items)
    roles = dict.fromkeys(_style(each) for each in made.maps[1:])
    items += key_of_roles(roles, theme, left, bottom + 24, right - left)
    told = ["height and depth: the sides, to scale", "thickness: the root of the channels"]
    items += legend_rows(told, theme, left, extent(items)[3] + 18, max(right - left, min(300, room(theme)[0])))
    return framed(items, groups, theme, title, alt, 16)


def _style(each: Volume) -> str:
    return each.box.role or "slab"


class _Maps:
    """Volumes side by side, their captions under them."""

    def __init__(self, made: Volumes, theme: Theme) -> None:
        self.made, self.theme = made, theme
        self.most = max(max(each.height, each.width) for each in made.maps)
        self.under: list[float] = []  # how far the row of each map reaches under its middle
        self.thickest = max(each.channels for each in made.maps)

    def size(self, each: Volume) -> tuple[float, float, float]:
        """Thickness, height and depth on the page."""
        scale = TALL / self.most
        thick = LEAST + (THICK - LEAST) * sqrt(each.channels / self.thickest)
        return thick, max(LEAST, each.height * scale), max(LEAST, each.width * scale)

    def captions(self, each: Volume) -> list[str]:
        """What made a map, and its sides."""
        alone = sum(other.stage == each.stage for other in self.made.maps) == 1
        made = " · ".join((each.box.text, *each.box.then))
        name = made if not each.stage else each.stage if alone else f"{each.stage.partition(':')[0]}: {made}"
        words, lines = name.split(" "), [""]
        for word in words:  # in lines that are no wider than most volumes
            longer = f"{lines[-1]} {word}".strip()
            lines = [*lines[:-1], longer] if len(longer) < 14 else [*lines, word]
        return [line for line in (*lines, each.sides) if line]

    def painted(self) -> tuple[list[Item], list[Group]]:
        """The rows of the figure."""
        items: list[Item] = []
        groups: list[Group] = []
        places: list[tuple[float, float]] = []
        rows = self._rows()
        y = 0.0
        for start, end in pairwise([*rows, len(self.made.maps)]):
            shown = self.made.maps[start:end]
            sizes = [self.size(each) for each in shown]
            over = max(tall / 2 + depth * SLANT[1] for _, tall, depth in sizes)
            self.under += [max(tall for _, tall, _ in sizes) / 2] * len(shown)
            x, y = 0.0, y + over if start else 0.0
            for each, (thick, _, depth) in zip(shown, sizes, strict=True):
                places.append((x + (self._wide(each) - thick - depth * SLANT[0]) / 2, y))
                x += self._wide(each) + APART
            y += self.under[-1] + max(len(self.captions(each)) for each in shown) * LINE + ROW
            y += NAMED if self.made.skips else 0.0
        for k, each in enumerate(self.made.maps[:-1]):
            x, y = places[k + 1]
            if k + 1 in rows:  # out of the row, and into the next one
                items += self._arrow(each, places[k], (places[k][0] + self.size(each)[0] + 1.4 * APART, places[k][1]))
                items += self._arrow(None, (x - 1.2 * APART, y), (x, y))
            else:
                items += self._arrow(each, places[k], (x, y))
        items += self._skips(places, rows)
        for k, (each, (left, middle)) in enumerate(zip(self.made.maps, places, strict=True)):
            items += self._volume(k, each, left, middle)
            items += self._captions(k, each, left, middle)
            groups.append(self._group(k, each, left, middle))
        return items, groups

    def _rows(self) -> list[int]:
        """The first map of each row; what is handed on past others keeps all in one, where no page asks for more."""
        rows, x = [0], 0.0
        if sum(self._wide(each) + APART for each in self.made.maps) - APART <= self.theme.width:
            return rows
        room = self.theme.width - (2.6 * APART if self.theme.page is not None else 0.0)  # for arrows to other rows
        for k, each in enumerate(self.made.maps):
            wide = self._wide(each)
            if x and x + wide > room and (self.theme.page is not None or not self.made.skips):
                x = 0.0
                rows.append(k)
            x += wide + APART
        return rows

    def _wide(self, each: Volume) -> float:
        thick, _, depth = self.size(each)
        texts = (text_width(t, self.theme.small, self.theme.least, plain=True) for t in self.captions(each))
        return max(thick + depth * SLANT[0], *texts)

    def _volume(self, k: int, each: Volume, x: float, y: float) -> Iterator[Item]:
        """Front, top and right side; `y` is the middle of the front."""
        thick, tall, depth = self.size(each)
        dx, dy = depth * SLANT[0], -depth * SLANT[1]
        top, bottom, right = y - tall / 2, y + tall / 2, x + thick
        style, owner = ("glyph" if not k else _style(each)), f"m{k}"
        side = ((right, top), (right + dx, top + dy), (right + dx, bottom + dy), (right, bottom))
        yield Path(polygon(*side), style, owner)
        yield Path(polygon((x, top), (x + dx, top + dy), (right + dx, top + dy), (right, top)), style, owner)
        yield Path(polygon((x, top), (right, top), (right, bottom), (x, bottom)), style, owner)

    def _captions(self, k: int, each: Volume, x: float, y: float) -> Iterator[Item]:
        thick, _, depth = self.size(each)
        middle, down = x + (thick + depth * SLANT[0]) / 2, y + self.under[k] + LINE + 4
        lines = self.captions(each)
        for text in lines:
            wide = text_width(text, self.theme.small, self.theme.least, plain=True)
            style = "caption" if text is not lines[-1] else "name"
            yield Text(middle, down, text, self.theme.small, style, wide, "middle", f"m{k}")
            down += LINE

    def _group(self, k: int, each: Volume, x: float, y: float) -> Group:
        thick, tall, depth = self.size(each)
        box = (x, y - tall / 2 - depth * SLANT[1], x + thick + depth * SLANT[0], y + tall / 2)
        return Group(f"m{k}", each.box.text, each.box.where, each.box.path, each.box.block, box=box, op=each.box.op)

    def _arrow(self, each: Volume | None, place: tuple[float, float], after: tuple[float, float]) -> Iterator[Item]:
        """From one map, which lies over its start, or from a place, to the front of the next."""
        x, y = place[0] + (self.size(each)[0] if each is not None else 0.0), place[1]
        yield Path(line((x, y), (after[0] - 2, y)), "wire")
        yield Path(polygon((after[0] - 7, y - 3), (after[0] - 1, y), (after[0] - 7, y + 3)), "solid")

    def _skips(self, places: list[tuple[float, float]], rows: list[int]) -> Iterator[Item]:
        """Over the maps, the longest outermost; those to another row are kept under a name, and taken by it."""
        tops = [
            self._group(k, each, *place).box[1]
            for k, (each, place) in enumerate(zip(self.made.maps, places, strict=True))
        ]
        row = [sum(start <= k for start in rows) for k in range(len(places))]
        order = sorted(self.made.skips, key=lambda pair: pair[1] - pair[0])
        across = sorted(pair for pair in order if row[pair[0]] != row[pair[1]])
        for name, pair in zip(letters(), across, strict=False):
            yield from self._named(name, pair, places, tops)
        for n, (a, b) in enumerate(pair for pair in order if pair not in across):
            y = min(tops[a : b + 1]) - 10 - STEP * n
            (x, start), (to, end) = (self._top(k, places, tops) for k in (a, b))
            yield Path(rounded(((x, start), (x, y), (to, y), (to, end))), "wire")
            yield Path(polygon((to - 3, end - 6), (to, end), (to + 3, end - 6)), "solid")

    def _top(self, k: int, places: list[tuple[float, float]], tops: list[float]) -> tuple[float, float]:
        """Where a short-cut leaves or meets a map."""
        thick, _, depth = self.size(self.made.maps[k])
        return places[k][0] + (thick + depth * SLANT[0]) / 2 + thick / 4, tops[k] - 1

    def _named(
        self, name: str, pair: tuple[int, int], places: list[tuple[float, float]], tops: list[float]
    ) -> Iterator[Item]:
        (x, start), (to, end) = (self._top(k, places, tops) for k in pair)
        yield Path(line((x, start), (x, start - 12)), "wire")
        yield Path(line((to, end - 12), (to, end)), "wire")
        yield Path(polygon((to - 3, end - 6), (to, end), (to + 3, end - 6)), "solid")
        for text, place, up in ((f"→ {name}", x, start), (f"{name} →", to, end)):
            wide = text_width(text, self.theme.small, self.theme.least, True, plain=True)
            yield Text(place, up - 15, text, self.theme.small, "bold", wide, "middle")


def letters() -> Iterator[str]:
    """A to Z, then A₁ to Z₁."""
    return (chr(ord("A") + k % 26) + (lowered(k // 26) if k >= 26 else "") for k in count())
