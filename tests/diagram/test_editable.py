"""Files for programs in which figures are edited: all that is drawn is there, in groups, and the same each time."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree

import pytest

from diagram.subjects import subject
from ogive.backends.diagram.diagram import Diagram, View, diagram
from ogive.backends.diagram.figure.geometry import Text
from ogive.backends.diagram.render.connectors import (
    BESIDE,
    Connector,
    Element,
    anchored,
    connected,
    line_of,
    rect_of,
)
from ogive.backends.diagram.render.glue import NEAR, PIXEL, SITES
from ogive.stamp import Stamp, intact

CASES: list[tuple[str, View]] = [
    ("gpt2:Attention", "circuit"), ("gpt2:Tiny", "stack"), ("unet:Tiny", "overview"), ("moe:MoE", "circuit"),
]  # fmt: skip
LAYER = "{http://www.inkscape.org/namespaces/inkscape}label"


GLUED: list[tuple[str, View]] = [("gpt2:Tiny", "stack"), ("unet:Tiny", "overview"), ("gpt2:MLP", "circuit")]


def made(name: str, view: View) -> Diagram:
    return diagram(subject(name), view=view)


def texts(each: Diagram) -> list[str]:
    return sorted(item.text for item in each.drawing.items if isinstance(item, Text))


@pytest.mark.parametrize(("name", "view"), CASES)
def test_drawio_has_all_texts_and_shapes(name: str, view: View) -> None:
    each = made(name, view)
    cells = ElementTree.fromstring(each.text("drawio")).findall(".//mxCell")
    ids = [cell.attrib["id"] for cell in cells]
    assert len(ids) == len(set(ids))
    assert {cell.attrib["parent"] for cell in cells if "parent" in cell.attrib} <= set(ids)
    drawn = [cell for cell in cells if cell.attrib["id"].startswith("s")]
    assert len(drawn) == len(connected(each.drawing, each.theme))
    assert sorted(cell.attrib["value"] for cell in drawn if cell.attrib.get("value")) == texts(each)


@pytest.mark.parametrize(("name", "view"), CASES)
def test_excalidraw_has_all_texts_and_shapes(name: str, view: View) -> None:
    each = made(name, view)
    found = json.loads(each.text("excalidraw"))
    assert found["type"] == "excalidraw"
    elements = found["elements"]
    assert len({element["id"] for element in elements}) == len(elements)
    assert sum(element["id"][0] == "e" for element in elements) == len(connected(each.drawing, each.theme))
    assert sorted(element["text"] for element in elements if element["type"] == "text") == texts(each)
    owned = {item.owner for item in each.drawing.items if item.owner}
    assert {group for element in elements for group in element["groupIds"]} == owned
    wide = max(element["x"] + max(x for x, _ in element.get("points", [[element["width"], 0]])) for element in elements)
    assert wide <= each.drawing.width + 1


@pytest.mark.parametrize(("name", "view"), CASES)
def test_a_slide_has_all_texts(name: str, view: View) -> None:
    pptx = pytest.importorskip("pptx")
    each = made(name, view)
    data = each.bytes("pptx")
    (slide,) = pptx.Presentation(BytesIO(data)).slides
    shapes = [part for shape in slide.shapes for part in (shape.shapes if shape.shape_type == 6 else [shape])]
    assert sorted(shape.text_frame.text for shape in shapes if shape.has_text_frame and shape.text_frame.text) == texts(
        each
    )
    assert data == made(name, view).bytes("pptx")
    assert {entry.date_time for entry in zipfile.ZipFile(BytesIO(data)).infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("format", ["drawio", "excalidraw", "pptx"])
def test_they_say_where_they_come_from(format: str) -> None:
    stamp = Stamp("a--b.arch", "0123", "Model").by("draw")
    data = stamp.signed(made("gpt2:Attention", "circuit").bytes(format), format)
    assert intact(data)
    assert b"a-" in data
    assert not intact(data.replace(b"Model", b"Other"))
    if format == "pptx":
        assert zipfile.ZipFile(BytesIO(data)).testzip() is None
    elif format == "drawio":
        ElementTree.fromstring(data)
    else:
        json.loads(data)


@pytest.mark.parametrize(("name", "view"), CASES)
def test_layers_hold_what_the_plain_file_holds(name: str, view: View) -> None:
    each = made(name, view)
    layered = ElementTree.fromstring(replace(each, layered=True).text("svg"))
    plain = ElementTree.fromstring(each.text("svg"))
    names = [group.attrib[LAYER] for group in layered.iter() if LAYER in group.attrib]
    assert len(names) == len(set(names)) > 1
    blocks = {group.name for group in each.drawing.groups if group.block}
    assert all(any(label.startswith(block) for label in names) for block in blocks)

    def paths(root: ElementTree.Element) -> list[str]:
        return sorted(element.attrib["d"] for element in root.iter() if "d" in element.attrib)

    assert paths(layered) == paths(plain)
    assert "inkscape" not in each.text("svg")


def ends(each: Diagram) -> list[tuple[Connector, list[Element]]]:
    """The lines that are attached, with all elements."""
    found = connected(each.drawing, each.theme)
    return [(item, found) for item in found if isinstance(item, Connector) and (item.start or item.end)]


@pytest.mark.parametrize(("name", "view"), GLUED)
def test_lines_are_attached_where_they_end(name: str, view: View) -> None:
    """Every edge of an overview at both ends, most wires of a circuit; a tie is where the line ended."""
    each = made(name, view)
    for item, found in ends(each):
        for tie, point in ((item.start, item.line.points[0]), (item.end, item.line.points[-1])):
            if tie is not None:
                x, y = anchored(tie, rect_of(line_of(found[tie.to])))
                assert abs(x - point[0]) + abs(y - point[1]) <= BESIDE
    lines = [item for item in connected(each.drawing, each.theme) if isinstance(item, Connector)]
    assert sum(bool(item.start or item.end) for item in lines) > 0.8 * len(lines) > 0
    if view != "circuit":
        arrows = [item for item in lines if item.arrow]
        assert arrows
        assert all(item.end for item in arrows)


@pytest.mark.parametrize(("name", "view"), GLUED)
def test_drawio_edges_have_terminals_that_are_there(name: str, view: View) -> None:
    """With the places on their sides; vertices stand in their groups, which are as large as what is in them."""
    each = made(name, view)
    cells = {cell.attrib["id"]: cell for cell in ElementTree.fromstring(each.text("drawio")).findall(".//mxCell")}
    tied = 0
    for cell in cells.values():
        style = dict(part.split("=", 1) for part in cell.attrib.get("style", "").split(";") if "=" in part)
        for side, end in (("source", "exit"), ("target", "entry")):
            if side in cell.attrib:
                tied += 1
                assert cell.attrib["edge"] == "1"
                assert cells[cell.attrib[side]].attrib["vertex"] == "1"
                assert all(0 <= float(style[f"{end}{axis}"]) <= 1 for axis in "XY")
        if cell.attrib.get("style", "").startswith("group;"):
            inner = [c.find("mxGeometry") for c in cells.values() if c.attrib.get("parent") == cell.attrib["id"]]
            own = cell.find("mxGeometry")
            assert own is not None
            for part in inner:
                assert part is not None
                if "x" in part.attrib:
                    assert float(part.attrib["x"]) + float(part.attrib["width"]) <= float(own.attrib["width"]) + 0.3
                    assert float(part.attrib["y"]) >= -3  # a line is higher than its letters
    assert tied == sum(bool(item.start) + bool(item.end) for item, _ in ends(each)) > 0


@pytest.mark.parametrize(("name", "view"), GLUED)
def test_excalidraw_bindings_are_said_on_both_sides(name: str, view: View) -> None:
    """Arrows alone are bound, and only to rectangles and texts, which know of them."""
    each = made(name, view)
    elements = {element["id"]: element for element in json.loads(each.text("excalidraw"))["elements"]}
    bound = set()
    for element in elements.values():
        for binding in (element.get("startBinding"), element.get("endBinding")):
            if binding is not None:
                assert element["type"] == "arrow"
                assert elements[binding["elementId"]]["type"] in ("rectangle", "ellipse", "text")
                bound.add((binding["elementId"], element["id"]))
    known = {(key, arrow["id"]) for key, element in elements.items() for arrow in element["boundElements"] or ()}
    assert bound == known != set()


@pytest.mark.parametrize(("name", "view"), GLUED)
def test_slides_have_connectors_glued_where_they_end(name: str, view: View) -> None:
    """Programs lay a connector anew between its sites: so it is straight, and its sites are where it was drawn."""
    pptx = pytest.importorskip("pptx")
    each = made(name, view)
    (slide,) = pptx.Presentation(BytesIO(each.bytes("pptx"))).slides
    main = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
    parts = [part for shape in slide.shapes for part in (shape.shapes if shape.shape_type == 6 else [shape])]
    shapes = {part.shape_id: part for part in parts}
    glued = 0
    for part in parts:
        if not part._element.tag.endswith("cxnSp"):
            continue
        assert part._element.find(f".//{main}prstGeom").get("prst") == "straightConnector1"
        for tag, x, y in (("stCxn", part.begin_x, part.begin_y), ("endCxn", part.end_x, part.end_y)):
            for end in part._element.iter(f"{main}{tag}"):
                glued += 1
                to = shapes[int(end.get("id"))]
                preset = to._element.find(f".//{main}prstGeom")
                assert preset is not None
                assert preset.get("prst") in ("rect", "roundRect")
                across, down = SITES[int(end.get("idx"))]
                away = abs(to.left + across * to.width - x) + abs(to.top + down * to.height - y)
                text = bool(to.text_frame.text)  # lines end a little before the names of inputs and outputs
                assert away <= (BESIDE if text else 2 * NEAR) * PIXEL
    if view != "circuit":  # most edges of an overview run down or up
        assert glued > 0.3 * sum(bool(item.start) + bool(item.end) for item, _ in ends(each))


def test_talks_have_as_many_slides_as_a_figure_needs() -> None:
    """Of 16:9, the figure in the middle; what is higher than one goes on in the next, all of it on some."""
    pptx = pytest.importorskip("pptx")
    each = diagram(subject("yolo:Tiny"), view="overview", width="slide")
    deck = pptx.Presentation(BytesIO(each.bytes("pptx")))
    assert len(deck.slides) == len(each.sheets) > 1
    assert deck.slide_width / deck.slide_height == pytest.approx(16 / 9, rel=0.01)
    shown = []
    for slide in deck.slides:
        parts = [part for shape in slide.shapes for part in (shape.shapes if shape.shape_type == 6 else [shape])]
        assert min(part.left for part in parts) >= 0
        assert max(part.left + part.width for part in parts) <= deck.slide_width
        left, right = min(part.left for part in parts), max(part.left + part.width for part in parts)
        assert abs(left + right - deck.slide_width) < deck.slide_width / 20
        shown += [part.text_frame.text for part in parts if part.has_text_frame and part.text_frame.text]
    assert sorted(shown) == texts(each)
