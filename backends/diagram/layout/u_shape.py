"""An encoder and a decoder as a U: the rows of the one go down on the left, those of the other up on the right.

What the decoder reads of the encoder goes straight from the one to the other (Ronneberger, Fischer, Brox 2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.figure import Figure, Section
from ogive.backends.diagram.figure.geometry import Item, Path, extent, line, moved
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.memories import lives_of, parts
from ogive.backends.diagram.layout.paint import painted
from ogive.backends.diagram.layout.place import place
from ogive.backends.diagram.layout.placement import Placed
from ogive.backends.diagram.layout.wrap import rows

BETWEEN = 44.0  # from the encoder to the decoder, with the arrows of both
FEWEST = 4  # columns between where a skip begins and where it is read


@dataclass(frozen=True, slots=True)
class Skip:
    """A copy that the decoder reads: the boundary where it begins, the column that reads it."""

    tid: str
    begin: int
    user: int


def skips_of(section: Section) -> list[Skip]:
    """The skips, the outermost first: each is inside of the one before."""
    copies = [op for column in section.columns for op in column.ops if op.glyph == "copy"]
    later = {tid for op in copies for tid in op.outputs[1:]}
    lives = lives_of(section)
    found = [Skip(tid, life.first, life.user) for tid, life in lives.items() if tid in later and life.user is not None]
    found = [skip for skip in found if skip.user - skip.begin >= FEWEST]
    middles = [sum(skip.begin <= at <= skip.user for skip in found) for at in range(len(section.boundaries))]
    middle = middles.index(max(middles, default=0)) if middles else 0
    chosen: list[Skip] = []
    for skip in sorted(found, key=lambda skip: (skip.begin, -skip.user)):
        if skip.begin <= middle <= skip.user and (not chosen or _inside(skip, chosen[-1])):
            chosen.append(skip)
    return chosen


def encodes(figure: Figure) -> bool:
    """Whether a figure is an encoder with a decoder that reads it at two scales or more."""
    return any(len(skips_of(section)) > 1 for section in figure.sections)


def _inside(skip: Skip, other: Skip) -> bool:
    return other.begin < skip.begin and skip.user < other.user


def u_shape(section: Section, theme: Theme) -> list[tuple[Placed, float, float, list[Item]]]:
    """The rows of a section, each with its place and its items; the items of skips are with the decoder's.

    Raises `DiagramError` where the section is no encoder with a decoder.
    """
    skips = skips_of(section)
    if len(skips) < 2:
        raise DiagramError("this is no encoder with a decoder that reads it at two scales or more: use --shape rows")
    down = [skip.begin for skip in skips]
    up = [_start(section, inner.user if inner else down[-1], skip.user) for skip, inner in
          zip(skips[::-1], [None, *skips[:0:-1]], strict=True)]  # fmt: skip
    marks = [0, *down, *up, len(section.columns)]
    whole = place(section, theme, rows=rows)
    made: list[Placed] = []
    for at, part in enumerate(parts(section, marks, frozenset(skip.tid for skip in skips))):
        row = place(part.section, theme, rows=rows, pieces=whole.pieces, ends=True, part=part)
        row.first, row.last = at == 0, at == len(marks) - 2
        row.risen, row.rises = at > len(skips), at >= len(skips)
        made.append(row)
    return list(_composed(made, skips, theme))


def _start(section: Section, after: int, user: int) -> int:
    """Where the row of the decoder begins that reads a skip: behind the last block before, or where it is read."""
    blocks = [
        at for at in range(after + 1, user) if any(op.glyph in ("slab", "plate") for op in section.columns[at].ops)
    ]
    copies = [at for at in range(after + 1, user) if all(op.glyph != "copy" for op in section.columns[at].ops)]
    return blocks[-1] + 1 if blocks else copies[0] if copies else user


def _composed(
    made: list[Placed], skips: list[Skip], theme: Theme
) -> Iterator[tuple[Placed, float, float, list[Item]]]:  # fmt: skip
    """Pairs of rows at the same height, joined by their skip, and the bottom between them."""
    count = len(skips)
    pairs = [(made[i], made[2 * count - i]) for i in range(count)]
    wide = max(made[count].width, *(a.width + b.width + BETWEEN for a, b in pairs))
    y = 0.0
    for (left, right), skip in zip(pairs, skips, strict=True):
        items = painted(left), painted(right)
        over = left.heights.tensors[skip.tid] - right.heights.tensors[skip.tid]
        tops = (max(-over, 0.0), max(over, 0.0))  # so that both ends of the skip are level
        boxes = [extent(part) for part in items]
        y -= min(box[1] + top for box, top in zip(boxes, tops, strict=True))
        x, level = wide - right.width, y + tops[0] + left.heights.tensors[skip.tid]
        style = "bundle" if skip.tid in left.bundles and len(_wires(left, skip.tid)) > 1 else "wire"
        joined: list[Item] = [Path(line((left.width, level), (x, level)), style)]
        yield left, 0.0, y + tops[0], [moved(item, 0, y + tops[0]) for item in items[0]]
        yield right, x, y + tops[1], [*joined, *(moved(item, x, y + tops[1]) for item in items[1])]
        y += max(box[3] + top for box, top in zip(boxes, tops, strict=True)) + theme.row
    bottom, x = painted(made[count]), (wide - made[count].width) / 2
    y -= extent(bottom)[1]
    yield made[count], x, y, [moved(item, x, y) for item in bottom]


def _wires(placed: Placed, tid: str) -> tuple[str, ...]:
    return tuple(s.sid for b in placed.section.boundaries for t in b if t.tid == tid for s in t.slots[:2])
