"""draw.io: shapes and texts that can be moved one by one, those of an operation as a group."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.render.plain_shapes import PlainShape, PlainText, plain_shapes
from ogive.backends.diagram.render.svg import number

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
    known: set[str] = set()
    for k, item in enumerate(plain_shapes(drawing, theme)):
        if item.owner and item.owner not in known:
            known.add(item.owner)
            value = quoteattr(names.get(item.owner, item.owner))
            yield (f'<mxCell id="g-{item.owner}" value="" style="group" vertex="1" connectable="0" parent="1" '
                   f'tooltip={value}><mxGeometry as="geometry"/></mxCell>')  # fmt: skip
        parent = f"g-{item.owner}" if item.owner else "1"
        yield _shape(item, f"s{k}", parent) if isinstance(item, PlainShape) else _text(item, f"s{k}", parent)


def _shape(item: PlainShape, name: str, parent: str) -> str:
    stroke = f"strokeColor={item.stroke or 'none'};strokeWidth={number(item.width)};" + "dashed=1;" * item.dashed
    if not item.closed:
        (x, y), *between, (u, v) = item.points
        points = "".join(f'<mxPoint x="{number(a)}" y="{number(b)}"/>' for a, b in between)
        style = f"endArrow=none;html=0;rounded=0;{stroke}"
        array = f'<Array as="points">{points}</Array>' if points else ""
        return (
            f'<mxCell id="{name}" style="{style}" edge="1" parent="{parent}"><mxGeometry relative="1" as="geometry">'
            f'<mxPoint x="{number(x)}" y="{number(y)}" as="sourcePoint"/>'
            f'<mxPoint x="{number(u)}" y="{number(v)}" as="targetPoint"/>{array}</mxGeometry></mxCell>'
        )
    xs, ys = [x for x, _ in item.points], [y for _, y in item.points]
    wide, tall = max(max(xs) - min(xs), 0.1), max(max(ys) - min(ys), 0.1)
    corners = ",".join(f"[{(x - min(xs)) / wide:.3f},{(y - min(ys)) / tall:.3f}]" for x, y in item.points)
    style = f"shape=mxgraph.basic.polygon;polyCoords=[{corners}];polyline=0;fillColor={item.fill or 'none'};{stroke}"
    return _vertex(name, "", style, parent, (min(xs), min(ys), wide, tall))


def _text(item: PlainText, name: str, parent: str) -> str:
    left, top, wide, tall = item.box
    face = item.bold + 2 * item.italic
    align = {"start": "left", "middle": "center", "end": "right"}[item.anchor]
    style = (
        f"text;html=0;align={align};verticalAlign=middle;fontFamily=Helvetica;fontSize={number(item.size)};"
        f"fontColor={item.colour};fontStyle={face};spacing=0;overflow=visible;"
    )
    high = item.size * LINE
    return _vertex(name, item.text, style, parent, (left, top + tall / 2 - high / 2, wide, high))


def _vertex(name: str, value: str, style: str, parent: str, box: tuple[float, float, float, float]) -> str:
    x, y, wide, tall = map(number, box)
    place = f'<mxGeometry x="{x}" y="{y}" width="{wide}" height="{tall}" as="geometry"/>'
    return f'<mxCell id="{name}" value={quoteattr(value)} style="{style}" vertex="1" parent="{parent}">{place}</mxCell>'
