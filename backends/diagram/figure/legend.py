"""What stands under a figure: only what explains a name that is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ogive.backends.diagram.figure.figure import Figure

NAME = re.compile(r"[^\W\d][\w'₀-₉]*")
ROW = re.compile(r"(\S+) = (.*)")


def names(texts: Iterable[str]) -> set[str]:
    """The names in texts."""
    return {name for text in texts for name in NAME.findall(text)}


def explained(figure: Figure, drawn: Iterable[str]) -> list[str]:
    """The rows of the legend whose name is in the texts that are `drawn`, or in another row; notes that are no rows."""
    rows = [f"{row.label} = {row.size}" for row in figure.legend] + list(figure.notes)
    rows = [row for row in rows if row not in figure.live.values] if figure.live is not None else rows
    parts = [(text, ROW.fullmatch(text)) for text in dict.fromkeys(rows)]
    known = names(drawn)
    kept: set[str] = set()
    while True:
        more = [row for text, row in parts if row and text not in kept and names([row[1]]) <= known]
        if not more:
            return [text for text, row in parts if row is None or text in kept]
        kept |= {row[0] for row in more}
        known |= names(row[2] for row in more)
