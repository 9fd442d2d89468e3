"""The gallery of figures in print: what its page says is so, and its figures are what is drawn."""

from __future__ import annotations

import re

import pytest

from bench import gallery
from diagram.subjects import ROOT
from ogive.backends.diagram.figure.page import LEAST, LEGIBLE, PIXELS, TALL

PRINT = ROOT / "docs" / "gallery" / "print"
ROW = re.compile(
    r"\| \[(\w+)\]\(#\1\) \| (\w+) \| (\d+) × (\d+)(?:, (\d) sheets)? \| ([\d.]+) \| ([\d–]+) \| (\d+) \| (\d+) \|"
)


def test_the_page_has_every_figure_within_its_width_and_legible() -> None:
    page = (ROOT / "docs" / "gallery" / "print.md").read_text()
    rows = {row[0]: row for row in ROW.findall(page)}
    assert list(rows) == list(gallery.FIGURES)
    assert len(rows) == 30
    sheets = {f"{name}_{k}" for name, row in rows.items() for k in range(2, int(row[4] or 1) + 1)}
    assert {path.stem for path in PRINT.glob("*.svg")} == {*rows, *sheets}
    for name, (_, width, wide, high, _more, points, *_rest) in rows.items():
        assert gallery.command(name) in page
        assert int(wide) <= (339 if width == "slide" else int(width.removesuffix("mm")))
        assert float(points) >= (LEAST if name == "diffusion" else LEGIBLE)
        assert int(high) <= (191 if width == "slide" else TALL)
        told = [re.search(r'width="([\d.]+)"', text) for text in kept(name)]
        widest = max(float(found[1]) for found in told if found)
        assert abs(widest / PIXELS - int(wide)) <= 0.6


def drawn(name: str) -> list[str]:
    return [sheet.text("svg") for sheet in gallery.made(name).sheets]


def kept(name: str) -> list[str]:
    return [path.read_text() for path in [PRINT / f"{name}.svg", *sorted(PRINT.glob(f"{name}_[0-9].svg"))]]


@pytest.mark.parametrize("name", ["attention", "gpt2_stack", "gnn", "unet_maps"])
def test_the_figures_are_what_is_drawn(name: str) -> None:
    """All of them by `python bench/gallery.py`, which leaves no change."""
    assert drawn(name) == kept(name)


@pytest.mark.slow
def test_all_figures_are_what_is_drawn() -> None:
    assert [name for name in gallery.FIGURES if drawn(name) != kept(name)] == []
