"""The page of a diagram: its drawing, and one for each definition in it, which opens with the sizes of its uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ogive.backends.diagram.figure.figure import Figure
from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.from_ir.numbers import numbered, numbers_within
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.render.html import html
from ogive.backends.diagram.render.live import Formula, PagePart
from ogive.backends.diagram.views.overview import Overview
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.sizes import Size, Unknown


class Paged(Protocol):
    """What a page asks of a diagram."""

    @property
    def subject(self) -> Definition | Model: ...
    @property
    def view(self) -> str: ...
    @property
    def options(self) -> Options: ...
    @property
    def theme(self) -> Theme: ...
    @property
    def drawn(self) -> Figure | None: ...
    @property
    def panels(self) -> tuple[tuple[str, Paged], ...]: ...
    @property
    def figure(self) -> Figure: ...
    @property
    def viewed_figure(self) -> Figure: ...
    @property
    def drawing(self) -> Drawing: ...
    @property
    def overview(self) -> Overview: ...

    def blocks(self) -> list[Definition]:
        """The blocks that the subject is made of."""

    def live(self) -> Paged:
        """The diagram with sizes that a page computes."""

    def closed(self, definition: Definition, numbers: Mapping[Unknown, Size]) -> Paged:
        """A block of it, by itself."""


def page_of(made: Paged) -> str:
    """The page, whose sizes can be set where it is one figure of one subject."""
    parts: dict[str, PagePart] = {}
    drawings: dict[str, Drawing] = {}
    for each in (made, *(panel for _, panel in made.panels)):
        numbers = numbers_within(each.subject, numbered(each.subject, each.options.at))
        for definition in each.blocks():
            if definition.name not in parts:
                known = numbers[definition.name]
                closed = each.closed(definition, known).live()
                parts[definition.name] = part = PagePart(closed.viewed_figure, known, definition.conditions)
                drawings[definition.name] = part.spotted(closed.drawing, _edges(closed))
    main, first = made.drawing, PagePart(made.figure, {}, ())
    if made.drawn is None and not made.panels and made.view != "maps":
        live = made.live()
        definition = made.subject.definition if isinstance(made.subject, Model) else made.subject
        first = PagePart(live.viewed_figure, numbered(made.subject, made.options.at), definition.conditions)
        main = first.spotted(live.drawing, _edges(live))
    shown = "numeric" if first.live.numeric else made.options.style
    return html(main, drawings, made.theme, _facts(shown, first, parts))


def _edges(made: Paged) -> dict[str, tuple[tuple[str, str], ...]]:
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
