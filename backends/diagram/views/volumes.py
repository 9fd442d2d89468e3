"""Feature maps of a convolutional net in their order: what each step of the spine makes, where its sides change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.views.overview import Box, Overview
from ogive.backends.diagram.views.spines import Spines

MANY = 4  # maps of one height and width in a stage
NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Volume:
    """A feature map: height, width and channels, what made it, and the stage that this stands in."""

    height: int
    width: int
    channels: int
    box: Box
    stage: str = ""

    @property
    def sides(self) -> str:
        """`112²×64`, of what has no sides its number of entries."""
        one = self.height == self.width == 1
        if self.height == self.width:
            return str(self.channels) if one else f"{self.height}²×{self.channels}"
        return f"{self.height}×{self.width}×{self.channels}"


@dataclass(frozen=True, slots=True)
class Volumes:
    """Feature maps from first to last, and pairs of them between which something is handed on past the others."""

    maps: tuple[Volume, ...]
    skips: tuple[tuple[int, int], ...]


def volumes(made: Overview) -> Volumes:
    """The feature maps of an overview whose sizes are symbols with numbers (`⌈h/2⌉=112`).

    Raises `DiagramError` where a size has no number, and where nothing of it is a map with two sides.
    """
    steps = list(_steps(made, Spines(made), ""))
    none = f"{made.title} has no feature maps with height and width: --view stack or overview draws it"
    if not any(len(box.sizes) == 4 for box, _ in steps):
        raise DiagramError(none)
    sides = _sides([box for box, _ in steps])
    found: list[Volume] = []
    at: dict[str, int] = {}
    for box, stage in steps:
        size = _volume(box, sides)
        if size is None:
            continue
        volume = Volume(*size, box, stage)
        if not found or volume.sides != found[-1].sides:
            found.append(volume)
        at[box.id] = len(found) - 1
    if not any(each.height > 1 and each.width > 1 for each in found):
        raise DiagramError(none)
    found, at = _shorter(found, at)
    edges = ((at[e.source], at[e.target]) for e in made.edges if e.source in at and e.target in at)
    skips = dict.fromkeys((a, b) for a, b in edges if b - a > 2)
    return Volumes(tuple(found), tuple(skips))


def _shorter(found: Sequence[Volume], at: Mapping[str, int]) -> tuple[list[Volume], dict[str, int]]:
    """Of many maps of one height and width in a stage the last one: what all of them come to."""
    kept: list[Volume] = []
    place: list[int] = []
    for _, run in groupby(found, key=lambda each: (each.stage, each.height, each.width)):
        maps = list(run)
        many = bool(maps[0].stage) and len(maps) > MANY
        place += [len(kept)] * len(maps) if many else range(len(kept), len(kept) + len(maps))
        kept += maps[-1:] if many else maps
    return kept, {box: place[number] for box, number in at.items()}


def _steps(made: Overview, spines: Spines, frame: str, stage: str = "") -> Iterator[tuple[Box, str]]:
    """The boxes of the spine, those of frames in their place."""
    columns = spines.columns(frame)
    for child in columns[0] if columns else ():
        box = spines.boxes[child]
        if box.kind == "group":
            yield from _steps(made, spines, child, stage or box.text)
        elif box.kind != "output":
            yield box, stage


def _sides(boxes: Sequence[Box]) -> set[str]:
    """What the sides of the first map are called."""
    first = next((box.sizes for box in boxes if len(box.sizes) == 4), ())
    return {name for size in first[2:] for name in NAME.findall(size.partition("=")[0])}


def _volume(box: Box, sides: set[str]) -> tuple[int, int, int] | None:
    if len(box.sizes) not in (2, 3, 4):
        return None
    symbols = [size.partition("=")[0] for size in box.sizes]
    numbers = [size.rpartition("=")[2] for size in box.sizes[1:]]
    if not all(number.isdigit() for number in numbers):
        names = dict.fromkeys(name for number in numbers if not number.isdigit() for name in NAME.findall(number))
        told = ",".join(f"{name}=64" for name in names)
        raise DiagramError(f"feature maps have numbers for sides: give them with --at {told}")
    known = [int(number) for number in numbers]
    if len(known) == 1:
        return 1, 1, known[0]
    if len(known) == 2:
        return 1, 1, known[-1]
    last = [k for k, symbol in enumerate(symbols[1:]) if sides & set(NAME.findall(symbol))]
    a, b = last if len(last) == 2 else (1, 2)  # channels stand first where names do not tell
    (c,) = {0, 1, 2} - {a, b}
    return known[a], known[b], known[c]
