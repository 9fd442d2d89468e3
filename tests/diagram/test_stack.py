"""The vertical figure: everything flows up, nothing lies on anything, loops and short-cuts as papers draw them."""

from __future__ import annotations

from itertools import combinations

import pytest

from diagram.geometry_checks import crosses, holds, inside, overlap, plates, segments, shrunk, texts_apart, wires
from diagram.subjects import block, subjects
from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.from_ir.options import SizeStyle
from ogive.backends.diagram.views.spines import with_single_frames
from sampled import sampled

SUBJECTS = subjects()
STACKS = ["gpt2:Tiny", "llama:Tiny", "vit:Tiny", "whisper:Tiny", "bart:Tiny", "t5_encoder:Tiny", "qwen3:Tiny"]
OVERVIEW = "no stack of one spine: an overview"


def made(name: str) -> Diagram:
    return diagram(SUBJECTS[name], view="stack")


@pytest.mark.parametrize("name", sampled(SUBJECTS, 4))
def test_nothing_lies_on_anything(name: str) -> None:
    drawing = made(name).drawing
    assert [*inside(drawing), *texts_apart(drawing), *plates(drawing)] == []
    boxes = [group.box for group in drawing.groups if not group.plate]
    assert not [(a, b) for a, b in combinations(boxes, 2) if overlap(shrunk(a), shrunk(b))]
    lines = [ends for wire in wires(drawing) for ends in segments(wire)]
    if OVERVIEW not in [item.text for item in drawing.items if isinstance(item, Text)]:
        assert not [box for box in boxes for a, b in lines if crosses(a, b, shrunk(box, 2))]


@pytest.mark.parametrize("name", STACKS)
def test_models_of_transformers_are_stacks(name: str) -> None:
    each = made(name)
    assert OVERVIEW not in [item.text for item in each.drawing.items if isinstance(item, Text)]
    places = {group.owner: group.box for group in each.drawing.groups}
    boxes = {box.id: box for box in with_single_frames(each.overview).boxes}
    for edge in each.overview.edges:  # up, or from the side
        assert places[edge.target][1] < places[edge.source][3]
    for box in boxes.values():
        if box.parent:
            assert holds(places[box.parent], places[box.id])
    loops = [item.text for item in each.drawing.items if isinstance(item, Text) and item.text.endswith("×")]
    assert loops
    assert {"attention", "norm"} <= {box.role for box in boxes.values()}


def test_a_block_that_is_all_of_a_loop_is_open() -> None:
    text = (
        "use std.nn (Linear, LayerNorm)\nblock Inner[d](x: [b, d]) -> [b, d]:\n"
        "    return x + (x |> LayerNorm as norm |> Linear[d, d] as one)\n"
        "block Outer[d](x: [b, d]) -> [b, d]:\n    repeat 4 as h:\n        x = x |> Inner as inner\n    return x"
    )
    each = diagram(block(text), view="stack")
    assert {box.text for box in each.overview.boxes} >= {"LayerNorm", "Linear", "+"}
    arcs = [wire for wire in wires(each.drawing) if len({round(x) for (x, _), _ in segments(wire)}) > 2]
    assert len(arcs) == 1  # the short-cut
    assert "4×" in [item.text for item in each.drawing.items if isinstance(item, Text)]


def test_choices_that_keep_a_net_from_being_a_stack_are_closed() -> None:
    """BERT adds segments where it has them; what is chosen between is said in the box."""
    drawing = made("bert:Tiny").drawing
    texts = [item.text for item in drawing.items if isinstance(item, Text)]
    assert OVERVIEW not in texts
    assert "given or absent: segments" in texts
    for wire in wires(drawing):  # no line through the count of a loop
        for a, b in segments(wire):
            assert not [t for t in drawing.items if isinstance(t, Text) and t.style == "title"
                        and crosses(a, b, shrunk(t.box))]  # fmt: skip


@pytest.mark.parametrize("name", [*STACKS, "bert:Tiny", "deepseek_v3:Tiny"])
@pytest.mark.parametrize("sizes", ["symbolic", "numeric"])
def test_no_short_cut_runs_through_the_sizes_beside_it(name: str, sizes: SizeStyle) -> None:
    drawing = diagram(SUBJECTS[name], view="stack", sizes=sizes, width="170mm").drawing
    texts = [item for item in drawing.items if isinstance(item, Text) and item.style == "legend"]
    lines = [ends for wire in wires(drawing) for ends in segments(wire)]
    assert [text.text for text in texts for a, b in lines if crosses(a, b, shrunk(text.box))] == []


@pytest.mark.parametrize("name", [*STACKS, "detr:Tiny"])
def test_every_line_begins_at_a_box_or_on_a_line(name: str) -> None:
    """Short-cuts leave right under the first box that they pass, where something leads."""
    drawing = diagram(SUBJECTS[name], view="stack", depth=1).drawing
    lines = wires(drawing)
    for wire in lines:
        x, y = wire.commands[0][1][:2]
        spot = (x - 1.5, y - 1.5, x + 1.5, y + 1.5)
        others = [ends for other in lines if other is not wire for ends in segments(other)]
        assert any(overlap(spot, group.box) for group in drawing.groups) or any(crosses(a, b, spot) for a, b in others)


@pytest.mark.parametrize("name", ["detr:Tiny", "resnet:Tiny", "efficientnet:Tiny"])
def test_sizes_and_titles_keep_clear_of_what_stands_beside_them(name: str) -> None:
    """Also in nets that are no transformers: long sizes, frames with names."""
    drawing = diagram(SUBJECTS[name], view="stack").drawing
    texts = [item for item in drawing.items if isinstance(item, Text) and item.style in ("legend", "title")]
    boxes = [group for group in drawing.groups if not group.plate]
    assert [(t.text, g.name) for t in texts for g in boxes if overlap(shrunk(t.box), shrunk(g.box, 2))] == []
    lines = [ends for wire in wires(drawing) for ends in segments(wire)]
    assert [t.text for t in texts for a, b in lines if crosses(a, b, shrunk(t.box))] == []
