"""The texts of a box of the overview, and how much room they take."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.views.overview import Box

BAND = 14.0  # from one line to the next


@dataclass(frozen=True, slots=True)
class BoxText:
    """Lines of text from top to bottom: (text, style, size, width)."""

    lines: tuple[tuple[str, str, float, float], ...]
    width: float
    height: float
    takes: float = 0.0  # the room beside it for what it takes from memory, and for what it puts there
    sends: float = 0.0

    @staticmethod
    def of(box: Box, theme: Theme) -> BoxText:
        """That of a box; a frame has all in one line."""
        words = {"block": "name", "op": "caption", "weight": "bold"}.get(box.kind, "bold")
        size = theme.small if box.kind == "op" else theme.label
        rows = [(" · ".join((box.text, *box.then)), "title" if box.kind == "group" else words, size)]
        place = ", ".join(x for x in (box.was, box.place) if x)
        rows += [(place, "caption", theme.small)] if place else []
        lines = tuple(
            (text, style, tall, text_width(text, tall, theme.least, style in ("title", "bold"), plain=True))
            for text, style, tall in rows
        )
        if box.kind == "group":
            return BoxText(lines, sum(line[3] for line in lines) + 10 * (len(lines) - 1), 0.0)
        wide = max(line[3] for line in lines) + 18
        takes, sends = (text_width(text, theme.small, theme.least) + 6 if text else 0.0 for text in memory(box))
        return BoxText(
            lines, wide, (18.0 if box.kind == "op" else 24.0) + BAND * (len(lines) - 1) - (len(lines) > 1), takes, sends
        )


def memory(box: Box) -> tuple[str, str]:
    """What stands before a box that takes from memory, and behind one that puts something there."""
    return f"{', '.join(box.takes)} →" if box.takes else "", f"→ {', '.join(box.sends)}" if box.sends else ""
