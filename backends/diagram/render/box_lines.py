"""The lines of text in a box of the overview, for formats that other programs lay out."""

from __future__ import annotations

from ogive.backends.diagram.views.overview import Box


def lines_of(box: Box) -> list[str]:
    """What stands in a box, line by line; of a frame all in one."""
    text = " · ".join((box.text, *box.then))
    place = ", ".join(x for x in (box.was, box.place) if x)
    if box.kind == "group":
        return ["  ".join(x for x in (text, place) if x)]
    return [text, place] if place else [text]
