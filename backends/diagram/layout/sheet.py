"""What is put around finished drawings: captions under them, several as the panels (a), (b), (c) of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.backends.diagram.figure.geometry import Drawing, Group, Item, Text, extent, moved
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
    shifted = tuple(replace(g, box=(g.box[0] + dx, g.box[1] + dy, g.box[2] + dx, g.box[3] + dy)) for g in groups)
    return Drawing(
        round(right - left + 2 * theme.margin, 1), round(bottom - top + 2 * theme.margin, 1),
        tuple(moved(item, dx, dy) for item in items), title, alt, shifted,
    )  # fmt: skip


def captioned(drawing: Drawing, text: str, theme: Theme) -> Drawing:
    """The drawing with a text under it, in lines of its width."""
    lines = _lines(text, max(drawing.width, 260.0) - 2 * theme.margin, theme)
    items: list[Item] = list(drawing.items)
    for k, each in enumerate(lines):
        wide = text_width(each, theme.label, theme.least, plain=True)
        y = drawing.height + LINE * k + 8
        items.append(Text(theme.margin, y, each, theme.label, "name", wide))
    wide = max([drawing.width, *(item.width + 2 * theme.margin for item in items if isinstance(item, Text))])
    height = drawing.height + LINE * len(lines) + 10 if lines else drawing.height
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
    """Drawings side by side in rows, each under its letter and with its caption; ids stay apart."""
    items: list[Item] = []
    groups: list[Group] = []
    x = y = tall = wide = 0.0
    for k, (caption, drawing) in enumerate(drawings):
        letter = f"({chr(ord('a') + k)})"
        made = captioned(drawing, f"{letter} {caption}".strip(), theme)
        if x and x + made.width > theme.width:
            x, y, tall = 0.0, y + tall + APART, 0.0
        name = f"{letter[1]}-"
        for item in made.items:
            owned = replace(item, owner=name + item.owner) if item.owner else item
            items.append(moved(owned, x, y))
        for group in made.groups:
            left, top, right, bottom = group.box
            box = (left + x, top + y, right + x, bottom + y)
            core = group.core and (group.core[0] + x, group.core[1] + y, group.core[2] + x, group.core[3] + y)
            groups.append(replace(group, owner=name + group.owner, box=box, core=core))
        x, tall = x + made.width + APART, max(tall, made.height)
        wide = max(wide, x - APART)
    alt = " ".join(drawing.alt for _, drawing in drawings)
    return Drawing(round(wide, 1), round(y + tall, 1), tuple(items), title, alt, tuple(groups))
