"""The page of a diagram: its drawing, and one for each definition in it, which opens with the sizes of its uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.style import FigureStyle
from ogive.backends.diagram.from_ir.numbers import numbered, numbers_within
from ogive.backends.diagram.render.html import html
from ogive.backends.diagram.render.live import Formula, PagePart
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.sizes import Size, Unknown

if TYPE_CHECKING:
    from ogive.backends.diagram.diagram import Diagram


def page_of(made: Diagram) -> str:
    """The page, whose sizes can be set where it is one figure of one subject."""
    parts: dict[str, PagePart] = {}
    drawings: dict[str, Drawing] = {}
    for each in (made, *(panel for _, panel in made.panels)):
        numbers = numbers_within(each.subject, numbered(each.subject, each.options.at))
        for definition in each.blocks():
            if definition.name not in parts:
                known = numbers[definition.name]
                closed = _block(each, definition, known)
                parts[definition.name] = part = PagePart(closed.viewed_figure, known, definition.conditions)
                drawings[definition.name] = part.spotted(closed.drawing, _edges(closed))
    main, first = made.drawing, PagePart(made.figure, {}, ())
    if made.drawn is None and not made.panels and made.view != "maps":
        live = replace(made, options=replace(made.options, live=True))
        definition = made.subject.definition if isinstance(made.subject, Model) else made.subject
        first = PagePart(live.viewed_figure, numbered(made.subject, made.options.at), definition.conditions)
        main = first.spotted(live.drawing, _edges(live))
    shown = "numeric" if first.live.numeric else made.options.style
    return html(main, drawings, made.theme, _facts(shown, first, parts))


def _block(made: Diagram, definition: Definition, numbers: Mapping[Unknown, Size]) -> Diagram:
    """A block as the page opens it: it has no feature maps, and a style speaks of the figure that it is of."""
    sizes = "numeric" if made.options.at else made.options.sizes
    options = replace(made.options, depth=0, at=(), sizes=sizes, live=True)
    view = "circuit" if made.view == "maps" else made.view
    return replace(made, subject=definition, numbers=numbers, options=options, view=view, drawn=None, panels=(),
                   style=FigureStyle())  # fmt: skip


def _edges(made: Diagram) -> dict[str, tuple[tuple[str, str], ...]]:
    """The sizes in the texts of an overview, by text: those of edges, how often loops turn."""
    if made.view not in ("overview", "stack"):
        return {}
    counts = {text: box.spots for box in made.overview.boxes for text in (box.text, f"{box.text[1:]}×") if box.spots}
    return counts | {edge.text: edge.spots for edge in made.overview.edges}


def _facts(shown: str, main: PagePart, parts: Mapping[str, PagePart]) -> dict[str, Formula]:
    """What the script is told: how sizes are written at first, and of each drawing what is computed in it."""
    found = {"": main, **parts}
    told = {}
    for name, part in found.items():
        blocks = {op.oid: op.attr("block") for op in part.figure.walk()}
        told[name] = part.data({oid: parts[block] for oid, block in blocks.items() if block in parts})
    return {"shown": shown, "parts": told}
