"""Overviews: laid out here, in every format; Graphviz and Mermaid read what is written for them."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from diagram.geometry_checks import holds, inside, overlap, plates, segments, shrunk, texts_apart
from diagram.subjects import block, subject, subjects
from diagram.test_geometry import chain
from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.geometry import Drawing, Path
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.layered import layered
from ogive.backends.diagram.layout.overview import Box, Edge, Overview, overview

SUBJECTS = subjects()


def made(name: str, depth: int = 0) -> Diagram:
    return diagram(SUBJECTS[name], view="overview", depth=depth)


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("depth", [0, 1])
def test_nothing_overlaps(name: str, depth: int) -> None:
    drawing = made(name, depth).drawing
    assert [*inside(drawing), *texts_apart(drawing), *plates(drawing)] == []
    boxes = [group.box for group in drawing.groups if not group.plate]
    assert not [(a, b) for a, b in combinations(boxes, 2) if overlap(shrunk(a), shrunk(b))]
    for frame in (group.box for group in drawing.groups if group.plate):
        assert all(holds(frame, box) or not overlap(shrunk(frame), shrunk(box)) for box in boxes)


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_box_and_edge_is_drawn(name: str) -> None:
    each = made(name)
    assert {group.owner for group in each.drawing.groups} == {box.id for box in each.overview.boxes}
    drawn = [item for item in each.drawing.items if isinstance(item, Path) and item.style == "wire"]
    pairs = {(edge.source, edge.target) for edge in each.overview.edges if edge.source != edge.target}
    assert len(drawn) >= len(pairs)


@pytest.mark.parametrize("name", ["gpt2:Tiny", "moe:Tiny", "unet:Tiny", "gru:GRU"])
def test_edges_go_down(name: str) -> None:
    for item in made(name, 1).drawing.items:
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
    assert "LayerNorm ln_1" in text


def drawn(edges: str) -> Drawing:
    """The overview of a graph that is written as `ab bc`."""
    names = dict.fromkeys(edges.replace(" ", ""))
    return layered(
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


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz")
@pytest.mark.parametrize("name", ["gpt2:Tiny", "moe:Tiny", "vae:Tiny"])
def test_graphviz_reads_the_source(name: str) -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=made(name, 1).text("dot"), capture_output=True, text=True, check=True)
    assert "<svg" in done.stdout


def test_an_overview_of_eight_thousand_operations() -> None:
    small = overview(block(chain(400)))
    names = [f"o{i}" for i in range(8000)]
    edges = [Edge(a, b, "[b, n, d]") for a, b in pairwise(names)]
    edges += [Edge(names[i], names[i + 2 + i % 5], "[b, n, d]") for i in range(0, 7990, 3)]
    large = Overview("large", [Box(name, "relu", "op") for name in names], edges)
    start = time.process_time()
    assert len(layered(large, Theme()).groups) == 8000
    assert time.process_time() - start < 8  # on a busy machine; two seconds on a quiet one
    assert layered(small, Theme()).groups


def test_a_model_shows_numbers() -> None:
    text = made("vit:Tiny").text("mmd")
    assert "//" not in text
    assert "17" in text
    assert subject("vit:Tiny")
