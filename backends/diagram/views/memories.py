"""Named memories: an edge that would run past most of a figure is two arrows with one name, `→ A` and `A →`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

from ogive.backends.diagram.views.overview import Edge, Overview

KEPT = "→ A is kept, A → is taken"  # the row of the legend
LARGE = 24  # boxes of a figure that needs no memories
FAR = 6  # boxes that an edge to another stage may run past
MANY = 5  # readers of one value, beyond which those that are not next have its name
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLAIN = 2  # a name that says something is longer
SHORT = 6  # and where a page has little room, no longer than this


def remembered(made: Overview, long: Callable[[Edge], bool] | None = None) -> Overview:
    """The overview without its longest edges, whose ends have names instead: those of a large one, or that are told."""
    order = {box.id: k for k, box in enumerate(box for box in made.boxes if box.kind != "group")}
    if len(order) <= LARGE and long is None:
        return made
    parents = {box.id: box.parent for box in made.boxes}
    readers: dict[str, int] = {}
    for edge in made.edges:
        readers[edge.source] = readers.get(edge.source, 0) + 1

    def far(edge: Edge) -> bool:
        apart = order[edge.target] - order[edge.source]
        least = 2 if readers[edge.source] > MANY else FAR
        return apart > least and (readers[edge.source] > MANY or parents[edge.target] != parents[edge.source])

    gone = [edge for edge in made.edges if (long or far)(edge)]
    names = _names(made, gone, inf if long is None else SHORT)
    takes: dict[str, list[str]] = {}
    for edge in gone:
        takes.setdefault(edge.target, []).append(names[edge.source])
    boxes = [
        replace(box, takes=tuple(takes.get(box.id, ())), sends=(names[box.id],) if box.id in names else ())
        for box in made.boxes
    ]
    notes = [KEPT] if gone else []
    left = [edge for edge in made.edges if edge not in gone]
    return replace(made, boxes=boxes, edges=left, legend=[*made.legend, *notes])


def _names(made: Overview, gone: list[Edge], most: float) -> dict[str, str]:
    """By box, what the value that it makes is called: as in the source where that is one alone, else a letter."""
    said = {edge.source: edge.name for edge in gone}
    count = list(said.values())
    found: dict[str, str] = {}
    letters = (letter + number for number in ("", *map(str, range(1, len(gone) + 1))) for letter in LETTERS)
    for box in made.boxes:
        if box.id in said:
            own = said[box.id]
            found[box.id] = own if PLAIN < len(own) <= most and count.count(own) == 1 else next(letters)
    return found
