"""An overview in text: a line for each box, what is in a frame further in; for terminals and for the ear."""

from __future__ import annotations

from collections.abc import Iterator

from ogive.backends.diagram.render.box_lines import lines_of
from ogive.backends.diagram.views.overview import Box, Overview

MARKS = {"added": "+ ", "removed": "- ", "changed": "~ ", "marked": "* ", "": "  "}


def outline(made: Overview) -> str:
    """Title, boxes with what they read where that is not the line above, legend."""
    changed = any(box.change for box in made.boxes)
    boxes = _OutlineLines(made, changed)
    parts = [made.title, "\n".join(boxes.under("", ""))]
    return "\n\n".join([*parts, *([", ".join(made.legend)] if made.legend else [])]) + "\n"


class _OutlineLines:
    """Boxes that are read by other than the next line have a number in front."""

    def __init__(self, made: Overview, marked: bool) -> None:
        self.made, self.marked = made, marked
        self.reads: dict[str, list[str]] = {}
        self.sizes: dict[str, str] = {}
        for edge in made.edges:
            self.reads.setdefault(edge.target, []).append(edge.source)
            if edge.text:
                self.sizes[edge.source] = edge.text
        order = [box.id for box in self._ordered("")]
        before = dict(zip(order[1:], order, strict=False))
        far = {s for target, found in self.reads.items() for s in found if before.get(target) != s or len(found) > 1}
        self.numbers = {name: k + 1 for k, name in enumerate(name for name in order if name in far)}
        self.before = before

    def _ordered(self, parent: str) -> Iterator[Box]:
        for box in self.made.boxes:
            if box.parent == parent:
                yield from self._ordered(box.id) if box.kind == "group" else (box,)

    def under(self, parent: str, indent: str) -> Iterator[str]:
        for box in self.made.boxes:
            if box.parent != parent:
                continue
            mark = MARKS[box.change] if self.marked else ""
            first, *place = lines_of(box)
            if box.kind == "group":
                yield f"{mark}{indent}{first}:"
                yield from self.under(box.id, indent + "  ")
                continue
            found = self.reads.get(box.id, [])
            told = len(found) > 1 or (found and self.before.get(box.id) != found[0])
            reads = f" ({', '.join(f'{self.numbers[s]}' for s in found)})" if told else ""
            number = f"{self.numbers[box.id]}. " if box.id in self.numbers else ""
            where = f", {place[0]}" if place else ""
            size = f"  {self.sizes[box.id]}" if box.id in self.sizes else ""
            yield f"{mark}{indent}{number}{first}{where}{reads}{size}"
