"""The spine of each frame of an overview, and columns of what is not on it: ways from what enters to what leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from ogive.backends.diagram.views.overview import Box, Edge, Overview

HEAVY = {"group": 12, "block": 4}  # what draws a spine to itself


def with_single_frames(made: Overview) -> Overview:
    """The overview with one frame for a loop of one open block, which has the name of the block beside its count."""
    children: dict[str, list[Box]] = {}
    for box in made.boxes:
        children.setdefault(box.parent, []).append(box)
    into: dict[str, str] = {}
    boxes = []
    for box in made.boxes:
        inner = children.get(box.id, [])
        if box.text.startswith("×") and len(inner) == 1 and inner[0].kind == "group" and not inner[0].change:
            into[inner[0].id] = box.id
            boxes.append(replace(box, then=(inner[0].text,), block=inner[0].block, path=inner[0].path))
        elif box.id not in into:
            boxes.append(replace(box, parent=into.get(box.parent, box.parent)))
    return replace(made, boxes=boxes)


class Spines:
    """Children of frames, the edges between them, and their longest ways."""

    def __init__(self, made: Overview) -> None:
        self.made = made
        self.boxes = {box.id: box for box in made.boxes}
        self.known: dict[str, list[list[str]]] = {}

    @cached_property
    def _edges(self) -> dict[str, list[tuple[Edge, str, str]]]:
        """By frame: each edge with the children that it leaves and reaches there, "" for the outside."""
        found: dict[str, list[tuple[Edge, str, str]]] = {}
        for edge in self.made.edges:
            a, b = self._up(edge.source), self._up(edge.target)
            for frame in dict.fromkeys([*a, *b]):
                if a.get(frame, "") != b.get(frame, ""):
                    found.setdefault(frame, []).append((edge, a.get(frame, ""), b.get(frame, "")))
        return found

    def _up(self, box: str) -> dict[str, str]:
        found = {}
        while box:
            found[self.boxes[box].parent] = box
            box = self.boxes[box].parent
        return found

    def reads(self, frame: str, child: str) -> list[str]:
        """The children of a frame that one of them reads."""
        return [a for _, a, b in self._edges.get(frame, ()) if b == child and a]

    def entries(self, frame: str, child: str) -> list[tuple[str, str]]:
        """The children that one of them reads, each with the box in it that does."""
        return [(a, edge.target) for edge, a, b in self._edges.get(frame, ()) if b == child and a]

    def order(self, frame: str) -> list[str]:
        """The children of a frame, each behind what it reads."""
        children = [box.id for box in self.made.boxes if box.parent == frame]
        found: dict[str, None] = {}

        def visit(child: str) -> None:
            for each in self.reads(frame, child):
                if each not in found and each != child:
                    visit(each)
            found.setdefault(child)

        for child in children:
            visit(child)
        return list(found)

    def columns(self, frame: str) -> list[list[str]]:
        """The spine first, then ways of what is left, from the longest on."""
        if frame not in self.known:
            left = self.order(frame)
            columns: list[list[str]] = []
            while left:
                way = self._longest(frame, left, not columns)
                columns.append(way)
                left = [each for each in left if each not in way]
            self.known[frame] = columns
        return self.known[frame]

    def _longest(self, frame: str, children: Sequence[str], spine: bool) -> list[str]:
        """The heaviest way among some children; the spine ends where something leaves the frame."""
        edges = self._edges.get(frame, ())
        leaving = {a for _, a, b in edges if not b} | {x for x in children if self.boxes[x].kind == "output"}
        entered = {b for _, a, b in edges if not a}
        best: dict[str, tuple[int, list[str]]] = {}
        for child in children:
            weight = HEAVY.get(self.boxes[child].kind, 1) + (2 if child in entered else 0)
            ways = [best[each] for each in self._led(frame, child) if each in best]
            before = max(ways, key=lambda way: way[0], default=(0, []))
            best[child] = (before[0] + weight, [*before[1], child])
        ends = [x for x in children if x in leaving] if spine else []
        return max((best[x] for x in ends or children), key=lambda way: way[0])[1]

    def _over(self, source: str, frame: str) -> bool:
        """Whether a frame stands in the column of a box outside of it, and its spine over that box."""
        while frame:
            parent = self.boxes[frame].parent
            child = self._up(source).get(parent)
            if child is not None:
                return any(child in column and frame in column for column in self.columns(parent))
            if frame not in self.columns(parent)[0]:
                return False
            frame = parent
        return False

    def _led(self, frame: str, child: str) -> list[str]:
        """What leads to a child; to a loop only what it carries, which most of what is in it reads."""
        if self.boxes[child].kind != "group":
            return self.reads(frame, child)
        read: dict[str, set[str]] = {}
        for edge, a, b in self._edges.get(frame, ()):
            if b == child:
                read.setdefault(a, set()).add(edge.target)
        most = max(map(len, read.values()), default=0)
        return [a for a, found in read.items() if a and len(found) == most][:1]

    def skips(self, frame: str, spine: Sequence[str]) -> list[tuple[Edge, int, int]]:
        """Edges along the spine that pass something on it, with the first that they pass and what they reach."""
        at = {child: k for k, child in enumerate(spine)}
        found = []
        for edge, a, b in self._edges.get(frame, ()):
            start = at.get(a, -1 if not a else None)
            if start is None or b not in at or edge.target != b or at[b] - start < 2:
                continue
            if not a and not self._over(edge.source, frame):
                continue
            found.append((edge, start + 1, at[b]))
        return found
