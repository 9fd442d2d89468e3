"""A whole figure: its rows one under the other, title and legend, everything inside the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ogive.backends.diagram.figure.figure import Figure, Section
from ogive.backends.diagram.figure.geometry import ROLES, Drawing, Group, Item, Path, Text, carried, extent, moved
from ogive.backends.diagram.figure.labels import lowered, text_width
from ogive.backends.diagram.figure.legend import explained
from ogive.backends.diagram.figure.page import LEGIBLE, POINTS, SMALL, denser
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.axis_colours import coloured, hues_of, key_of_axes
from ogive.backends.diagram.layout.badges import changes_of, key_of_changes
from ogive.backends.diagram.layout.glyph_key import glyph_key
from ogive.backends.diagram.layout.legible import smallest_text
from ogive.backends.diagram.layout.long_texts import with_short_texts
from ogive.backends.diagram.layout.notes import key_of_roles, lines_of
from ogive.backends.diagram.layout.paint import groups, painted
from ogive.backends.diagram.layout.parted import parted, too_wide, with_bodies
from ogive.backends.diagram.layout.placement import Placed
from ogive.backends.diagram.layout.u_shape import encodes, u_shape
from ogive.backends.diagram.layout.wrap import HOOK, rows

PARTINGS = 5  # times that what is too wide is taken out, what was inside of it after that


def draw(figure: Figure, theme: Theme | None = None) -> Drawing:
    """The figure as a drawing; one that is higher than its page is drawn denser, if it has room there then."""
    theme = theme or Theme()
    if theme.page is None:
        return _drawn(figure, theme).drawing
    best = _Sheet(Drawing(0, 0, ()))
    for number in range(PARTINGS):
        made, fits = _on_page(figure, theme)
        best = made if not number or fits or made.drawing.smallest > best.drawing.smallest + 0.01 else best
        apart = made.high if fits else made.high | made.wide
        if not apart or theme.shape == "u":
            break
        figure = parted(figure, apart)
    return best.drawing


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A drawing, and the operations with bodies that are too wide, and too high, for its page."""

    drawing: Drawing
    wide: frozenset[str] = frozenset()
    high: frozenset[str] = frozenset()


def _on_page(figure: Figure, theme: Theme) -> tuple[_Sheet, bool]:
    """The figure in the first density in which it fits, else in the best one; and whether it is legible there.

    What is too wide is so in the smallest measures in which labels have 7 pt.
    """
    legible: list[_Sheet] = []
    other: list[_Sheet] = []
    wide: frozenset[str] = frozenset()
    for points, dense in denser(theme, encodes(figure)):
        made = _drawn(with_short_texts(figure, dense), dense)
        wide = made.wide if points >= LEGIBLE else wide
        fits = made.drawing.smallest * POINTS >= points * theme.scale
        assert dense.page is not None
        filled = made.drawing.height / dense.page[1]
        if fits and filled <= 1 and (points >= LEGIBLE or filled >= SMALL):
            return made, True
        (legible if fits else other).append(made)
    best = [made for made in legible if made.drawing.smallest * POINTS >= LEGIBLE * theme.scale]
    if best:
        return best[-1], True
    chosen = legible[-1] if legible else max(other, key=lambda made: made.drawing.smallest)
    return replace(chosen, wide=wide), False


def _drawn(figure: Figure, theme: Theme) -> _Sheet:
    items: list[Item] = []
    over, high = set[str](), set[str]()
    crossings = 0
    found: list[Group] = []
    y = 0.0
    laid = _laid(figure, theme) if theme.shape != "u" else []
    for at, section in enumerate(figure.sections):
        if section.title and len(figure.sections) > 1:
            wide = text_width(section.title, theme.label, theme.least, True, plain=True)
            items.append(Text(0, y + 12, section.title, theme.label, "title", wide))
            y += 26
        if theme.shape == "u":
            for row, dx, down, here in u_shape(section, theme):
                items += [*here, *(moved(item, dx, y + down) for item in _names(row, theme))]
                found += groups(row, dx, y + down)
                crossings += row.crossings
            y = extent(items)[3] + theme.row
            continue
        found_rows = laid[at]
        over.update(too_wide(found_rows, theme, _around(section, theme)))
        crossings += sum(row.crossings for row in found_rows)
        for row in found_rows:
            here = painted(row)
            _, top, _, bottom = extent(here)
            if theme.page is not None and bottom - top > theme.page[1] - 2 * theme.margin:
                high.update(with_bodies(row))
            dx, dy = _before(row, theme), y - top
            items += [moved(item, dx, dy) for item in (*here, *_names(row, theme))]
            found += groups(row, dx, dy)
            y += bottom - top + theme.row
    items = _called(items)
    changes = changes_of(items)
    if changes:
        left, top, _, bottom = extent(items)
        wide = text_width(figure.title, theme.label, theme.least, True, plain=True)
        items.append(Text(left, top - 18, figure.title, theme.label, "title", wide))
        items += key_of_changes(changes, theme, left, bottom + 22)
        y = bottom + 40
    texts = explained(figure, (item.text for item in items if isinstance(item, Text)))
    items += _legend(texts, theme, min(extent(items)[0], 0.0) if theme.page is not None else 0.0, y)
    items = list(_keys(figure, items, theme))
    left, top, right, bottom = extent(items)
    dx, dy = theme.margin - left, theme.margin - top
    items = [moved(item, dx, dy) for item in items]
    shifted = tuple(carried(group, dx, dy) for group in found)
    width, height = right - left + 2 * theme.margin, bottom - top + 2 * theme.margin
    scale = theme.scale * min(1.0, theme.page[0] / width if theme.page is not None else 1.0)
    smallest = smallest_text(items, theme) * scale
    size = round(width, 1), round(height, 1)
    parts = len(figure.sections)
    return _Sheet(
        Drawing(
            *size,
            tuple(items),
            figure.title,
            figure.alt,
            shifted,
            scale,
            smallest,
            crossings,
            theme.least if theme.page is not None else 0.0,
            parts,
        ),
        frozenset(over),
        frozenset(high),
    )


def _laid(figure: Figure, theme: Theme) -> list[list[Placed]]:
    """The rows of each section; where some have arrows before them, those without leave room for these."""
    found = [rows(section, theme, names=_around(section, theme)) for section in figure.sections]
    if theme.page is None or all(len(each) == 1 for each in found):
        return found
    narrow = replace(theme, width=theme.width - HOOK)
    for at, section in enumerate(figure.sections):
        names = _around(section, theme)
        if len(found[at]) == 1 and found[at][0].width + sum(names) > narrow.width:
            found[at] = rows(section, narrow, names=names)
    return found


def _called(items: list[Item]) -> list[Item]:
    """Memories get letters, in the order in which the reader meets them."""
    texts = [item for item in items if isinstance(item, Text) and item.style in ("kept", "read")]
    names = {tid: _letter(i) for i, tid in enumerate(dict.fromkeys(item.text for item in texts))}
    return [_lettered(item, names) if isinstance(item, Text) and item.style in ("kept", "read") else item
            for item in items]  # fmt: skip


def _lettered(item: Text, names: dict[str, str]) -> Text:
    text = f"→ {names[item.text]}" if item.style == "kept" else f"{names[item.text]} →"
    wide = text_width(text, item.size, item.size, True, plain=True)
    x = item.x if item.style == "kept" else item.x + item.width - wide
    return replace(item, text=text, style="bold", width=wide, x=x)


def _letter(number: int) -> str:
    """A to Z, then A₁ to Z₁."""
    return chr(ord("A") + number % 26) + (lowered(number // 26) if number >= 26 else "")


def _keys(figure: Figure, items: list[Item], theme: Theme) -> Iterator[Item]:
    """The items, and under them keys of axes, kinds of blocks and glyphs, where the theme asks for them."""
    hues = hues_of(items) if theme.axes_in_colour else {}
    others = any(isinstance(item, Path) and item.axis and item.axis not in hues for item in items)
    items = list(coloured(items, hues))
    left, _, right, _ = extent(items)
    left = left if theme.page is not None else 0.0  # as the legend
    wide = max(right - left, 320.0)
    if hues:
        items += key_of_axes(hues, others, theme, left, extent(items)[3] + 20, wide)
    if theme.kinds:
        roles = dict.fromkeys(item.style for item in items if isinstance(item, Path) and item.style in ROLES)
        items += key_of_roles(roles, theme, left, extent(items)[3] + 22, wide)
    if theme.key:
        items += glyph_key(figure, theme, left + 10, extent(items)[3] + 14, wide)
    yield from items


def _shown(row: Placed) -> list[tuple[str, float]]:
    """Where there are several inputs, each has its name before it."""
    tensors = row.section.boundaries[0] if row.first else ()
    return [(t.name, row.middle(t)) for t in tensors if t.name] if len(tensors) > 1 else []


def _ended(row: Placed) -> list[tuple[str, float]]:
    """Where there are several outputs, each has its name behind it."""
    names = dict(zip(row.section.outputs, row.section.ends, strict=False)) if row.last else {}
    tensors = [t for t in row.section.boundaries[-1] if names.get(t.tid)]
    return [(names[t.tid], row.middle(t)) for t in tensors] if len(names) > 1 else []


def _names(row: Placed, theme: Theme) -> Iterator[Item]:
    for names, x, anchor in ((_shown(row), -6.0, "end"), (_ended(row), row.width + 6, "start")):
        for name, y in names:
            wide = text_width(name, theme.small, theme.least, plain=True)
            yield Text(x, y + 3, name, theme.small, "caption", wide, anchor)


def _before(row: Placed, theme: Theme) -> float:
    return max((text_width(name, theme.small, theme.least, plain=True) + 8 for name, _ in _shown(row)), default=0.0)


def _around(section: Section, theme: Theme) -> tuple[float, float]:
    """The room of names before the first row and behind the last one."""
    sides = [[t.name for t in section.boundaries[0]], section.ends]
    before, behind = (max((text_width(n, theme.small, theme.least, plain=True) + 8 for n in side if n), default=0.0)
                      if len(side) > 1 else 0.0 for side in sides)  # fmt: skip
    return before, behind


def _legend(texts: list[str], theme: Theme, left: float, y: float) -> Iterator[Item]:
    """What the labels stand for, and the numbers of a model, in one line or a few."""
    x, row = left, y + 4
    for text in (part for each in texts for part in lines_of(each, theme, theme.width)):
        wide = text_width(text, theme.small, theme.least)
        if x > left and x + wide > left + theme.width:
            x, row = left, row + 16
        yield Text(x, row, text, theme.small, "legend", wide)
        x += wide + 22
