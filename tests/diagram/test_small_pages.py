"""Views of models for a column, a page and a slide: no letters under 7 pt in the file, nothing beside the page."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, get_args

import pytest

from diagram.geometry_checks import crosses, inside, segments, shrunk, texts_apart, wires
from diagram.subjects import ROOT
from ogive.backends.diagram.diagram import Diagram, View, diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import Drawing, Text
from ogive.backends.diagram.figure.page import LEAST, LEGIBLE, MARGIN, PIXELS, POINTS, SLIDE, TALL
from ogive.backends.diagram.layout.sheets import bands
from ogive.backends.diagram.layout.u_shape import encodes
from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.ir.model import Model
from sampled import sampled

FILES = sorted([*ROOT.glob("examples/*.arch"), *ROOT.glob("examples/papers/*.arch")])
VIEWS: tuple[View, ...] = get_args(View)
PAGES = {"circuit": ("85mm", "170mm", "slide")}  # the others for the narrowest alone
ALL = [(path.relative_to(ROOT).as_posix(), view, width) for path in FILES for view in VIEWS
       for width in PAGES.get(view, ("85mm",))]  # fmt: skip
FONT = re.compile(r'font-size="([\d.]+)"')
HEAD = re.compile(r'width="([\d.]+)" height="([\d.]+)"[^>]*viewBox="0 0 ([\d.]+) ')
# letters of 2 to 6.9 pt, sizes in the legend beside the page, rows that the arrows beside them made too wide
FOUND = [
    ("examples/densenet.arch", "DenseNet121", "circuit", "85mm", {}),
    ("examples/llama.arch", "Tiny", "circuit", "85mm", {}),
    ("examples/gemma2.arch", "Tiny", "circuit", "170mm", {"depth": 1}),
    ("examples/mamba.arch", "Mamba130M", "circuit", "170mm", {"depth": 1}),
    ("examples/bart.arch", "Tiny", "overview", "85mm", {}),
    ("examples/papers/orthogonal-conv.arch", "Figures", "overview", "85mm", {}),
    ("examples/whisper.arch", "WhisperTiny", "stack", "85mm", {}),
    ("examples/gemma2.arch", "Tiny", "stack", "85mm", {}),
    ("examples/papers/raftmlp.arch", "RaftMLPS", "stack", "85mm", {"depth": 1}),
    ("examples/unet.arch", "UNet572", "maps", "85mm", {"at": {"h": 572, "w": 572}}),
]


@cache
def models(file: str) -> dict[str, Model]:
    program = Workspace().check((ROOT / file).read_text(), file)
    return {name: made.ir for name, made in program.models.items()}


def legible(made: Diagram, width: str) -> None:
    """What is read in the file itself: sizes of letters, subscripts too, and of the page."""
    wide, tall = SLIDE if width == "slide" else (float(width.removesuffix("mm")), TALL)
    enlarged = made.theme.scale
    least = LEAST if made.view == "circuit" and encodes(made.figure) else LEGIBLE
    for sheet in made.sheets:
        text = sheet.text("svg").partition("</style>")
        head = HEAD.search(text[0])
        assert head is not None
        across, down, box = map(float, head.groups())
        assert across <= wide * PIXELS + 0.2
        assert down <= tall * PIXELS + 2 or len(bands(sheet.drawing)) == 1, down / PIXELS
        sizes = [float(size) for size in FONT.findall(text[2])]
        assert min(sizes) * across / box * POINTS >= least * enlarged - 0.02
        assert [*inside(sheet.drawing, MARGIN), *texts_apart(sheet.drawing)] == []
        if made.view == "stack" and not any("overview" in note for note in labels(sheet.drawing)):
            lines = [ends for wire in wires(sheet.drawing) for ends in segments(wire)]
            said = [
                item for item in sheet.drawing.items if isinstance(item, Text) and item.style in ("title", "legend")
            ]
            assert [item.text for item in said for a, b in lines if crosses(a, b, shrunk(item.box))] == []


def labels(drawing: Drawing) -> list[str]:
    return [item.text for item in drawing.items if isinstance(item, Text)]


@pytest.mark.parametrize("case", sampled(ALL, 23), ids=" ".join)
def test_letters_are_legible_on_every_page(case: tuple[str, View, str]) -> None:
    file, view, width = case
    found = models(file)
    model = found.get("Tiny") or next(iter(found.values()))
    for side in (64, 96, 16) if view == "maps" else (0,):
        made = diagram(model, view=view, width=width, at=numbers(model, side) if side else None)
        try:
            assert made.drawing
        except DiagramError as error:  # feature maps of what has none, sides that a condition forbids
            assert view == "maps"
            assert "feature maps" in str(error) or "needs" in str(error)
            continue
        legible(made, width)


def numbers(model: Model, side: int) -> dict[str, int]:
    """Numbers for the open sizes of an image."""
    return {unknown.name: side for unknown in model.definition.sizes if unknown.name in ("h", "w")}


@pytest.mark.parametrize(("file", "name", "view", "width", "options"), FOUND)
def test_what_was_not_legible_is(file: str, name: str, view: View, width: str, options: dict[str, Any]) -> None:
    legible(diagram(models(file)[name], view=view, width=width, **options), width)
