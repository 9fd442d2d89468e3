"""What is put around finished drawings: captions under them, several as the panels (a), (b), (c) of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.backends.diagram.figure.geometry import Drawing, Group, Item, Text, carried, extent, moved, scaled
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme

LINE = 15.0
APART = 24.0  # between two panels


def framed(
    items: Sequence[Item], groups: Sequence[Group], theme: Theme, title: str, alt: str, rise: float
) -> Drawing:  # fmt: skip
    """Items with a title `rise` over them, as a drawing with margins around it."""
    left, top, _, _ = extent(items)
    wide = text_width(title, theme.label, theme.least, True, plain=True)
    items = [*items, Text(left, top - rise, title, theme.label, "title", wide)]
    left, top, right, bottom = extent(items)
    dx, dy = theme.margin - left, theme.margin - top
    shifted = tuple(carried(group, dx, dy) for group in groups)
    return Drawing(
        round(right - left + 2 * theme.margin, 1), round(bottom - top + 2 * theme.margin, 1),
        tuple(moved(item, dx, dy) for item in items), title, alt, shifted,
    )  # fmt: skip


def captioned(drawing: Drawing, text: str, theme: Theme) -> Drawing:
    """The drawing with a text under it, in lines of its width."""
    if not text:
        return drawing
    lines = _lines(text, max(drawing.width, 260.0) - 2 * theme.margin, theme)
    items: list[Item] = list(drawing.items)
    for k, each in enumerate(lines):
        wide = text_width(each, theme.label, theme.least, plain=True)
        y = drawing.height + LINE * k + 8
        items.append(Text(theme.margin, y, each, theme.label, "name", wide))
    longest = max(text_width(each, theme.label, theme.least, plain=True) for each in lines)
    wide = max(drawing.width, longest + 2 * theme.margin)
    height = drawing.height + LINE * len(lines) + 10
    return replace(drawing, items=tuple(items), width=round(wide, 1), height=round(height, 1))


def _lines(text: str, wide: float, theme: Theme) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, theme.label, theme.least, plain=True) <= wide:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def panels(drawings: Sequence[tuple[str, Drawing]], theme: Theme, title: str) -> Drawing:
    """Drawings side by side in rows, each under its letter and with its caption; ids stay apart.

    Each has the measures of a figure by itself: those of one that is denser than others are smaller.
    """
    items: list[Item] = []
    groups: list[Group] = []
    page = theme.page[0] if theme.page is not None else theme.width
    x = y = tall = wide = 0.0
    for k, (caption, drawing) in enumerate(drawings):
        letter = f"({chr(ord('a') + k)})"
        made = captioned(_in_measures(drawing, theme), f"{letter} {caption}".strip(), theme)
        if x and x + made.width > page + 0.1:
            x, y, tall = 0.0, y + tall + APART, 0.0
        name = f"{letter[1]}-"
        for item in made.items:
            owned = replace(item, owner=name + item.owner) if item.owner else item
            items.append(moved(owned, x, y))
        for group in made.groups:
            groups.append(carried(replace(group, owner=name + group.owner), x, y))
        x, tall = x + made.width + APART, max(tall, made.height)
        wide = max(wide, x - APART)
    alt = " ".join(drawing.alt for _, drawing in drawings)
    scale = theme.scale * min(1.0, page / wide if theme.page is not None else 1.0)
    smallest, least = (
        min(found) for found in zip(*((d.smallest, d.least * d.scale) for _, d in drawings), strict=True)
    )
    return Drawing(round(wide, 1), round(y + tall, 1), tuple(items), title, alt, tuple(groups), scale,
                   smallest * scale / theme.scale, least=least / theme.scale)  # fmt: skip


def _in_measures(drawing: Drawing, theme: Theme) -> Drawing:
    """A drawing that is written in a scale of its own, in that of the theme."""
    by = drawing.scale / theme.scale
    if by == 1:
        return drawing
    groups = tuple(carried(group, 0, 0, by) for group in drawing.groups)
    items = tuple(scaled(item, by) for item in drawing.items)
    sides = round(by * drawing.width, 1), round(by * drawing.height, 1)
    return replace(drawing, width=sides[0], height=sides[1], items=items, groups=groups, scale=theme.scale)
