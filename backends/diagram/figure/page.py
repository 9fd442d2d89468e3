"""How wide a figure is where it is read: a column, a page, a slide; and which measures follow from that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.theme import Theme

UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 25.4 / 72.27, "bp": 25.4 / 72, "": 1.0}  # in millimetres
PIXELS = 96 / 25.4  # in a millimetre, of SVG
POINTS = 0.75  # in such a pixel
LEGIBLE = 7.0  # points of the smallest label in print
LEAST = 6.0  # and of an encoder with its decoder that fills a page
SMALL = 0.75  # of a page: a figure of less fills none
# how large the measures of a theme are drawn, and the points of its smallest label then
DENSITIES = ((1.0, LEGIBLE), (0.78, LEGIBLE))
DENSEST = (0.67, LEAST)  # of an encoder with its decoder, which is one figure
TALL = 255.0  # millimetres of a page for a figure
ROW = 20.0  # pixels between two rows
MARGIN = 4.0  # pixels around a figure that has a page around it
NARROWEST, WIDEST = 40.0, 2000.0  # millimetres
SLIDE, ENLARGED = (338.7, 190.5), 1.6  # a slide of 16:9, and how much larger than in print all on it is


def on_page(theme: Theme, width: str | float | None) -> Theme:
    """The theme for a width: `85mm`, `6.5in`, `240pt`, a number of millimetres, or `slide`.

    Wider figures are laid in more rows. Raises `DiagramError` for other texts, and for widths that no page has.
    """
    if width is None:
        return theme
    if width == "slide":
        return replace(theme, page=(SLIDE[0] * PIXELS / ENLARGED, SLIDE[1] * PIXELS / ENLARGED), scale=ENLARGED)
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)", str(width))
    if found is None or found[2] not in UNITS:
        raise DiagramError(f"`{width!s:.20}` is no width: 85mm, 6.5in, 240pt, a number of millimetres, or slide")
    wide = float(found[1]) * UNITS[found[2]]
    if not NARROWEST <= wide <= WIDEST:
        raise DiagramError(f"a figure of {wide:.4g} mm: widths are from {NARROWEST:.0f} to {WIDEST:.0f} mm")
    return replace(theme, page=(wide * PIXELS, TALL * PIXELS))


def denser(theme: Theme, densest: bool = False) -> Iterator[tuple[float, Theme]]:
    """The theme for its page, then another for figures that are higher than a page, with smaller measures.

    With each come the points of its smallest label: 7; in the `densest` 6.
    """
    assert theme.page is not None
    for measure, points in (*DENSITIES, DENSEST) if densest else DENSITIES:
        least = points / POINTS / measure + 0.05
        wide = theme.page[0] / measure
        dense = replace(theme, scale=theme.scale * measure, margin=MARGIN, row=ROW, width=wide - 2 * MARGIN,
                        least=least, small=max(theme.small, least), page=(wide, theme.page[1] / measure))  # fmt: skip
        yield points, dense
