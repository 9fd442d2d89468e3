"""draw.io: shapes and texts that can be moved, those of an operation as a group; lines follow their boxes."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.connectors import (
    Connector,
    LineTie,
    connected,
    is_rectangle,
    line_of,
    radius_of,
    rect_of,
)
from ogive.backends.diagram.render.plain_shapes import PlainShape, PlainText
from ogive.backends.diagram.render.svg import number

GROUP = "group;strokeColor=none;fillColor=none;"
LINE = 1.25  # the height of a line of text, in its size


def drawio(drawing: Drawing, theme: Theme) -> str:
    """The file, uncompressed."""
    cells = "\n".join(_cells(drawing, theme))
    size = f'pageWidth="{number(drawing.width * drawing.scale)}" pageHeight="{number(drawing.height * drawing.scale)}"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<mxfile host="ogive">\n'
        f'<diagram id="figure" name={quoteattr(drawing.title)}>\n'
        f'<mxGraphModel grid="0" page="1" {size} background="{theme.palette.ground}"><root>\n'
        f'<mxCell id="0"/>\n<mxCell id="1" parent="0"/>\n{cells}\n</root></mxGraphModel>\n</diagram>\n</mxfile>\n'
    )


def _cells(drawing: Drawing, theme: Theme) -> Iterator[str]:
    names = {group.owner: group.name for group in drawing.groups}
    elements = connected(drawing, theme)
    inside: dict[str, list[PlainShape | PlainText]] = {}
    for item in map(line_of, elements):
        if item.owner:
            inside.setdefault(item.owner, []).append(item)
    origins: dict[str, tuple[float, float]] = {}
    for k, each in enumerate(elements):
        item = line_of(each)
        if item.owner and item.owner not in origins:
            rects = [rect_of(part) for part in inside[item.owner]]
            left, top = min(r[0] for r in rects), min(r[1] for r in rects)
            origins[item.owner] = left, top
            place = (left, top, max(r[2] for r in rects) - left, max(r[3] for r in rects) - top)
            value = quoteattr(names.get(item.owner, item.owner))
            yield (f'<mxCell id="g-{item.owner}" value="" style="{GROUP}" vertex="1" connectable="0" parent="1" '
                   f'tooltip={value}>{_geometry(place)}</mxCell>')  # fmt: skip
        parent = f"g-{item.owner}" if item.owner else "1"
        around = origins.get(item.owner, (0.0, 0.0))
        if isinstance(each, Connector):
            yield _edge(each.line, f"s{k}", parent, around, each)
        elif isinstance(each, PlainShape):
            yield _shape(each, f"s{k}", parent, around)
        else:
            yield _text(each, f"s{k}", parent, around)


def _edge(item: PlainShape, name: str, parent: str, around: tuple[float, float], tied: Connector | None = None) -> str:
    (x, y), *between, (u, v) = ((a - around[0], b - around[1]) for a, b in item.points)
    points = "".join(f'<mxPoint x="{number(a)}" y="{number(b)}"/>' for a, b in between)
    style, ends = f"endArrow=none;html=0;rounded=0;{_stroke(item)}", ""
    if tied is not None:
        arrow = "endArrow=block;endFill=1;endSize=5;" if tied.arrow else "endArrow=none;"
        style = f"{arrow}html=0;rounded=0;{_stroke(item)}{_tie('exit', tied.start)}{_tie('entry', tied.end)}"
        ends = "".join(f' {side}="s{tie.to}"' for side, tie in (("source", tied.start), ("target", tied.end)) if tie)
    array = f'<Array as="points">{points}</Array>' if points else ""
    return (
        f'<mxCell id="{name}" style="{style}" edge="1" parent="{parent}"{ends}><mxGeometry relative="1" as="geometry">'
        f'<mxPoint x="{number(x)}" y="{number(y)}" as="sourcePoint"/>'
        f'<mxPoint x="{number(u)}" y="{number(v)}" as="targetPoint"/>{array}</mxGeometry></mxCell>'
    )


def _tie(side: str, tie: LineTie | None) -> str:
    """Where on its box an end of a line stays."""
    return f"{side}X={tie.x:g};{side}Y={tie.y:g};{side}Dx=0;{side}Dy=0;{side}Perimeter=0;" if tie else ""


def _stroke(item: PlainShape) -> str:
    return f"strokeColor={item.stroke or 'none'};strokeWidth={number(item.width)};" + "dashed=1;" * item.dashed


def _shape(item: PlainShape, name: str, parent: str, around: tuple[float, float]) -> str:
    if not item.closed:
        return _edge(item, name, parent, around)
    left, top, right, bottom = rect_of(item)
    wide, tall = max(right - left, 0.1), max(bottom - top, 0.1)
    place = (left - around[0], top - around[1], wide, tall)
    if is_rectangle(item):  # which draw.io knows as one
        round_ = f"rounded=1;absoluteArcSize=1;arcSize={number(2 * radius_of(item))};" if radius_of(item) else ""
        return _vertex(name, "", f"{round_}fillColor={item.fill or 'none'};{_stroke(item)}", parent, place)
    corners = ",".join(f"[{(x - left) / wide:.3f},{(y - top) / tall:.3f}]" for x, y in item.points)
    look = f"shape=mxgraph.basic.polygon;polyCoords=[{corners}];polyline=0;fillColor={item.fill or 'none'};"
    return _vertex(name, "", look + _stroke(item), parent, place)


def _text(item: PlainText, name: str, parent: str, around: tuple[float, float]) -> str:
    left, top, wide, tall = item.box
    left, top = left - around[0], top - around[1]
    face = item.bold + 2 * item.italic
    align = {"start": "left", "middle": "center", "end": "right"}[item.anchor]
    style = (
        f"text;html=0;strokeColor=none;fillColor=none;align={align};verticalAlign=middle;fontFamily=Helvetica;fontSize={number(item.size)};"
        f"fontColor={item.colour};fontStyle={face};spacing=0;overflow=visible;"
    )
    high = item.size * LINE
    return _vertex(name, item.text, style, parent, (left, top + tall / 2 - high / 2, wide, high))


def _vertex(name: str, value: str, style: str, parent: str, box: tuple[float, float, float, float]) -> str:
    place = _geometry(box)
    return f'<mxCell id="{name}" value={quoteattr(value)} style="{style}" vertex="1" parent="{parent}">{place}</mxCell>'


def _geometry(box: tuple[float, float, float, float]) -> str:
    x, y, wide, tall = map(number, box)
    return f'<mxGeometry x="{x}" y="{y}" width="{wide}" height="{tall}" as="geometry"/>'
