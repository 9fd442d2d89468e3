"""Colours that mean something are told apart with every colour vision, and in print."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from diagram.subjects import subject
from diagram.test_formats import contrast
from ogive.backends.diagram.diagram import View, diagram
from ogive.backends.diagram.figure.geometry import ROLES, Path, Text
from ogive.backends.diagram.figure.palettes import BRIGHT, DARK, HUES, LIGHT, PRINT, Palette
from ogive.backends.diagram.figure.style import KINDS

Lab = tuple[float, float, float]
# Machado, Oliveira and Fernandes 2009, severity 1, on linear sRGB
SEEN = {
    "all": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
PALETTES = {"light": LIGHT, "dark": DARK, "bright": BRIGHT}


def seen(colour: str, eyes: str) -> Lab:
    """In CIELAB, under D65."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    r, g, b = (min(1.0, max(0.0, sum(m * c for m, c in zip(row, linear, strict=True)))) for row in SEEN[eyes])
    xyz = (0.4124 * r + 0.3576 * g + 0.1805 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b,
           0.0193 * r + 0.1192 * g + 0.9505 * b)  # fmt: skip
    x, y, z = (v / white for v, white in zip(xyz, (0.95047, 1.0, 1.08883), strict=True))
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(a: str, b: str, eyes: str) -> float:
    return float(sum((x - y) ** 2 for x, y in zip(seen(a, eyes), seen(b, eyes), strict=True)) ** 0.5)


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize("name", PALETTES)
def test_kinds_axes_and_changes_are_told_apart(name: str, eyes: str) -> None:
    palette = PALETTES[name]
    kinds = [getattr(palette, kind) for kind in (*KINDS, "slab")]
    hues = [getattr(palette, hue) for hue in (*HUES, "ink")]
    assert min(apart(a, b, eyes) for a, b in combinations(kinds, 2)) > 15
    assert min(apart(a, b, eyes) for a, b in combinations(hues, 2)) > 15
    changes = [palette.added, palette.removed, palette.changed]
    assert min(apart(a, b, eyes) for a, b in combinations(changes, 2)) > 10


def test_print_needs_lightness_alone() -> None:
    steps = sorted(seen(getattr(PRINT, kind), "all")[0] for kind in (*KINDS, "slab", "ground"))
    assert min(b - a for a, b in pairwise(steps)) > 5
    assert all(len({colour[1:3], colour[3:5], colour[5:7]}) == 1 for colour in (getattr(PRINT, k) for k in KINDS))


@pytest.mark.parametrize("palette", [*PALETTES.values(), PRINT], ids=[*PALETTES, "print"])
def test_text_stands_on_every_kind_and_wires_on_every_ground(palette: Palette) -> None:
    assert all(contrast(palette.ink, getattr(palette, kind)) >= 4.5 for kind in (*KINDS, "slab", "plate"))
    for hue in (*HUES, "marked"):
        assert min(contrast(getattr(palette, hue), ground) for ground in (palette.ground, palette.plate)) >= 3


@pytest.mark.parametrize("view", ["overview", "stack"])
@pytest.mark.parametrize("name", ["resnet:Tiny", "gpt2:Tiny", "detr:Tiny"])
def test_no_text_on_a_colour_is_muted(name: str, view: View) -> None:
    """Ink is legible on all kinds, as the test before says; greys are not."""
    items = diagram(subject(name), view=view).drawing.items
    coloured = {item.owner for item in items if isinstance(item, Path) and item.style in ROLES and item.owner}
    texts = [item for item in items if isinstance(item, Text) and item.style != "legend"]
    found = {item.style for item in texts if item.owner in coloured}
    assert coloured
    assert found <= {"name", "bold"}


@pytest.mark.parametrize("name", ["gpt2:Attention", "gpt2:Tiny", "moe:MoE"])
def test_axes_in_colour_have_a_key(name: str) -> None:
    made = diagram(subject(name), theme="axes")
    paths = [item for item in made.drawing.items if isinstance(item, Path)]
    used = {item.style: item.axis for item in paths if item.style in HUES}
    by_axis = {(item.axis, item.style) for item in paths if item.style in HUES}
    assert len(by_axis) == len(used) >= 3  # one colour, one axis
    texts = {item.axis for item in made.drawing.items if isinstance(item, Text) and item.axis}
    assert set(used.values()) <= texts
    for format in ("svg", "tex"):
        assert all(hue in made.text(format) for hue in used)
