"""Lines of a slide as connectors, where programs lay them as they are drawn.

Programs lay a connector anew between the sites of what it is glued to, each with bends of its own, and LibreOffice
knows the sites of preset shapes alone: the middles of their sides. So straight lines that end at such a middle are
connectors; others keep their course as freeforms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.backends.diagram.render.connectors import Connector, Element, LineTie, anchored, is_rectangle, rect_of
from ogive.backends.diagram.render.plain_shapes import PlainShape

MAIN = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWN = "http://schemas.openxmlformats.org/drawingml/2006/main"
SITES = ((0.5, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 0.5))  # of a rectangle: top, left, bottom, right
NEAR = 2.5  # pixels from the end of a line to a site
PIXEL = 9525  # in the units of the format


def glue(shape: Any, each: Connector, elements: Sequence[Element], shapes: Mapping[int, Any]) -> None:
    """Make the freeform of a line a connector where that keeps its course; its arrow it has in any case."""
    old = shape._element
    look = old.find(f"{{{MAIN}}}spPr")
    if each.arrow:
        look.find(f"{{{DRAWN}}}ln").append(look.makeelement(f"{{{DRAWN}}}tailEnd", {"type": "triangle"}))
    ends = {tag: _site(tie, elements, shapes) for tag, tie in (("stCxn", each.start), ("endCxn", each.end))}
    sites = {tag: site for tag, site in ends.items() if site is not None}
    if not sites or not _straight(each.line.points):
        return
    made = old.makeelement(f"{{{MAIN}}}cxnSp", {})
    names = old.find(f"{{{MAIN}}}nvSpPr")
    about = made.makeelement(f"{{{MAIN}}}nvCxnSpPr", {})
    about.append(names.find(f"{{{MAIN}}}cNvPr"))
    glued = made.makeelement(f"{{{MAIN}}}cNvCxnSpPr", {})
    for tag, (to, site) in sites.items():
        glued.append(made.makeelement(f"{{{DRAWN}}}{tag}", {"id": str(shapes[to].shape_id), "idx": str(site)}))
    about.append(glued)
    about.append(names.find(f"{{{MAIN}}}nvPr"))
    _laid(look, each.line.points)
    made.append(about)
    made.append(look)
    old.getparent().replace(old, made)


def _site(tie: LineTie | None, elements: Sequence[Element], shapes: Mapping[int, Any]) -> tuple[int, int] | None:
    """The element and the number of its site at an end of a line."""
    if tie is None or shapes[tie.to] is None:
        return None
    to = elements[tie.to]
    if isinstance(to, Connector) or (isinstance(to, PlainShape) and not is_rectangle(to)):
        return None
    rect = rect_of(to)
    x, y = anchored(tie, rect)
    for number, (across, down) in enumerate(SITES):
        u, v = rect[0] + across * (rect[2] - rect[0]), rect[1] + down * (rect[3] - rect[1])
        if abs(x - u) + abs(y - v) <= NEAR:
            return tie.to, number
    return None


def _straight(points: Sequence[tuple[float, float]]) -> bool:
    (x, y), (u, v) = points[0], points[-1]
    return all(abs((u - x) * (b - y) - (v - y) * (a - x)) < 0.5 for a, b in points)


def _laid(look: Any, points: Sequence[tuple[float, float]]) -> None:
    """The preset of a straight connector, from its start to its end."""
    (x, y), (u, v) = points[0], points[-1]
    place = look.find(f"{{{DRAWN}}}xfrm")
    place.attrib.update({"flipH": str(int(u < x)), "flipV": str(int(v < y))})
    left, top, wide, tall = (str(round(value * PIXEL)) for value in (min(x, u), min(y, v), abs(u - x), abs(v - y)))
    place.find(f"{{{DRAWN}}}off").attrib.update({"x": left, "y": top})
    place.find(f"{{{DRAWN}}}ext").attrib.update({"cx": wide, "cy": tall})
    preset = look.makeelement(f"{{{DRAWN}}}prstGeom", {"prst": "straightConnector1"})
    preset.append(preset.makeelement(f"{{{DRAWN}}}avLst", {}))
    look.replace(look.find(f"{{{DRAWN}}}custGeom"), preset)
