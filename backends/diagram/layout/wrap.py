"""Rows no wider than a page, cut where the fewest wires are alive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from ogive.backends.diagram.figure.figure import DrawnTensor, Section
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.memories import parts
from ogive.backends.diagram.layout.place import DEEP, depth, place
from ogive.backends.diagram.layout.placement import OpDrawing, Placed

# what a row costs: itself, each tensor that lives on, each pixel of it beyond the page or short of it
ROW, NAME, OVER, UNDER = 60.0, 15.0, 4.0, 0.2
SHORT = 0.3  # of the page: a last row that is shorter stands lost, and costs LOST a pixel
LOST = 1.5
HOOK = 16.0  # what an arrow to the next row needs beside it
# rows are narrower than the same part of the whole, from which tensors under names are gone: how wide they are tried
TRIED = (1.3, 1.15, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
MANY = 12  # rows, of which one less is not looked for
FILL = 0.45  # of the page: rows as wide as this are stretched to all of it, the last one
CLOSER = (1.0, 0.96, 0.92, 0.88, 0.84)  # and once their widths are known
LAST_FILL = 0.85  # from here on

Boundaries = tuple[tuple[DrawnTensor, ...], ...]


def rows(
    section: Section, theme: Theme, above: Mapping[str, float] | None = None, known: frozenset[str] | None = None,
    names: tuple[float, float] = (0.0, 0.0),
) -> list[Placed]:  # fmt: skip
    """The section in rows; `known` are wires of a body whose labels stand outside of it, None for a whole figure.

    `names` is the room of what stands before the first row and behind the last one.
    """
    wide: dict[str, OpDrawing] = {}
    whole = place(section, theme, above, known, rows=rows, wide=wide)
    for more in (1.0, 4.0, 8.0):
        spare = _excess(whole, theme.width - 2 * HOOK, more)
        if not spare or whole.width <= theme.width:
            break
        if any(depth(op) > DEEP for c in section.columns for op in c.ops if op.oid in spare):
            break  # each further layout of what is nested deeply multiplies those of all that is inside
        kept = {oid: made for oid, made in whole.pieces.items() if oid not in spare}
        whole = place(section, theme, above, known, rows=rows, pieces=kept, spare=spare, wide=wide)
    if whole.width + sum(names) <= theme.width or len(section.columns) < 2:
        return [whole]
    page = theme.width - 2 * HOOK
    trial = _Trial(section, theme, above, known, whole, names)
    best = trial.best([whole], page, TRIED)
    if len(best) == 1:
        return best
    if len(best) < MANY and trial.widest(best) <= page:
        best = trial.best(best, page, CLOSER)
    trial.stretch(best, max(page, trial.widest(best)))
    return best


def _excess(whole: Placed, page: float, more: float) -> dict[str, float]:
    """The room that each operation with a body must leave so that a page holds it in a row of its own, or `more`."""
    found = {}
    for at, column in enumerate(whole.section.columns):
        over = whole.gaps[at + 1].bend - whole.gaps[at].start - page
        for op in column.ops if over > 0 else ():
            if op.bodies:
                made = whole.pieces[op.oid]
                found[op.oid] = more * over + made.spare
    return found


@dataclass(slots=True)
class _Trial:
    """Rows of one section, cut in several ways."""

    section: Section
    theme: Theme
    above: Mapping[str, float] | None
    known: frozenset[str] | None
    whole: Placed
    names: tuple[float, float]
    tried: set[tuple[int, ...]] = field(default_factory=set)

    def best(self, best: list[Placed], page: float, shares: Iterable[float]) -> list[Placed]:
        """The rows of these or of other cuts that are no wider than the page, as few as can be; else the narrowest."""
        starts, bends = _measured(best)
        for share in shares:
            first, final = self.names
            around = ([starts[0] - first, *starts[1:]], [*bends[:-1], bends[-1] + final])
            marks = (0, *_cuts(*around, self.section.boundaries, page * share), len(self.section.columns))
            if marks in self.tried or len(marks) == 2:
                continue
            self.tried.add(marks)
            found = self.rows(marks)
            if self.rank(found, page) < self.rank(best, page):
                best = found
            if self.widest(found) <= page:
                break
        return best

    def widest(self, found: list[Placed]) -> float:
        """The widest row, with its names."""
        room = {0: self.names[0]}
        room[len(found) - 1] = room.get(len(found) - 1, 0.0) + self.names[1]
        return max(row.width + room.get(at, 0.0) for at, row in enumerate(found))

    def rank(self, found: list[Placed], page: float) -> tuple[float, int, float]:
        """How far rows are over the page, how many they are, how much the last one lacks."""
        return max(self.widest(found) - page, 0.0), len(found), max(SHORT * page - found[-1].width, 0.0)

    def rows(self, marks: tuple[int, ...]) -> list[Placed]:
        """The rows between these boundaries."""
        found: list[Placed] = []
        for (a, b), part in zip(pairwise(marks), parts(self.section, marks), strict=True):
            first, last = a == 0, b == len(self.section.columns)
            labels = self.known if first or self.known is None else frozenset()
            row = place(part.section, self.theme, self.above, labels, rows=rows, pieces=self.whole.pieces,
                        ends=not last or self.known is None, part=part)  # fmt: skip
            row.first, row.last = first, last
            found.append(row)
        return found

    def stretch(self, found: list[Placed], wide: float) -> None:
        """Make rows that are nearly as wide as that just so wide; the widest one in any case."""
        goals = []
        for row in found:
            goal = wide - (self.names[0] if row.first else 0.0) - (self.names[1] if row.last else 0.0)
            goals.append(goal if row.width > (LAST_FILL if row.last else FILL) * goal else 0.0)
        if not any(goals):
            goals[max(range(len(found)), key=lambda at: found[at].width)] = wide - sum(self.names)
        for row, goal in zip(found, goals, strict=True):
            row.stretch(goal)


def _measured(found: list[Placed]) -> tuple[list[float], list[float]]:
    """For each boundary, where a row that starts there starts, and where one that ends there ends."""
    starts, bends = [0.0], [0.0]
    for row in found:
        x = starts[-1] - row.gaps[0].start
        bends[-1] = max(bends[-1], x + row.gaps[0].bend)
        for gap in row.gaps[1:]:
            starts.append(x + gap.start)
            bends.append(x + gap.bend)
    return starts, bends


def _cuts(starts: list[float], bends: list[float], boundaries: Boundaries, page: float) -> list[int]:
    """The boundaries at which a row ends, so that the sum of all costs is least: dynamic programming over them."""
    last = len(starts) - 1
    names = [(len(boundary) - 1) * NAME for boundary in boundaries]
    best: list[tuple[float, int]] = [(0.0, 0)]
    for b in range(1, last + 1):
        least = (inf, 0)
        for a in reversed(range(b)):
            wide = bends[b] - starts[a]
            over, under = max(wide - page, 0.0), max(page - wide, 0.0)
            if ROW + OVER * over > least[0]:
                break  # and what begins earlier is wider still
            short = UNDER * under + names[b] if b < last else LOST * max(SHORT * page - wide, 0.0)
            least = min(least, (best[a][0] + ROW + OVER * over + short, a))
        best.append(least)
    cuts, at = [], best[last][1]
    while at:
        cuts.append(at)
        at = best[at][1]
    return cuts[::-1]
