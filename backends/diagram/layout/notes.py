"""What stands under a figure: rows of text, and a key of its colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ogive.backends.diagram.figure.geometry import Item, Path, Text, rectangle
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme

NAMED = {
    "attention": "attention", "norm": "norm", "feed": "feed-forward", "embedding": "embedding", "conv": "convolution",
    "linear": "linear map", "slab": "other blocks",
}  # fmt: skip
BETWEEN = 22.0  # two entries of a row
LINE = 16.0


def legend_rows(texts: Iterable[str], theme: Theme, x: float, y: float, wide: float) -> Iterator[Item]:
    """What the labels stand for, in as few lines as fit; one that is wider than these goes on in the next."""
    at = x
    for text in (part for each in texts for part in lines_of(each, theme, wide)):
        width = text_width(text, theme.small, theme.least)
        if at > x and at + width > x + wide:
            at, y = x, y + LINE
        yield Text(at, y, text, theme.small, "legend", width)
        at += width + BETWEEN


def lines_of(text: str, theme: Theme, wide: float) -> list[str]:
    """A text of the legend that is wider than that, in parts between its words that are not."""
    found: list[str] = []
    for word in text.split(" ") if text_width(text, theme.small, theme.least) > wide else [text]:
        longer = f"{found[-1]} {word}" if found else word
        if found and text_width(longer, theme.small, theme.least) <= wide:
            found[-1] = longer
        else:
            found.append(word)
    return found


def key_of_roles(roles: Iterable[str], theme: Theme, x: float, y: float, wide: float) -> Iterator[Item]:
    """A swatch and a name for each kind of block."""
    at = x
    for role in roles:
        text = NAMED[role]
        width = text_width(text, theme.small, theme.least, plain=True)
        if at > x and at + 18 + width > x + wide:
            at, y = x, y + LINE
        yield Path(rectangle(at, y - 9, 13, 11, 2), role)
        yield Text(at + 18, y, text, theme.small, "caption", width)
        at += 18 + width + BETWEEN
