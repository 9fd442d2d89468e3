"""Straight pieces with round corners."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.diagram.figure.geometry import Command

CORNER = 6.0
Place = tuple[float, float]


def rounded(way: Sequence[Place], radius: float = CORNER) -> tuple[Command, ...]:
    """From place to place, along and across, each corner round."""
    commands: list[Command] = [("M", way[0])]
    for before, corner, after in zip(way, way[1:], way[2:], strict=False):
        commands.append(("L", _toward(corner, before, radius)))
        commands.append(("C", (*corner, *corner, *_toward(corner, after, radius))))
    commands.append(("L", way[-1]))
    return tuple(commands)


def _toward(corner: Place, other: Place, radius: float) -> Place:
    """A little way from a corner to another place."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    far = max(abs(dx), abs(dy))
    part = min(radius, far / 2) / far if far else 0.0
    return corner[0] + dx * part, corner[1] + dy * part
