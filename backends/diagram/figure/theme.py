"""Colours, fonts, sizes and spacing of all drawings, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one ground. Strokes have a contrast of 3:1 at least, text of 4.5:1."""

    ground: str
    ink: str  # wires, glyphs, labels
    muted: str  # captions, separators
    fill: str  # the inside of boxes
    slab: str  # the inside of collapsed blocks
    shade: str  # the sides of a slab
    plate: str  # the ground of open blocks
    added: str
    removed: str
    changed: str
    attention: str  # the insides of blocks, by what they are for
    norm: str
    feed: str
    embedding: str
    conv: str
    linear: str


LIGHT = Palette("#ffffff", "#1a1a1a", "#5c6470", "#ffffff", "#e8f0f8", "#b9cfe4", "#f6f7f9", "#00795a", "#c24e00",
                "#0072b2", "#f7c9a8", "#f3eea6", "#b5dcf5", "#f2c4dc", "#bfe3d0", "#d5d5f0")  # fmt: skip
DARK = Palette("#0d1117", "#e6e6e6", "#9aa4b2", "#0d1117", "#16283c", "#2f4d6d", "#151b23", "#00b386", "#f07f2e",
               "#56b4e9", "#6b3a14", "#5a5410", "#174f7a", "#6e2a52", "#175a42", "#3f3f78")  # fmt: skip

# Okabe and Ito's hues that are strokes of 3:1 on both grounds, then Tol's muted ones; taken in the legend's order
AXIS_HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#aa4499", "#999933", "#44aa99", "#cc6677")


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
    scale: float = 1.0  # how much larger than these measures it is
    axes_in_colour: bool = field(default=False)


def named(name: str) -> Theme:
    """`auto` follows the reader's ground; `light` and `dark` are fixed; `axes` colours the wires by axis."""
    themes = {
        "auto": Theme(),
        "light": Theme(dark=None),
        "dark": Theme(palette=DARK, dark=None),
        "axes": Theme(axes_in_colour=True),
    }
    if name not in themes:
        raise ValueError(f"no theme `{name}`; there are {', '.join(themes)}")
    return themes[name]
