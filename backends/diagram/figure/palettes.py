"""The colours of all drawings, for light and dark grounds, strong and for print.

Those of what blocks are for, and those of axes, were found by a search that keeps any two of them apart for people
with protanopia, deuteranopia and tritanopia too (Machado, Oliveira and Fernandes 2009): by 15 units of CIELAB at least;
those for print by their lightness alone. Strokes have a contrast of 3:1 at least, text of 4.5:1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one ground."""

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
    marked: str  # what a style file puts in view
    attention: str  # the insides of blocks, by what they are for
    norm: str
    feed: str
    embedding: str
    conv: str
    linear: str
    hue0: str  # the wires of axes
    hue1: str
    hue2: str
    hue3: str
    hue4: str
    hue5: str
    hue6: str
    hue7: str


_ON_LIGHT = ("#188df1", "#bc5506", "#177757", "#af36a1", "#0a0a83", "#769456", "#650758", "#054410")
_ON_DARK = ("#4979a7", "#a7570f", "#4cb999", "#e9a3f6", "#9364f7", "#98bc2f", "#da5361", "#a9faa4")
LIGHT = Palette("#ffffff", "#1a1a1a", "#5c6470", "#ffffff", "#e8f0f8", "#b9cfe4", "#f6f7f9", "#00795a", "#c24e00",
                "#0072b2", "#a3005c", "#e6bd90", "#eae869", "#95bdff", "#fea0b0", "#c4ffcb", "#c8bcde",
                *_ON_LIGHT)  # fmt: skip
DARK = Palette("#0d1117", "#e6e6e6", "#9aa4b2", "#0d1117", "#16283c", "#2f4d6d", "#151b23", "#00b386", "#f07f2e",
               "#56b4e9", "#ff8fc8", "#65120b", "#805900", "#655972", "#602277", "#0b7049", "#043bad",
               *_ON_DARK)  # fmt: skip
BRIGHT = Palette("#ffffff", "#111111", "#50565f", "#ffffff", "#e8f0f8", "#b9cfe4", "#f6f7f9", "#00795a", "#c24e00",
                 "#0072b2", "#a3005c", "#e37e43", "#edd88b", "#8aceff", "#fea0af", "#3c996f", "#8c8dee",
                 *_ON_LIGHT)  # fmt: skip
PRINT = Palette("#ffffff", "#111111", "#4d4d4d", "#ffffff", "#f0f0f0", "#a0a0a0", "#f7f7f7", "#111111", "#6b6b6b",
                "#3d3d3d", "#111111", "#838383", "#dedede", "#949494", "#b9b9b9", "#cbcbcb", "#a6a6a6",
                *("#111111",) * 8)  # fmt: skip
HUES = ("hue0", "hue1", "hue2", "hue3", "hue4", "hue5", "hue6", "hue7")
