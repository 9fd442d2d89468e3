"""Figures for a page: laid out for its width, legible there, and refused where no page has such a width."""

from __future__ import annotations

import pytest

from diagram.geometry_checks import faults, inside, texts_apart
from diagram.subjects import ROOT, block, subjects
from ogive.backends.diagram.diagram import Diagram, View, diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.figure.page import LEAST, LEGIBLE, MARGIN, PIXELS, POINTS, TALL, on_page
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.wrap import rows
from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.ir.model import Model
from sampled import sampled

SUBJECTS = subjects()
MODELS = sorted(name for name, made in SUBJECTS.items() if isinstance(made, Model))


def points(made: Diagram) -> float:
    return made.drawing.smallest * POINTS


@pytest.mark.parametrize("name", sampled([*SUBJECTS][::5]))
@pytest.mark.parametrize("width", ["85mm", "170mm"])
def test_a_figure_is_no_wider_than_its_page(name: str, width: str) -> None:
    made, free = diagram(SUBJECTS[name], width=width), diagram(SUBJECTS[name])
    page = float(width.removesuffix("mm")) * PIXELS
    drawing = made.drawing
    assert drawing.width * drawing.scale <= page + 0.1
    assert faults(drawing, MARGIN) == []
    if free.drawing.width <= page:
        assert points(made) >= LEGIBLE
        assert drawing.scale == 1
    elif max(rows(section, Theme(width=1e9))[0].width for section in made.figure.sections) > 1.1 * page:
        assert drawing.width * drawing.scale >= 0.85 * page


def test_most_figures_are_legible_in_a_column_and_on_a_page() -> None:
    """At depth 0 nearly all have labels of 7 pt; the others say that they have not."""
    for width, most in (("85mm", 0.25), ("170mm", 0.08)):
        small = [name for name in [*SUBJECTS][::6] if points(diagram(SUBJECTS[name], width=width)) < LEGIBLE]
        assert len(small) <= most * len(SUBJECTS) / 6, small


@pytest.mark.parametrize(("file", "name"), [("unet", "UNet572"), ("diffusion_unet", "CIFAR10")])
def test_the_two_u_nets_fill_one_page(file: str, name: str) -> None:
    path = ROOT / f"examples/{file}.arch"
    model = Workspace().check(path.read_text(), path.name).models[name].ir
    made = diagram(model, width="170mm")
    assert points(made) >= LEAST
    assert made.drawing.height * made.drawing.scale <= 257 * PIXELS
    assert 0.95 * 170 * PIXELS <= made.drawing.width * made.drawing.scale <= 170 * PIXELS


def test_what_is_too_long_for_a_column_stands_in_the_legend() -> None:
    name = "a_name_of_a_block_that_is_long_for_a_column"
    text = f"block {name}(x: [b, n]) -> [b, n]:\n    return relu(x) - x\n"
    text += f"block A(x: [b, n]) -> [b, n]:\n    return {name}(x)"
    made = diagram(block(text), width="85mm")
    texts = [item.text for item in made.drawing.items if isinstance(item, Text)]
    assert "(1)" in texts
    assert f"(1) = {name}" in texts
    assert points(made) >= LEGIBLE
    assert name in [item.text for item in diagram(block(text)).drawing.items if isinstance(item, Text)]


@pytest.mark.parametrize("width", ["8mm", "3m", "x", "", "-85mm", "85 furlongs", "1e3mm", "9999"])
def test_bad_widths_are_refused(width: str) -> None:
    with pytest.raises(DiagramError, match="width"):
        on_page(Theme(), width)


def test_widths_have_units() -> None:
    pages = [on_page(Theme(), width).page for width in ("170mm", "17cm", "6.6929in", 170, "483.69pt", "481.89bp")]
    assert all(page is not None and abs(page[0] - 170 * PIXELS) < 0.05 for page in pages)
    slide = on_page(Theme(), "slide")
    assert slide.page is not None
    assert slide.page[0] * slide.scale == pytest.approx(1280, abs=0.5)


@pytest.mark.parametrize("name", ["vit:Tiny", "gpt2:Attention", "unet:Tiny", "gru:GRU"])
def test_text_goes_on_below_where_a_terminal_ends(name: str) -> None:
    made = diagram(SUBJECTS[name])
    whole = made.on_terminal(None)
    for columns in (60, 80, 120):
        lines = made.on_terminal(columns).split("\n")
        assert max(map(len, lines)) <= max(columns, 64)  # one operation with its labels may be wider
        for op in made.figure.walk():
            if op.source and op.text:
                assert sum(line.count(f"[{op.text}]") for line in lines) >= whole.count(f"[{op.text}]")
    assert made.on_terminal(10_000).split() == whole.split()


@pytest.mark.parametrize("view", ["overview", "stack"])
@pytest.mark.parametrize("name", [*MODELS][::4])
def test_other_views_are_laid_out_for_their_page_too(name: str, view: View) -> None:
    """No wider than it, with nothing on anything; and no smaller than what was not laid out for it would be."""
    page = 170 * PIXELS
    drawing, free = (diagram(SUBJECTS[name], view=view, width=width).drawing for width in ("170mm", None))
    assert drawing.width * drawing.scale <= page + 0.1
    assert [*inside(drawing, MARGIN), *texts_apart(drawing)] == []
    least = min(item.size for item in free.items if isinstance(item, Text))
    shrunk = least * min(1.0, page / free.width, TALL * PIXELS / free.height)
    assert drawing.smallest * POINTS >= min(LEGIBLE, shrunk * POINTS) - 0.01


def test_the_overview_of_the_diffusion_u_net_is_legible_on_one_page() -> None:
    path = ROOT / "examples/diffusion_unet.arch"
    model = Workspace().check(path.read_text(), path.name).models["CIFAR10"].ir
    drawing = diagram(model, view="overview", width="170mm").drawing
    assert drawing.smallest * POINTS >= LEGIBLE
    assert drawing.height * drawing.scale <= TALL * PIXELS
