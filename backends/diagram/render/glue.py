"""Lines of a slide as connectors, whose ends are glued to sites of the shapes that they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.backends.diagram.render.connectors import Connector, Element, LineTie
from ogive.backends.diagram.render.plain_shapes import PlainShape

MAIN = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWN = "http://schemas.openxmlformats.org/drawingml/2006/main"
SITES = ((0.5, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 0.5))  # of a rectangle: top, left, bottom, right


def glue(shape: Any, each: Connector, elements: Sequence[Element], shapes: Mapping[int, Any]) -> None:
    """Make the freeform of a line a connector that keeps its course, and its ends at what they are attached to."""
    old = shape._element
    made = old.makeelement(f"{{{MAIN}}}cxnSp", {})
    names = old.find(f"{{{MAIN}}}nvSpPr")
    about = made.makeelement(f"{{{MAIN}}}nvCxnSpPr", {})
    about.append(names.find(f"{{{MAIN}}}cNvPr"))
    ends = made.makeelement(f"{{{MAIN}}}cNvCxnSpPr", {})
    for tag, tie in (("stCxn", each.start), ("endCxn", each.end)):
        if tie is not None and shapes[tie.to] is not None:
            site = str(_site(tie, elements[tie.to], shapes[tie.to]))
            ends.append(made.makeelement(f"{{{DRAWN}}}{tag}", {"id": str(shapes[tie.to].shape_id), "idx": site}))
    about.append(ends)
    about.append(names.find(f"{{{MAIN}}}nvPr"))
    look = old.find(f"{{{MAIN}}}spPr")
    if each.arrow:
        look.find(f"{{{DRAWN}}}ln").append(look.makeelement(f"{{{DRAWN}}}tailEnd", {"type": "triangle"}))
    made.append(about)
    made.append(look)
    old.getparent().replace(old, made)


def _site(tie: LineTie, to: Element, shape: Any) -> int:
    """The number of a site: one of the four of a text box, or one that the freeform gets where the line ends."""
    if not isinstance(to, PlainShape):
        return min(range(4), key=lambda k: abs(SITES[k][0] - tie.x) + abs(SITES[k][1] - tie.y))
    custom = shape._element.find(f".//{{{DRAWN}}}custGeom")
    sites, path = custom.find(f"{{{DRAWN}}}cxnLst"), custom.find(f".//{{{DRAWN}}}path")
    if sites is None:
        sites = custom.makeelement(f"{{{DRAWN}}}cxnLst", {})
        custom.find(f"{{{DRAWN}}}rect").addprevious(sites)
    wide, tall = int(path.get("w")), int(path.get("h"))
    place = {"x": str(round(tie.x * wide)), "y": str(round(tie.y * tall))}
    for number, each in enumerate(sites):
        if dict(each.find(f"{{{DRAWN}}}pos").attrib) == place:
            return number
    site = sites.makeelement(f"{{{DRAWN}}}cxn", {"ang": "0"})
    site.append(site.makeelement(f"{{{DRAWN}}}pos", place))
    sites.append(site)
    return len(sites) - 1
