"""What is drawn: paths, dots and texts at absolute places. Every format writes these and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure.figure import Change
from ogive.backends.diagram.figure.palettes import HUES

Command = tuple[str, tuple[float, ...]]  # ("M" | "L", (x, y)), ("C", (x1, y1, x2, y2, x, y)), ("Z", ())

# how each path is drawn: (stroke width: wire, bold or none; stroke colour; fill colour; dashes)
PATHS: dict[str, tuple[str, str, str, str]] = {
    "wire": ("wire", "ink", "", ""),
    "bundle": ("thick", "muted", "", ""),
    "separator": ("thin", "muted", "", "3 3"),
    "arc": ("wire", "ink", "", ""),
    "thin": ("thin", "ink", "", ""),
    "bold": ("bold", "ink", "", ""),
    "glyph": ("wire", "ink", "fill", ""),
    "learned": ("bold", "ink", "fill", ""),
    "solid": ("", "", "ink", ""),
    "slab": ("wire", "ink", "slab", ""),
    "shade": ("wire", "ink", "shade", ""),
    "plate": ("thin", "muted", "plate", ""),
}
# the boxes of blocks by what they are for
ROLES = ("attention", "norm", "feed", "embedding", "conv", "linear")
PATHS |= {role: ("wire", "ink", role, "") for role in ROLES}
PATHS |= {hue: ("wire", hue, "", "") for hue in HUES}  # wires by axis
RARE = (*ROLES, *HUES)  # styles that most drawings do not have
TEXTS = ("label", "name", "bold", "caption", "title", "float", "legend")


@dataclass(frozen=True, slots=True)
class Path:
    """A line, or a closed shape where it ends with Z."""

    commands: tuple[Command, ...]
    style: str = "wire"
    owner: str = ""  # the operation it belongs to
    axis: str = ""  # the axis, where it is a wire
    change: Change = ""
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A small filled circle."""

    x: float
    y: float
    radius: float = 2.6
    owner: str = ""
    change: Change = ""


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text, on a baseline; `width` is measured, so that every renderer keeps it."""

    x: float
    y: float
    text: str
    size: float
    style: str
    width: float
    anchor: str = "start"  # start, middle, end
    owner: str = ""
    axis: str = ""
    change: Change = ""
    spots: tuple[tuple[str, str], ...] = ()  # on a page: parts of the text, and the sizes that they say
    room: float = 0.0  # how wide it may become there

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        left = self.x - {"start": 0.0, "middle": self.width / 2, "end": self.width}[self.anchor]
        return left, self.y - 0.74 * self.size, left + self.width, self.y + 0.2 * self.size


Item = Path | Dot | Text


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of an operation that is drawn."""

    owner: str
    name: str
    where: str
    path: str = ""
    block: str = ""
    wrong: str = ""
    box: tuple[float, float, float, float] = (0, 0, 0, 0)
    core: tuple[float, float, float, float] | None = None  # its glyph, which no other wire may enter
    plate: bool = False  # it holds others
    op: str = ""  # by which a page knows its sizes


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure, placed."""

    width: float
    height: float
    items: tuple[Item, ...]
    title: str = ""
    alt: str = ""
    groups: tuple[Group, ...] = field(default=())
    scale: float = 1.0  # how large it is written: its measures stay as they are
    smallest: float = 0.0  # the size of its smallest text, in pixels as it is written
    crossings: int = 0  # pairs of wires of a circuit that cross
    least: float = 0.0  # of subscripts, where that is not what a theme says
    parts: int = 1  # of which it is made: what is too wide for its page is drawn under the rest


def line(*points: tuple[float, float]) -> tuple[Command, ...]:
    """Straight from point to point."""
    return tuple(("L" if i else "M", point) for i, point in enumerate(points))


def polygon(*points: tuple[float, float]) -> tuple[Command, ...]:
    """A closed shape with straight sides."""
    return (*line(*points), ("Z", ()))


def rectangle(x: float, y: float, width: float, height: float, radius: float = 0) -> tuple[Command, ...]:
    """A box, with round corners where `radius` says so."""
    right, bottom, r = x + width, y + height, min(radius, width / 2, height / 2)
    if not r:
        return polygon((x, y), (right, y), (right, bottom), (x, bottom))
    k = 0.4477 * r  # a circle's quarter as a cubic
    return (
        ("M", (x + r, y)), ("L", (right - r, y)), ("C", (right - k, y, right, y + k, right, y + r)),
        ("L", (right, bottom - r)), ("C", (right, bottom - k, right - k, bottom, right - r, bottom)),
        ("L", (x + r, bottom)), ("C", (x + k, bottom, x, bottom - k, x, bottom - r)), ("L", (x, y + r)),
        ("C", (x, y + k, x + k, y, x + r, y)), ("Z", ()),
    )  # fmt: skip


def moved(item: Item, dx: float, dy: float) -> Item:
    """The item at another place."""
    if isinstance(item, Path):
        return replace(item, commands=tuple((name, _moved(points, dx, dy)) for name, points in item.commands))
    return replace(item, x=item.x + dx, y=item.y + dy)


def scaled(item: Item, by: float) -> Item:
    """The item in the size in which its figure is read."""
    if by == 1:
        return item
    if isinstance(item, Path):
        return replace(item, commands=tuple((name, tuple(by * v for v in points)) for name, points in item.commands))
    if isinstance(item, Dot):
        return replace(item, x=by * item.x, y=by * item.y, radius=by * item.radius)
    return replace(item, x=by * item.x, y=by * item.y, size=by * item.size, width=by * item.width)


def _moved(points: tuple[float, ...], dx: float, dy: float) -> tuple[float, ...]:
    return tuple(value + (dy if i % 2 else dx) for i, value in enumerate(points))


def carried(group: Group, dx: float, dy: float, by: float = 1.0) -> Group:
    """The group at another place, or in another size."""

    def placed(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        return by * box[0] + dx, by * box[1] + dy, by * box[2] + dx, by * box[3] + dy

    return replace(group, box=placed(group.box), core=group.core and placed(group.core))


def extent(items: Iterable[Item]) -> tuple[float, float, float, float]:
    """The box around everything, control points included."""
    points = [point for item in items for point in corners(item)]
    if not points:
        return 0, 0, 0, 0
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def corners(item: Item) -> Iterator[tuple[float, float]]:
    """Points that hold the item between them."""
    if isinstance(item, Path):
        for _, points in item.commands:
            yield from zip(points[::2], points[1::2], strict=True)
    elif isinstance(item, Dot):
        yield item.x - item.radius, item.y - item.radius
        yield item.x + item.radius, item.y + item.radius
    else:
        left, top, right, bottom = item.box
        yield left, top
        yield right, bottom


def joined(paths: Iterable[Path]) -> list[Path]:
    """Wires of one axis that meet end to end become one path; straight pieces melt together."""
    found: list[Path] = []
    ends: dict[tuple[object, ...], int] = {}
    for path in paths:
        start = path.commands[0][1]
        key = (round(start[0], 2), round(start[1], 2), path.style, path.axis, path.change, path.wrong)
        at = ends.pop(key, None)
        if at is None:
            at = len(found)
            found.append(path)
        else:
            found[at] = replace(found[at], commands=_melted(found[at].commands, path.commands[1:]))
        last = found[at].commands[-1][1][-2:]
        ends[(round(last[0], 2), round(last[1], 2), path.style, path.axis, path.change, path.wrong)] = at
    return found


def _melted(head: tuple[Command, ...], tail: tuple[Command, ...]) -> tuple[Command, ...]:
    commands = list(head)
    for name, points in tail:
        before = commands[-1]
        level = name == "L" and before[0] == "L" and len(commands) > 1
        if level and before[1][1] == points[1] == commands[-2][1][-1]:
            commands[-1] = (name, points)
        else:
            commands.append((name, points))
    return tuple(commands)
