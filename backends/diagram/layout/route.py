"""Wires that change their height in one gap: each turns on a track of its own, so that they never run bundled.

A wire that goes down turns to the right of those under it, one that goes up to the left of those under it: then two
wires cross only where their ends are in another order than their beginnings.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ogive.backends.diagram.figure.geometry import Command

LEVEL = 0.5  # a smaller difference of heights is none
SHORT = 26.0  # a jump up to here is one smooth bend, whatever stands beside it
TRACK = 5.5  # between two tracks
TURN = 9.0  # from a track to the ends of the gap, and the height of a turn
WIDE = 15.0  # the height of a wide turn; less than from wire to wire
Bends = tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """A wire from a height on the left of a gap to one on its right."""

    start: float
    end: float

    @property
    def level(self) -> bool:
        """Whether it runs straight."""
        return abs(self.start - self.end) < LEVEL

    @property
    def reach(self) -> tuple[float, float]:
        """The heights of its upright part, which may not touch another one's on a track."""
        return min(self.start, self.end), max(self.start, self.end) + 2


def tracks(jumps: Iterable[Jump]) -> dict[Jump, int]:
    """The track on which each jump turns, from left to right; those whose heights do not meet may share one."""
    moving = list(dict.fromkeys(j for j in jumps if not j.level))
    down = sorted((j for j in moving if j.end > j.start), key=lambda j: (-j.start, -j.end))
    up = sorted((j for j in moving if j.end < j.start), key=lambda j: (j.start, j.end))
    found: dict[Jump, int] = {}
    taken: list[tuple[float, float, int]] = []
    for jump in (*down, *up):
        low, high = jump.reach
        found[jump] = max((track + 1 for least, most, track in taken if low < most and least < high), default=0)
        taken.append((low, high, found[jump]))
    return found


def width(jumps: Iterable[Jump]) -> float:
    """The room that these jumps need."""
    found = tracks(jumps)
    if not found:
        return 0.0
    longest = max(abs(j.start - j.end) for j in found)
    if longest <= SHORT:
        return max(0.6 * longest, 14.0)
    return 2 * TURN + max(found.values()) * TRACK + 4


@dataclass(frozen=True, slots=True)
class Routes:
    """The ways of all wires through one gap."""

    share: dict[Jump, float]  # tracks as a share of the way
    meet: tuple[set[float], set[float]]

    def bend(self, jump: Jump, x: float, to_x: float) -> Bends:
        """The way of one wire."""
        shared = (round(jump.start, 1) in self.meet[0], round(jump.end, 1) in self.meet[1])
        return bend(jump, x, to_x, self.share.get(jump, 0.5), shared)


def routes(jumps: Iterable[Jump]) -> Routes:
    """The ways of these wires."""
    jumps = list(jumps)
    found = tracks(jumps)
    most = max(found.values(), default=0)
    return Routes({jump: track / most if most else 0.5 for jump, track in found.items()}, meeting(jumps))


def crossings(jumps: Iterable[Jump]) -> int:
    """How many pairs of wires change places: the inversions of their ends, counted by inserting."""
    ends: list[float] = []
    count = 0
    for jump in sorted(jumps, key=lambda j: (j.start, j.end)):
        at = bisect_right(ends, jump.end)
        count += len(ends) - at
        ends.insert(at, jump.end)
    return count


def bend(jump: Jump, x: float, to_x: float, track: float = 0.5, shared: tuple[bool, bool] = (False, False)) -> Bends:
    """From height to height, level at both ends; upright on its track, 0 left to 1 right, where the way is long.

    Where wires meet at a dot (`shared`: at the start, at the end) each leaves it in a wide curve of its own.
    """
    y, to_y = jump.start, jump.end
    if jump.level:
        return (("L", (to_x, to_y)),)
    if abs(to_y - y) <= SHORT:
        middle = (x + to_x) / 2
        return (("C", (middle, y, middle, to_y, to_x, to_y)),)
    at = x + TURN + track * (to_x - x - 2 * TURN)
    sign = 1 if to_y > y else -1
    first, last = (at - x if shared[0] else TURN), (to_x - at if shared[1] else TURN)
    down, up = (sign * min(WIDE, max(TURN, 0.6 * wide)) for wide in (first, last))
    k = 0.45  # how far a control point is from the corner: a quarter of a circle
    return (
        ("L", (at - first, y)),
        ("C", (at - k * first, y, at, y + k * down, at, y + down)),
        ("L", (at, to_y - up)),
        ("C", (at, to_y - k * up, at + k * last, to_y, at + last, to_y)),
        ("L", (to_x, to_y)),
    )


def meeting(jumps: Iterable[Jump]) -> tuple[set[float], set[float]]:
    """The heights from which several wires leave, and those at which several arrive."""
    jumps = set(jumps)
    found = []
    for ends in (Counter(round(j.start, 1) for j in jumps), Counter(round(j.end, 1) for j in jumps)):
        found.append({y for y, count in ends.items() if count > 1})
    return found[0], found[1]
