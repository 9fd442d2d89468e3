"""What is too wide for a page is drawn under the rest: nothing is lost, the law of wires holds, and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from diagram.geometry_checks import faults
from diagram.subjects import ROOT, definition, subject, subjects
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.figure.page import LEAST, LEGIBLE, MARGIN, POINTS
from ogive.backends.diagram.from_ir.invariants import violations
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.layout.parted import parted, roman
from ogive.cli import cli


@pytest.mark.parametrize("name", [*subjects()][::8])
def test_parts_hold_all_that_the_figure_held(name: str) -> None:
    """Whichever operations are taken out: the first with a body, every second one, all; again inside of parts."""
    figure = figure_of(definition(name), Options(depth=1))
    holders = [op.oid for op in figure.walk() if op.bodies]
    for apart in (holders[:1], holders[::2], holders):
        made = parted(figure, apart)
        while any(op.oid in apart and op.bodies for op in made.walk()):
            made = parted(made, apart)
        assert violations(made) == []
        assert sorted(op.oid for op in made.walk()) == sorted(op.oid for op in figure.walk())
        numbers = [op.attr("part") for op in made.walk() if op.attr("part")]
        assert len(numbers) == len(set(numbers)) == len(apart)
        assert all(f"see {op.attr('part')}" in op.caption for op in made.walk() if op.attr("part"))
        assert {section.title.partition(" ")[0] for section in made.sections[1:]} == set(numbers)
    assert parted(figure, ()) is figure


@pytest.mark.parametrize("name", ["gpt2_cache:Tiny", "vae:Tiny", "t5_encoder:Tiny"])
def test_loops_that_were_too_wide_are_legible_in_a_column(name: str) -> None:
    made = diagram(subject(name), width="85mm")
    assert made.drawing.smallest * POINTS >= LEGIBLE
    assert made.drawing.parts > 1
    assert faults(made.drawing, MARGIN) == []
    texts = [item.text for item in made.drawing.items if isinstance(item, Text)]
    assert any(text.endswith("see (i)") for text in texts)
    assert any(text.startswith("(i) ") for text in texts)


def test_what_fits_stays_whole() -> None:
    for name in ("gpt2:Tiny", "vit:Tiny"):
        drawing = diagram(subject(name), width="170mm").drawing
        assert drawing.parts == 1
        assert drawing.smallest * POINTS >= LEAST


def test_parts_are_said(tmp_path: Path) -> None:
    path = str(ROOT / "examples/vae.arch")
    done = CliRunner().invoke(cli, ["draw", f"{path}:Tiny", "--width", "85mm", "-o", str(tmp_path / "a.svg")])
    assert done.exit_code == 0, done.output
    assert "note: Tiny has 2 parts under it" in done.output


def test_numbers_of_parts_are_roman() -> None:
    assert [roman(n) for n in (1, 4, 9, 14, 40, 99)] == ["i", "iv", "ix", "xiv", "xl", "xcix"]
