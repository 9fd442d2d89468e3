"""Overviews: laid out here, in every format; Graphviz and Mermaid read what is written for them."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path as PathOf
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from counted import calls
from diagram.geometry_checks import holds, inside, overlap, plates, segments, shrunk, texts_apart
from diagram.subjects import ROOT, block, subject, subjects
from diagram.test_geometry import chain
from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import Drawing, Path, Text
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.layered import levels
from ogive.backends.diagram.layout.overview_drawing import overview_drawing
from ogive.backends.diagram.views.memories import remembered
from ogive.backends.diagram.views.overview import Box, Edge, Overview
from ogive.cli import cli
from ogive.compiler.driver.workspace import Workspace
from ogive.stamp import intact
from sampled import sampled

SUBJECTS = subjects()


def made(name: str, depth: int = 0) -> Diagram:
    return diagram(SUBJECTS[name], view="overview", depth=depth)


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
@pytest.mark.parametrize("depth", [0, 1])
def test_nothing_overlaps(name: str, depth: int) -> None:
    drawing = made(name, depth).drawing
    assert [*inside(drawing), *texts_apart(drawing), *plates(drawing)] == []
    boxes = [group.box for group in drawing.groups if not group.plate]
    words = [item.box for item in drawing.items if isinstance(item, Text) and not item.owner]
    assert not [(a, b) for a in words for b in boxes if overlap(shrunk(a, 1.5), shrunk(b))]
    assert not [(a, b) for a, b in combinations(boxes, 2) if overlap(shrunk(a), shrunk(b))]
    for frame in (group.box for group in drawing.groups if group.plate):
        assert all(holds(frame, box) or not overlap(shrunk(frame), shrunk(box)) for box in boxes)


@pytest.mark.parametrize(
    "body",
    [
        "    y = exp(x)\n    if given(mask):\n        y = select(mask, y, 0.0)\n",
        "    y = exp(x)\n    if training:\n        y = tanh(y)\n",
        "    if training:\n        y = tanh(x)\n    else:\n        y = exp(x)\n",
    ],
)
def test_arms_of_a_choice_meet_before_anything_reads_them(body: str) -> None:
    """A sum beside them has two operands, whichever arm runs: it does not add up the arms."""
    text = f"block F(x: [b, d], mask: bool[b, d]?) -> [b, d]:\n{body}    return y + x\n\nmodel M = F\n"
    found = diagram(Workspace().check(text, "choice.arch").models["M"].ir, view="overview").overview
    (total,) = [box.id for box in found.boxes if box.text == "+"]
    (met,) = [box.id for box in found.boxes if box.text == "either"]
    read = {target: [edge.source for edge in found.edges if edge.target == target] for target in (total, met)}
    assert len(read[total]) == len(read[met]) == 2
    assert met in read[total]


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
def test_every_box_and_edge_is_drawn(name: str) -> None:
    each = made(name)
    assert {group.owner for group in each.drawing.groups} == {box.id for box in each.overview.boxes}
    drawn = [item for item in each.drawing.items if isinstance(item, Path) and item.style == "wire"]
    shown = remembered(each.overview)
    pairs = {(edge.source, edge.target) for edge in shown.edges if edge.source != edge.target}
    assert len(drawn) >= len(pairs)
    boxes = {box.id: box for box in shown.boxes}
    for edge in each.overview.edges:  # those that are not drawn have one name at both ends
        assert edge in shown.edges or set(boxes[edge.source].sends) & set(boxes[edge.target].takes)


@pytest.mark.parametrize("name", ["gpt2:Tiny", "moe:Tiny", "unet:Tiny", "gru:GRU"])
def test_edges_go_down(name: str) -> None:
    for item in overview_drawing(made(name, 1).overview, Theme(), paged=False).items:
        if isinstance(item, Path) and item.style == "wire":
            assert all(a[1] <= b[1] + 0.01 for a, b in segments(item))


@pytest.mark.parametrize("name", ["gpt2:Tiny", "moe:Tiny", "vae:Tiny"])
@pytest.mark.parametrize("format", ["svg", "tex", "html", "png", "dot", "mmd", "txt"])
def test_every_format(name: str, format: str) -> None:
    first, second = (made(name, 1).bytes(format) for _ in range(2))
    assert first == second
    assert first
    if format == "svg":
        ElementTree.fromstring(first.decode())


def test_the_page_opens_overviews_of_blocks() -> None:
    text = made("gpt2:Tiny").text("html")
    opens = set(re.findall(r'data-block="([^"]+)"', text))
    assert opens == {"Attention", "MLP"}
    assert text.count('<template id="block-') >= 2
    assert "ln_1" in text


def drawn(edges: str) -> Drawing:
    """The overview of a graph that is written as `ab bc`."""
    names = dict.fromkeys(edges.replace(" ", ""))
    return overview_drawing(
        Overview("graph", [Box(n, n, "op") for n in names], [Edge(e[0], e[1], "[n]") for e in edges.split()]), Theme()
    )


def test_a_chain_is_straight_and_a_square_has_no_crossing() -> None:
    chained = drawn("ab bc cd")
    assert not [
        c
        for item in chained.items
        if isinstance(item, Path) and item.style == "wire"
        for c in item.commands
        if c[0] == "C"
    ]
    tops = {group.owner: group.box for group in drawn("ab ac bd cd").groups}
    assert tops["b"][1] == tops["c"][1]
    assert tops["a"][1] < tops["b"][1] < tops["d"][1]


def test_it_folds_what_the_circuit_folds() -> None:
    for name, subject_ in SUBJECTS.items():
        each = made(name)
        times = sorted(op.text for op in each.figure.walk() if op.glyph == "repeat" and op.attr("copies"))
        found = sorted(box.text for box in each.overview.boxes if box.kind == "group" and not box.path)
        assert [text for text in found if text.startswith("×")] == times, name
        assert diagram(subject_, view="overview").text("txt").startswith(each.overview.title)


@pytest.mark.parametrize("target", ["resnet:ResNet50", "swin:SwinT", "gpt2:GPT2", "llama:Llama2_7B",
                                    "diffusion_unet:CIFAR10"])  # fmt: skip
def test_large_models_fit_on_a_page(target: str) -> None:
    """Of 170 by 240 mm with no label below 5 points, or 7 where the figure is a page already."""
    file, name = target.split(":")
    program = Workspace().check((ROOT / f"examples/{file}.arch").read_text(), f"examples/{file}.arch")
    drawing = diagram(program.models[name].ir, view="overview").drawing
    points = 72 / 25.4
    scale = min(0.75, 170 * points / drawing.width, 240 * points / drawing.height)
    least = min(item.size for item in drawing.items if isinstance(item, Text)) * scale
    assert least > 5


@pytest.mark.parametrize("name", ["gpt2:Tiny", "moe:Tiny", "unet:Tiny", "resnet:Tiny"])
def test_from_left_to_right(name: str) -> None:
    overview = made(name, 1).overview
    drawing = overview_drawing(overview, Theme(), "LR")
    assert [*inside(drawing), *texts_apart(drawing), *plates(drawing)] == []
    places = {group.owner: group.box for group in overview_drawing(overview, Theme(), "LR", paged=False).groups}
    leaves = [edge for edge in overview.edges if edge.source in places and edge.target in places]
    assert leaves
    assert all(places[edge.source][0] < places[edge.target][0] for edge in leaves)


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz")
def test_graphviz_lays_out_on_request() -> None:
    each = replace(made("gpt2:Tiny"), engine="dot")
    assert b"<svg" in each.bytes("svg")
    assert each.bytes("png").startswith(b"\x89PNG")
    with pytest.raises(DiagramError, match="overview"):
        replace(each, view="circuit").bytes("svg")


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz")
@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_pictures_of_graphviz_are_signed_as_ours_are(ending: str, tmp_path: PathOf) -> None:
    """So they are drawn over where nobody has changed them."""
    out = tmp_path / f"mlp.{ending}"
    asked = ["draw", f"{ROOT / 'examples' / 'mlp.arch'}:MNIST", "--view", "overview", "--engine", "dot", "-o", str(out)]
    for _ in range(2):
        result = CliRunner().invoke(cli, asked)
        assert (result.exit_code, result.output) == (0, f"wrote {out}\n")
        assert intact(out.read_bytes())
    if ending == "svg":
        ElementTree.fromstring(out.read_text(encoding="utf-8"))


def test_graphviz_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DiagramError, match="apt install graphviz"):
        replace(made("gpt2:Tiny"), engine="dot").bytes("svg")


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz")
@pytest.mark.parametrize("name", ["gpt2:Tiny", "moe:Tiny", "vae:Tiny"])
def test_graphviz_reads_the_source(name: str) -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=made(name, 1).text("dot"), capture_output=True, text=True, check=True)
    assert "<svg" in done.stdout


@pytest.mark.slow
def test_an_overview_of_eight_thousand_operations() -> None:
    small = diagram(block(chain(400)), view="overview").overview

    def long(count: int) -> Overview:
        names = [f"o{i}" for i in range(count)]
        edges = [Edge(a, b, "[b, n, d]") for a, b in pairwise(names)]
        edges += [Edge(names[i], names[i + 2 + i % 5], "[b, n, d]") for i in range(0, count - 10, 3)]
        return Overview("large", [Box(name, "relu", "op") for name in names], edges)

    middle, large = long(500), long(4000)
    assert len(overview_drawing(long(8000), Theme()).groups) == 8000
    assert calls(lambda: overview_drawing(large, Theme())) < 9 * calls(lambda: overview_drawing(middle, Theme()))
    assert overview_drawing(small, Theme()).groups


def test_a_model_shows_numbers() -> None:
    text = made("vit:Tiny").text("mmd").replace("https://", "")
    assert "//" not in text
    assert "17" in text
    assert subject("vit:Tiny")


def test_an_overview_costs_little_more_than_a_check() -> None:
    """Of ResNet-50: reading and checking the file, and drawing, at most 1.6 times the calls of the former."""
    text = (ROOT / "examples/resnet.arch").read_text()

    def made(drawn: bool) -> None:
        program = Workspace().check(text, "examples/resnet.arch")
        if drawn:
            diagram(program.models["ResNet50"].ir, view="overview").text("svg")

    made(True)
    assert calls(lambda: made(True)) < 1.6 * calls(lambda: made(False))


@pytest.mark.parametrize("name", ["detr:Tiny", "bart:Tiny", "dit:Tiny", "vae:Tiny", "gemma2:Tiny", "unet:Tiny"])
def test_all_that_enters_a_frame_goes_on_in_it(name: str) -> None:
    """Two values that enter side by side, with the same sizes or none beside them, are two edges."""
    waiting = [levels(made(name, 1).overview, Theme(), False)]
    while waiting:
        level = waiting.pop()
        starts, ends = ({id(line.points[at]) for line in level.lines} for at in (0, -1))
        assert {id(port) for port in level.ins.values()} <= starts
        assert {id(port) for port in level.outs.values()} <= ends
        waiting += [point.inside for layer in level.layers for point in layer if point.inside is not None]
