"""How good a layout is: crossings against a recorded baseline, titles in their plates, dashed lines between tensors."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from diagram.geometry_checks import segments, shrunk
from diagram.subjects import block, subjects
from ogive.backends.diagram.diagram import diagram
from ogive.backends.diagram.figure.figure import Section
from ogive.backends.diagram.figure.geometry import Path as Line
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.layout.paint import SEPARATOR
from ogive.backends.diagram.layout.placement import Placed
from ogive.backends.diagram.layout.route import Jump, crossings, tracks
from ogive.backends.diagram.layout.wrap import rows
from sampled import sampled

SUBJECTS = subjects()
BASELINE = Path(__file__).with_name("crossings.txt")
HEAD = "use std.nn (Linear, LayerNorm)\n"


def count(section: Section) -> int:
    return sum(row.crossings for row in rows(section, Theme()))


@pytest.mark.parametrize("step", sampled([5, 1]))
def test_no_figure_has_more_crossings_than_were_recorded(rewrite: bool, step: int) -> None:
    """`--rewrite` records new figures, fewer crossings, or more where that was meant."""
    step = 1 if rewrite else step
    made = {
        f"{name} {depth}": diagram(found, depth=depth).figure
        for name, found in [*SUBJECTS.items()][::step]
        for depth in (0, 1)
    }
    found = {name: sum(map(count, figure.sections)) for name, figure in made.items()}
    if rewrite:
        BASELINE.write_text("".join(f"{name} {number}\n" for name, number in found.items()))
    known = {name: int(number) for name, number in (line.rsplit(" ", 1) for line in BASELINE.read_text().splitlines())}
    assert {name: number for name, number in found.items() if number > known.get(name, number)} == {}


@pytest.mark.parametrize(
    "body", ["x |> LayerNorm |> Linear[d, d] |> relu", "x + (x |> Linear[d, d])", "softmax[-1](x)"]
)
def test_chains_and_residuals_cross_no_wire_of_another_tensor(body: str) -> None:
    """A copy that waits below is one bundle, from dots to dots."""
    (section,) = figure_of(block(f"{HEAD}block A[d](x: [b, n, d]) -> [b, n, d]:\n    return {body}")).sections
    assert count(section) == 0


def test_crossings_are_counted() -> None:
    assert crossings([Jump(0, 20), Jump(20, 0)]) == 1
    assert crossings([Jump(0, 0), Jump(20, 20), Jump(40, 40)]) == 0
    assert crossings([Jump(0, 40), Jump(20, 20), Jump(40, 0)]) == 3
    assert crossings([Jump(0, 0), Jump(0, 50)]) == 0  # two ways from one dot


def test_wires_that_would_meet_turn_on_different_tracks() -> None:
    residual = [Jump(0, 100), Jump(20, 120), Jump(40, 140)]
    found = tracks(residual)
    assert [found[jump] for jump in residual] == [2, 1, 0]
    assert set(tracks([Jump(0, 40), Jump(100, 140)]).values()) == {0}


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
def test_titles_fit_their_plates(name: str) -> None:
    drawing = diagram(SUBJECTS[name], depth=1).drawing
    boxes = {group.owner: group.box for group in drawing.groups if group.plate}
    for item in drawing.items:
        if isinstance(item, Text) and item.style == "title" and item.owner in boxes:
            left, top, right, bottom = boxes[item.owner]
            a, b, c, d = shrunk(item.box)
            assert left <= a
            assert c <= right
            assert top <= b
            assert d <= bottom


@pytest.mark.parametrize("name", ["gpt2:Attention", "moe:MoE", "unet:Tiny", "gru:GRU", "mamba:MambaLM"])
def test_dashed_lines_stand_between_tensors(name: str) -> None:
    (section, *_) = diagram(SUBJECTS[name]).figure.sections
    for row in rows(section, Theme()):
        tops = {round(y - SEPARATOR, 1) for y in row.heights.tensors.values()}
        for boundary in row.section.boundaries:
            for upper, lower in pairwise(boundary):
                wires = 1 if upper.tid in row.bundles else len(upper.slots)
                last = row.heights.tensors[upper.tid] + (wires - 1) * Theme().pitch
                if lower.tid in row.bundles:  # a thick line needs no other to part it
                    assert last < row.heights.tensors[lower.tid]
                    continue
                assert last < row.heights.tensors[lower.tid] - SEPARATOR < row.heights.tensors[lower.tid]
        drawn = [i for i in diagram(SUBJECTS[name]).drawing.items if isinstance(i, Line) and i.style == "separator"]
        assert tops
        assert bool(drawn) == any(t.tid not in row.bundles for b in row.section.boundaries for t in b[1:])


def test_a_wide_body_wraps_and_its_bracket_holds_all_rows() -> None:
    lines = "".join(f"        x = x + (x |> LayerNorm |> Linear[d, d] as l{i})\n" for i in range(9))
    made = block(f"{HEAD}block A[d](x: [b, d]) -> [b, d]:\n    repeat 4:\n{lines}    return x")
    (section,) = figure_of(made, Options(fold=False)).sections
    (row,) = rows(section, Theme())
    assert row.width < 1.2 * Theme().width
    (loop,) = [op for column in section.columns for op in column.ops if op.glyph == "repeat"]
    bodies: list[tuple[Placed, float, float]] = row.pieces[loop.oid].bodies
    assert len(bodies) > 1
    assert [body.first for body, _, _ in bodies] == [True] + [False] * (len(bodies) - 1)
    assert all(y + body.height <= row.pieces[loop.oid].height for body, _, y in bodies)
    assert {op.oid for body, _, _ in bodies for c in body.section.columns for op in c.ops} == {
        op.oid for column in loop.bodies[0].columns for op in column.ops
    }


@pytest.mark.parametrize("name", ["gpt2:Attention", "moe:MoE", "unet:Tiny", "gru:GRU", "mamba:MambaLM"])
def test_a_tensor_is_level_as_long_as_it_lives(name: str) -> None:
    """Its wires bend in the gaps where it is made and where it is read, nowhere between."""
    (section, *_) = diagram(SUBJECTS[name]).figure.sections
    for row in rows(section, Theme()):
        for at, (gap, boundary) in enumerate(zip(row.gaps, row.section.boundaries, strict=True)):
            before = row.section.boundaries[at - 1] if at else ()
            for tensor in boundary:
                if tensor in before:
                    assert all(gap.away[slot.sid].level for slot in tensor.slots if slot.sid in gap.away)


@pytest.mark.parametrize("name", [*SUBJECTS][::7])
@pytest.mark.parametrize("width", ["85mm", None])
def test_arrows_stand_on_wires_and_dashed_lines_apart_from_captions(name: str, width: str | None) -> None:
    """An arrowhead of an element type is on a wire of its height, also where that ends under a name."""
    drawing = diagram(SUBJECTS[name], width=width).drawing
    paths = [item for item in drawing.items if isinstance(item, Line)]
    lines = [ends for path in paths if path.commands[-1][0] != "Z" for ends in segments(path)]
    for path in paths:
        points = [point for _, point in path.commands if point]
        if path.style == "solid" and len(points) == 3 and points[0][0] == points[2][0] and not path.owner:
            x, y = points[1]
            at = [(a, b) for a, b in lines if abs(a[1] - y) < 0.6 and abs(b[1] - y) < 0.6]
            hook = [a for a, b in lines if abs(b[0] - x) < 8 and abs(b[1] - y) < 8]
            assert hook or any(min(a[0], b[0]) - 1 <= x <= max(a[0], b[0]) + 7 for a, b in at), (x, y)
    captions = [item.box for item in drawing.items if isinstance(item, Text) and item.style == "caption"]
    for path in paths:
        if path.style == "separator":
            (a, y), (b, _) = (points for _, points in path.commands)
            near = [box for box in captions if box[1] < y < box[3] and box[0] - 4 < b and a < box[2] + 4]
            assert not near, (a, b, y)
