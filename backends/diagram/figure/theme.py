"""Fonts, sizes and spacing of all drawings, in one place, and which colours they have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.palettes import BRIGHT, DARK, LIGHT, PRINT, Palette


@dataclass(frozen=True, slots=True)
class Theme:
    """The measures of a drawing, in pixels at 1x."""

    palette: Palette = LIGHT
    dark: Palette | None = DARK  # None: the same on every ground
    family: str = "Helvetica, Arial, 'Liberation Sans', Arimo, sans-serif"
    symbols: str = "'DejaVu Sans', 'STIX Two Math', 'Cambria Math', 'Segoe UI Symbol', sans-serif"
    pitch: float = 20  # between the wires of a tensor
    between: float = 31  # from the last wire of a tensor to the first of the next
    label: float = 12
    small: float = 9.5  # captions, subscripts are smaller still but no less than 9
    least: float = 9
    wire: float = 1.3
    bold: float = 2.4
    gap: float = 16  # the least distance of two operation columns
    pad: float = 10  # between a plate and what stands in it
    band: float = 20  # for the title of a plate
    row: float = 26  # between two rows of a wrapped figure
    margin: float = 14
    width: float = 1100  # a figure is wrapped at this width
    page: tuple[float, float] | None = None  # where it is read: wide and high; what fits in no rows is made smaller
    wrap: bool = False  # texts of boxes and of edges stand in lines, where they would take much of a page
    shape: Literal["rows", "u"] = "rows"  # how the rows of a figure stand
    scale: float = 1.0  # how much larger than these measures it is
    axes_in_colour: bool = field(default=False)
    kinds: bool = False  # blocks of circuits are coloured by what they are for, as in other views
    key: bool = False  # a key says what the glyphs mean


def of_drawing(theme: Theme, drawing: Drawing) -> Theme:
    """The theme with the size of the subscripts that a drawing was laid out with."""
    return replace(theme, least=drawing.least) if drawing.least else theme


def named(name: str) -> Theme:
    """`auto` follows the reader's ground; `light`, `dark`, `bright` and `print` (greys) are fixed.

    `axes` colours the wires by axis.
    """
    themes = {
        "auto": Theme(),
        "light": Theme(dark=None),
        "dark": Theme(palette=DARK, dark=None),
        "bright": Theme(palette=BRIGHT, dark=None),
        "print": Theme(palette=PRINT, dark=None),
        "axes": Theme(axes_in_colour=True),
    }
    if name not in themes:
        raise ValueError(f"no theme `{name}`; there are {', '.join(themes)}")
    return themes[name]


THEMES = ("auto", "light", "dark", "bright", "print", "axes")
