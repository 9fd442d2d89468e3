"""PowerPoint: a slide of the size of the figure, or one for each of its sheets, by the optional library python-pptx."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from io import BytesIO
from typing import Any

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.geometry import Drawing, carried, moved
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.connectors import Connector, bounds, connected, is_rectangle, line_of, radius_of
from ogive.backends.diagram.render.glue import glue
from ogive.backends.diagram.render.plain_shapes import PlainShape, PlainText

PIXEL = 9525  # in the units of the format
LARGEST, SMALLEST = 56 * 914400, 914400  # a side of a slide, in these
DAY = (1980, 1, 1, 0, 0, 0)
MAIN = "http://schemas.openxmlformats.org/presentationml/2006/main"
EXTRA = "pip install 'ogive[slides]'"


def pptx(drawings: Sequence[Drawing], theme: Theme) -> bytes:
    """The file, a slide for each drawing; shapes of an operation are a group, and every text can be edited.

    Slides are as large as the largest of them, or of the size of talks where the theme is for these.
    """
    library = _library("pptx")
    deck = library.Presentation()
    sides = [max(sizes) for sizes in zip(*((d.width * d.scale, d.height * d.scale) for d in drawings), strict=True)]
    if theme.page is not None and theme.scale > 1:
        sides = [max(side, theme.scale * whole) for side, whole in zip(sides, theme.page, strict=True)]
    wide, high = (min(LARGEST, max(SMALLEST, round(side * PIXEL))) for side in sides)
    deck.slide_width, deck.slide_height = wide, high
    for drawing in drawings:
        slide = deck.slides.add_slide(deck.slide_layouts[6])
        slide.background.fill.solid()
        slide.background.fill.fore_color.rgb = _colour(theme.palette.ground)
        _draw(slide, _centred(drawing, (wide / PIXEL, high / PIXEL)), theme)
    about = deck.core_properties
    about.title, about.author, about.last_modified_by = drawings[0].title.partition(" (1 of ")[0], "ogive", "ogive"
    about.created = about.modified = datetime(2000, 1, 1)
    made = BytesIO()
    deck.save(made)
    return _same_bytes(made.getvalue())


def _centred(drawing: Drawing, sides: tuple[float, float]) -> Drawing:
    """The drawing in the middle of a slide."""
    across, down = (
        max(side / drawing.scale - own, 0.0) / 2
        for side, own in zip(sides, (drawing.width, drawing.height), strict=True)
    )
    if max(across, down) < 1:
        return drawing
    items = tuple(moved(item, across, down) for item in drawing.items)
    return replace(drawing, items=items, groups=tuple(carried(group, across, down) for group in drawing.groups))


def _draw(slide: Any, drawing: Drawing, theme: Theme) -> None:
    groups: dict[str, Any] = {}
    names = {group.owner: group.name for group in drawing.groups}
    made_shapes: dict[int, Any] = {}
    elements = connected(drawing, theme)
    for k, each in enumerate(elements):
        item, shapes = line_of(each), slide.shapes
        if item.owner:
            if item.owner not in groups:
                groups[item.owner] = slide.shapes.add_group_shape()
                groups[item.owner].name = names.get(item.owner, item.owner)
            shapes = groups[item.owner].shapes
        made_shapes[k] = _shape(shapes, item) if isinstance(item, PlainShape) else _text(shapes, item)
    for k, each in enumerate(elements):
        if isinstance(each, Connector) and made_shapes[k] is not None:
            glue(made_shapes[k], each, elements, made_shapes)


def _same_bytes(data: bytes) -> bytes:
    """The archive without the hour at which it was made."""
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            entry = zipfile.ZipInfo(name, DAY)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            new.writestr(entry, old.read(name))
    return made.getvalue()


def _shape(shapes: Any, item: PlainShape) -> Any:
    shape = _rectangle(shapes, item) if is_rectangle(item) else _freeform(shapes, item)
    if shape is None:
        return None
    for style in shape._element.findall(f"{{{MAIN}}}style"):  # that of the template has a shadow
        shape._element.remove(style)
    if item.fill:
        shape.fill.solid()
        shape.fill.fore_color.rgb = _colour(item.fill)
    else:
        shape.fill.background()
    if item.stroke:
        shape.line.color.rgb = _colour(item.stroke)
        shape.line.width = round(item.width * PIXEL)
        if item.dashed:
            shape.line.dash_style = _library("pptx.enum.dml").MSO_LINE.DASH
    else:
        shape.line.fill.background()
    return shape


def _rectangle(shapes: Any, item: PlainShape) -> Any:
    """A box that editors know as one, with its corners."""
    left, top, right, bottom = bounds(item.points)
    radius = radius_of(item)
    kinds = _library("pptx.enum.shapes").MSO_SHAPE
    kind = kinds.ROUNDED_RECTANGLE if radius else kinds.RECTANGLE
    box = (round(value * PIXEL) for value in (left, top, right - left, bottom - top))
    shape = shapes.add_shape(kind, *box)
    if radius:
        shape.adjustments[0] = min(0.5, radius / min(right - left, bottom - top))
    return shape


def _freeform(shapes: Any, item: PlainShape) -> Any:
    first, *rest = [(x * PIXEL, y * PIXEL) for x, y in item.points]
    if not rest:
        return None
    builder = shapes.build_freeform(round(first[0]), round(first[1]), scale=1.0)
    builder.add_line_segments([(round(x), round(y)) for x, y in rest], close=item.closed)
    return builder.convert_to_shape()


def _text(shapes: Any, item: PlainText) -> Any:
    left, top, wide, tall = (round(value * PIXEL) for value in item.box)
    box = shapes.add_textbox(left, top, max(wide, 1), max(tall, 1))
    frame = box.text_frame
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    frame.word_wrap = False
    frame.vertical_anchor = _library("pptx.enum.text").MSO_ANCHOR.MIDDLE
    line = frame.paragraphs[0]
    aligned = _library("pptx.enum.text").PP_ALIGN
    line.alignment = {"start": aligned.LEFT, "middle": aligned.CENTER, "end": aligned.RIGHT}[item.anchor]
    run = line.add_run()
    run.text = item.text
    run.font.size, run.font.name = round(item.size * PIXEL), "Arial"
    run.font.bold, run.font.italic = item.bold, item.italic
    run.font.color.rgb = _colour(item.colour)
    return box


def _colour(text: str) -> Any:
    return _library("pptx.dml.color").RGBColor.from_string(text.lstrip("#").upper())


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise DiagramError(f"python-pptx is not installed: {EXTRA}") from None
