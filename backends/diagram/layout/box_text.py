"""The texts of a box of the overview, and how much room they take."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.views.overview import Box

BAND = 14.0  # from one line to the next
PART = re.compile(r".+?(?:[,·] ?|[._](?=\w)| |$)")
SIZE = re.compile(r".+?(?:, |$)")
SHARE, SAID = 0.5, 0.28  # of a page: what the text of a box, and sizes on an edge, may take of its width


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
        muted = box.kind == "group" or not box.role  # muted text has too little contrast on a colour
        rows += [(place, "caption" if muted else "name", theme.small)] if place else []
        limit = SHARE * theme.width if theme.wrap and box.kind != "group" else inf

        def long(style: str, tall: float) -> Callable[[str], float]:
            return lambda text: text_width(text, tall, theme.least, style in ("title", "bold"), plain=True)

        lines = tuple(
            (part, style, tall, long(style, tall)(part))
            for text, style, tall in rows
            for part in broken(text, limit, long(style, tall))
        )
        if box.kind == "group":
            return BoxText(lines, sum(line[3] for line in lines) + 10 * (len(lines) - 1), 0.0)
        wide = max(line[3] for line in lines) + 18
        takes, sends = (text_width(text, theme.small, theme.least) + 6 if text else 0.0 for text in memory(box))
        return BoxText(
            lines, wide, (18.0 if box.kind == "op" else 24.0) + BAND * (len(lines) - 1) - (len(lines) > 1), takes, sends
        )


def broken(text: str, limit: float, long: Callable[[str], float], part: re.Pattern[str] = PART) -> list[str]:
    """A text in lines that are no longer than that, where its words and the parts of its names allow it."""
    if long(text) <= limit:
        return [text]
    found: list[str] = []
    for each in part.findall(text):
        if found and long((found[-1] + each).strip()) <= limit:
            found[-1] += each
        else:
            found.append(each)
    return [line.strip() for line in found if line.strip()]


def said(text: str, theme: Theme) -> list[str]:
    """The sizes on an edge, in lines where a page has no room for them in one."""
    limit = SAID * theme.width if theme.wrap else inf
    return broken(text, limit, lambda part: text_width(part, theme.small, theme.least), SIZE) if text else []


def memory(box: Box) -> tuple[str, str]:
    """What stands before a box that takes from memory, and behind one that puts something there."""
    return f"{', '.join(box.takes)} →" if box.takes else "", f"→ {', '.join(box.sends)}" if box.sends else ""
