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
from ogive.stamp import Stamp, intact

CASES: list[tuple[str, View]] = [
    ("gpt2:Attention", "circuit"), ("gpt2:Tiny", "stack"), ("unet:Tiny", "overview"), ("moe:MoE", "circuit"),
]  # fmt: skip
LAYER = "{http://www.inkscape.org/namespaces/inkscape}label"


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
    assert len(drawn) == len(each.drawing.items)
    assert sorted(cell.attrib["value"] for cell in drawn if cell.attrib.get("value")) == texts(each)


@pytest.mark.parametrize(("name", "view"), CASES)
def test_excalidraw_has_all_texts_and_shapes(name: str, view: View) -> None:
    each = made(name, view)
    found = json.loads(each.text("excalidraw"))
    assert found["type"] == "excalidraw"
    elements = found["elements"]
    assert len({element["id"] for element in elements}) == len(elements) == len(each.drawing.items)
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
