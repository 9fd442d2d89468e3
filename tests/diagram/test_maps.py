"""Feature maps: their sides are those of the tensors, to scale, in the order of the net."""

from __future__ import annotations

import re

import pytest

from diagram.geometry_checks import inside, texts_apart, wires
from diagram.subjects import ROOT, block
from ogive.backends.diagram.diagram import Diagram, diagram
from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.figure.page import LEGIBLE, MARGIN, PIXELS, POINTS
from ogive.compiler.driver.workspace import Workspace

HEAD = "use std.nn (Linear)\nuse std.vision (Conv)\n"
NET = HEAD + (
    "block Net(x: [b, 3, h, w]) -> [b, 10]:\n    x = x |> Conv[3, 16, 3, pad=1] as one |> relu\n"
    "    x = x |> max_pool[2, stride=2] |> Conv[16, 64, 3, pad=1] as two |> relu\n"
    '    return x |> reduce["b c h w -> b c", mean] |> Linear[64, 10] as fc'
)
SKIP = HEAD + (
    "block U(x: [b, 3, 2*h, 2*w]) -> [b, 3, 2*h, 2*w]:\n    x = x |> Conv[3, 8, 3, pad=1] as a\n"
    "    y = x |> max_pool[2, stride=2] |> Conv[8, 16, 3, pad=1] as b |> interpolate[scale=2]\n"
    "    return concat[1](x, y) |> Conv[24, 3, 3, pad=1] as c"
)


def made(text: str, **at: int) -> Diagram:
    return diagram(block(text), view="maps", at=at)


def sides(each: Diagram) -> list[str]:
    texts = [item.text for item in each.drawing.items if isinstance(item, Text) and item.style == "name"]
    return [text for text in texts if re.fullmatch(r"[\d×²]+", text)]


def test_sides_are_those_of_the_tensors() -> None:
    assert sides(made(NET, h=32, w=32)) == ["32²×3", "32²×16", "16²×16", "16²×64", "64", "10"]
    assert sides(made(NET, h=32, w=48))[:3] == ["32×48×3", "32×48×16", "16×24×16"]


@pytest.mark.parametrize(("h", "w"), [(32, 32), (64, 16), (8, 40)])
def test_heights_are_to_scale(h: int, w: int) -> None:
    boxes = [group.box for group in made(NET, h=h, w=w).drawing.groups][:4]
    high = [bottom - top for _, top, _, bottom in boxes]
    assert high[0] == pytest.approx(high[1])
    assert high[2] == pytest.approx(high[3])
    assert high[2] == pytest.approx(high[0] / 2)
    thick = [right - left for left, _, right, _ in boxes]
    assert thick[0] < thick[1]
    assert thick[2] < thick[3]


def test_what_is_handed_on_runs_over_the_maps() -> None:
    plain, skipping = made(NET, h=32, w=32), made(SKIP, h=32, w=32)
    arcs = [sum("C" in [c[0] for c in wire.commands] for wire in wires(each.drawing)) for each in (plain, skipping)]
    assert arcs == [0, 1]


def test_every_format_and_nothing_overlaps() -> None:
    each = made(NET, h=32, w=32)
    assert [*inside(each.drawing), *texts_apart(each.drawing)] == []
    for format in ("svg", "tex", "html", "png"):
        assert each.bytes(format)


def test_numbers_that_are_missing_are_asked_for() -> None:
    with pytest.raises(DiagramError, match="--at h=64,w=64"):
        _ = made(NET).drawing
    with pytest.raises(DiagramError, match="no feature maps"):
        _ = made("use std.nn (Linear)\nblock A(x: [b, 3]) -> [b, 4]:\n    return x |> Linear[3, 4] as a").drawing


def test_on_a_page_maps_stand_in_rows_and_what_crosses_them_has_a_name() -> None:
    free, page = made(SKIP, h=32, w=32), diagram(block(SKIP), view="maps", at={"h": 32, "w": 32}, width="60mm")
    assert page.drawing.width * page.drawing.scale <= 60 * PIXELS + 0.1
    assert page.drawing.smallest * POINTS >= LEGIBLE
    assert [*inside(page.drawing, MARGIN), *texts_apart(page.drawing)] == []
    assert sides(page) == sides(free)
    texts = [item.text for item in page.drawing.items if isinstance(item, Text)]
    assert "→ A" in texts
    assert "A →" in texts
    assert "A →" not in [item.text for item in free.drawing.items if isinstance(item, Text)]


@pytest.mark.parametrize(("stem", "name", "most"), [("maxvit", "MaxViT_T", 10), ("densenet", "DenseNet121", 20)])
def test_turns_of_other_sizes_have_numbers_and_stages_are_short(stem: str, name: str, most: int) -> None:
    """A folded run writes its sizes by a counter; unfolded, a stage of many maps is its last one."""
    path = ROOT / "examples" / f"{stem}.arch"
    model = Workspace().check(path.read_text(), path.name).models[name].ir
    drawing = diagram(model, view="maps", at={"h": 224, "w": 224}).drawing
    texts = [item.text for item in drawing.items if isinstance(item, Text)]
    assert not [text for text in texts if "λ" in text]
    assert "56²×64" in texts
    assert len(drawing.groups) <= most
