"""An overview in several: children of its outermost frame in each, and what runs between two of them under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from ogive.backends.diagram.figure.labels import lowered
from ogive.backends.diagram.views.overview import Box, Edge, Overview


def in_parts(made: Overview, part: Mapping[str, int]) -> list[Overview]:
    """One overview for each number; `part` has that of each child of the outermost frame.

    A value that another part reads ends as `→ A` in its own, and begins as `A →` where it is read; an input begins in
    each part that reads it.
    """
    boxes = {box.id: box for box in made.boxes}
    at = {box.id: part[_outermost(boxes, box.id)] for box in made.boxes}
    found = [replace(made, boxes=[], edges=[], legend=[], alt="") for _ in range(max(at.values()) + 1)]
    for box in made.boxes:
        found[at[box.id]].boxes.append(box)
    taken_names = {name for box in made.boxes for name in (*box.takes, *box.sends)}
    letters = (name for k in count(0) if (name := _letter(k)) not in taken_names)
    names: dict[str, str] = {}
    begun = [0] * len(found)
    for edge in made.edges:
        here, there = at[edge.source], at[edge.target]
        if here == there:
            found[here].edges.append(edge)
            continue
        source = boxes[edge.source]
        if source.kind == "input":
            taken = replace(source, id=f"{edge.source}-{there}")
        else:
            if edge.source not in names:
                names[edge.source] = next(letters)
                kept = Box(f"{edge.source}-kept", f"→ {names[edge.source]}", "output")
                found[here].boxes.append(kept)
                found[here].edges.append(Edge(edge.source, kept.id, edge.text, edge.change, edge.name, edge.spots))
            taken = Box(f"{edge.source}-{there}", f"{names[edge.source]} →", "input")
        if all(box.id != taken.id for box in found[there].boxes):
            begun[there] += 1
            found[there].boxes.insert(begun[there] - 1, taken)
        found[there].edges.append(replace(edge, source=taken.id, text=edge.text if source.kind == "input" else ""))
    return [each for each in found if each.boxes]


def _letter(k: int) -> str:
    """A to Z, then A₁ to Z₁."""
    return chr(ord("A") + k % 26) + (lowered(k // 26) if k >= 26 else "")


def _outermost(boxes: Mapping[str, Box], child: str) -> str:
    while boxes[child].parent:
        child = boxes[child].parent
    return child
