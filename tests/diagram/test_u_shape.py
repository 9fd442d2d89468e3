"""Encoders with decoders as a U."""

from __future__ import annotations

import pytest

import ogive
from diagram.geometry_checks import faults
from diagram.subjects import ROOT, subject
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import Drawing, Path, Text
from ogive.backends.diagram.figure.page import LEAST, MARGIN, PIXELS, POINTS
from ogive.backends.diagram.layout.u_shape import skips_of
from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.ir.model import Definition, Model
from ogive.refusals import WrongArgument


def net(name: str) -> Definition | Model:
    if ":" in name:
        return subject(name)
    return Workspace().check((ROOT / "examples/unet.arch").read_text(), "unet.arch").models[name].ir


def joining(drawing: Drawing) -> list[Path]:
    """Level lines of bundles."""
    found = [item for item in drawing.items if isinstance(item, Path) and item.style == "bundle"]
    return [path for path in found if len({y for _, points in path.commands for y in points[1::2]}) == 1]


@pytest.mark.parametrize("name", ["UNet572", "unet:Tiny", "diffusion_unet:Tiny"])
def test_a_u_has_a_level_line_for_each_skip_and_all_operations(name: str) -> None:
    rows, made = (diagram(net(name), shape=shape) for shape in ("rows", "u"))
    assert faults(made.drawing) == []
    skips = skips_of(made.figure.sections[0])
    assert len(skips) > 1
    assert len(joining(made.drawing)) >= len(skips)
    drawn = [[g.owner for g in each.drawing.groups if g.name != "copy"] for each in (made, rows)]
    assert len(set(drawn[0])) == len(drawn[0])
    assert {g for g in drawn[1] if g in drawn[0]} == set(drawn[0])
    operations = {op.oid for op in made.figure.walk() if op.glyph != "copy"}
    assert operations <= set(drawn[0])
    texts = [item.text for item in made.drawing.items if isinstance(item, Text)]
    kept = {text[2:] for text in texts if text.startswith("→ ")}
    assert kept == {text[:-2] for text in texts if text.endswith(" →")}


def test_the_u_net_of_2015_is_a_u_on_one_page() -> None:
    made = diagram(net("UNet572"), shape="u", width="170mm", at={"b": 1, "h": 572, "w": 572})
    drawing = made.drawing
    assert faults(drawing, MARGIN) == []
    assert drawing.smallest * POINTS >= LEAST
    assert drawing.height * drawing.scale <= 257 * PIXELS
    assert 0.85 * 170 * PIXELS <= drawing.width * drawing.scale <= 170 * PIXELS
    boxes = [g.box for g in drawing.groups if g.name == "Double"]
    middle = max(box[1] for box in boxes)
    left, right = (
        [box for box in boxes if box[1] < middle and (box[0] < drawing.width / 2) == side] for side in (True, False)
    )
    assert len(left) == len(right) == 4  # as many on the way down as on the way up, and one below them
    assert all(
        a[1] > b[1]
        for a, b in zip(sorted(left, key=lambda box: box[1]), sorted(right, key=lambda box: box[1]), strict=True)
    )


def test_what_is_no_encoder_with_a_decoder_is_refused() -> None:
    with pytest.raises(DiagramError, match="--shape rows"):
        diagram(subject("gpt2:Tiny"), shape="u").text("svg")


def test_models_have_the_shape_in_python_too() -> None:
    unet = ogive.load(ROOT / "examples/unet.arch")["Tiny"]
    assert unet.diagram(shape="u").text("svg") != unet.diagram().text("svg")
    with pytest.raises(WrongArgument, match="shape"):
        unet.diagram(shape="x")  # type: ignore[arg-type]
