"""The gallery of figures in print: what its page says is so, and its figures are what is drawn."""

from __future__ import annotations

import re

import pytest

from bench import gallery
from diagram.subjects import ROOT
from ogive.backends.diagram.figure.page import LEAST, PIXELS

PRINT = ROOT / "docs" / "gallery" / "print"
ROW = re.compile(r"\| \[(\w+)\]\(#\1\) \| (\w+) \| (\d+) × (\d+) \| ([\d.]+) \| ([\d–]+) \| (\d+) \| (\d+) \|")


def test_the_page_has_every_figure_within_its_width_and_legible() -> None:
    page = (ROOT / "docs" / "gallery" / "print.md").read_text()
    rows = {row[0]: row for row in ROW.findall(page)}
    assert list(rows) == list(gallery.FIGURES)
    assert len(rows) == 30
    assert {path.stem for path in PRINT.glob("*.svg")} == set(rows)
    for name, (_, width, wide, high, points, *_rest) in rows.items():
        assert gallery.command(name) in page
        assert int(wide) <= (339 if width == "slide" else int(width.removesuffix("mm")))
        assert float(points) >= LEAST
        told = re.search(r'width="([\d.]+)"', (PRINT / f"{name}.svg").read_text())
        assert told
        assert abs(float(told[1]) / PIXELS - int(wide)) <= 0.6
        assert int(high) > 0


@pytest.mark.parametrize("name", ["attention", "gpt2_stack", "gnn", "unet_maps"])
def test_the_figures_are_what_is_drawn(name: str) -> None:
    """All of them by `python bench/gallery.py`, which leaves no change."""
    assert gallery.made(name).text("svg") == (PRINT / f"{name}.svg").read_text()


@pytest.mark.slow
def test_all_figures_are_what_is_drawn() -> None:
    assert [
        name for name in gallery.FIGURES if gallery.made(name).text("svg") != (PRINT / f"{name}.svg").read_text()
    ] == []
