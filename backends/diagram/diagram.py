"""A diagram that can be saved in every format, and shows itself in a notebook."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from os import PathLike, fspath
from pathlib import Path as FilePath
from typing import Literal, Protocol, get_args

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.figure import Figure
from ogive.backends.diagram.figure.geometry import Drawing
from ogive.backends.diagram.figure.page import MARGIN, on_page
from ogive.backends.diagram.figure.style import FigureStyle, read_style, refuse_unknown_names
from ogive.backends.diagram.figure.styled import names_in, styled
from ogive.backends.diagram.figure.theme import Theme, named
from ogive.backends.diagram.from_ir.glyphs import LIBRARY
from ogive.backends.diagram.from_ir.make import figure_of, figure_of_model
from ogive.backends.diagram.from_ir.options import Options, SizeStyle
from ogive.backends.diagram.layout.compose import draw
from ogive.backends.diagram.layout.legible import fitted
from ogive.backends.diagram.layout.maps import maps_drawing
from ogive.backends.diagram.layout.overview_drawing import overview_drawing
from ogive.backends.diagram.layout.sheet import captioned, panels
from ogive.backends.diagram.layout.sheets import sheets
from ogive.backends.diagram.layout.stack_drawing import stack_drawing
from ogive.backends.diagram.paged import page_of
from ogive.backends.diagram.render.dot import dot, rendered
from ogive.backends.diagram.render.drawio import drawio
from ogive.backends.diagram.render.excalidraw import excalidraw
from ogive.backends.diagram.render.mermaid import mermaid
from ogive.backends.diagram.render.outline import outline
from ogive.backends.diagram.render.raster import pdf, png
from ogive.backends.diagram.render.slides import pptx
from ogive.backends.diagram.render.svg import svg
from ogive.backends.diagram.render.text import text
from ogive.backends.diagram.render.tikz import snippet, tikz
from ogive.backends.diagram.views.overview import Overview, lone_blocks, overview_of, with_closed_choices
from ogive.backends.diagram.views.volumes import volumes
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.sizes import Size, Unknown

View = Literal["circuit", "overview", "stack", "maps"]
Direction = Literal["TB", "LR"]
Engine = Literal["ogive", "dot"]


VIEWS = get_args(View)
COUNTER = "_λ"  # of a size that differs from turn to turn


class PictureWriter(Protocol):
    """Writes pictures: with a head that says where they come from, and not over the work of others."""

    def write(self, path: FilePath, data: builtins.bytes, format: str, force: bool) -> None:
        """Write one picture."""


@dataclass(frozen=True)
class Diagram:
    """A block or a model, as it is to be drawn."""

    subject: Definition | Model
    view: View = "circuit"
    options: Options = field(default_factory=Options)
    theme: Theme = field(default_factory=Theme)
    drawn: Figure | None = None  # where the figure is made already
    keeper: PictureWriter | None = None  # how it becomes a file
    numbers: Mapping[Unknown, Size] | None = None  # what the sizes of a block are where it is used
    direction: Direction = "TB"  # of an overview
    engine: Engine = "ogive"  # what lays an overview out
    layered: bool = False  # an SVG has layers of Inkscape
    style: FigureStyle = field(default_factory=FigureStyle)
    panels: tuple[tuple[str, Diagram], ...] = ()  # captions, and what stands over each
    sheet: Drawing | None = None  # one of several, where it is higher than its page

    @cached_property
    def figure(self) -> Figure:
        """The circuit before it has places."""
        return styled(self.plain_figure, self.style)

    @cached_property
    def plain_figure(self) -> Figure:
        """The circuit as its program has it, whatever a style says."""
        if self.drawn is not None:
            return self.drawn
        if isinstance(self.subject, Model):
            return figure_of_model(self.subject, self.options)
        return figure_of(self.subject, self.options, numbers=self.numbers)

    def styled(self, style: FigureStyle | str | PathLike[str]) -> Diagram:
        """The diagram with a style, or that of a file. Raises `DiagramError` where the style speaks of what is not."""
        chosen = style if isinstance(style, FigureStyle) else read_style(FilePath(fspath(style)))
        if chosen.panels:
            raise DiagramError("[[panels]] are several figures of a file: ogive draw FILE --style draws them")
        refuse_unknown_names(chosen, names_in(self.plain_figure))
        return replace(self, style=chosen, theme=chosen.of_theme(self.theme))

    @cached_property
    def drawing(self) -> Drawing:
        """The circuit or another view, placed, with its caption."""
        if self.sheet is not None:
            return self.sheet
        if self.panels:
            made = panels([(text, each.drawing) for text, each in self.panels], self.theme, self.figure.title)
            return captioned(made, self.style.caption, self.theme)
        return captioned(self._placed(), self.style.caption, self.theme)

    @property
    def sheets(self) -> tuple[Diagram, ...]:
        """The diagram, or several where it is higher than its page: each is a figure of its own."""
        if self.theme.page is None or self.sheet is not None:
            return (self,)
        tall = self.theme.page[1] * self.theme.scale / self.drawing.scale
        made = sheets(self.drawing, tall, MARGIN)
        return (self,) if len(made) == 1 else tuple(replace(self, sheet=each) for each in made)

    def _placed(self) -> Drawing:
        if self.view == "overview":
            whole, cut = (
                partial(overview_drawing, self.overview, direction=self.direction, cut=each) for each in (False, True)
            )
            return fitted(whole, self.theme, cut)
        if self.view == "stack":
            plain = with_closed_choices(self.viewed_figure)
            simpler = overview_of(plain) if plain != self.viewed_figure else None
            whole, cut = (partial(stack_drawing, self.overview, simpler=simpler, cut=each) for each in (False, True))
            return fitted(whole, self.theme, cut)
        if self.view == "maps":
            maps = volumes(self._with_numbers().overview)
            rows = partial(maps_drawing, maps, title=self.figure.title, alt=self.figure.alt)
            return fitted(rows, self.theme, rows)
        return draw(self.figure, self.theme)

    def _with_numbers(self) -> Diagram:
        """The overview with a number for each size: runs of which the turns have other ones are not folded."""
        both = replace(self, options=replace(self.options, sizes="both"), view="overview")
        counted = any(COUNTER in size for box in both.overview.boxes for size in box.sizes)
        return replace(both, options=replace(both.options, fold=False)) if counted else both

    @cached_property
    def overview(self) -> Overview:
        """Blocks and data flow."""
        return overview_of(self.viewed_figure)

    @cached_property
    def viewed_figure(self) -> Figure:
        """The circuit that the view is made of: in a stack, what is all that a loop does is open."""
        if self.view == "stack" and self.drawn is None and (lone := lone_blocks(self.figure)):
            return replace(self, options=replace(self.options, open=self.options.open | lone)).figure
        return self.figure

    def text(self, format: str) -> str:
        """The diagram as text: svg, tex, tikz, html, dot, mmd or txt."""
        writers: dict[str, Callable[[], str]] = {
            "svg": self._svg, "tex": self._tex, "html": lambda: page_of(self), "txt": self._txt,
            "tikz": lambda: snippet(self.drawing, self.theme),
            "dot": lambda: dot(self.overview, self.theme, self.direction),
            "drawio": lambda: drawio(self.drawing, self.theme),
            "excalidraw": lambda: excalidraw(self.drawing, self.theme),
            "mmd": lambda: mermaid(self.overview, self.theme, self.direction),
        }  # fmt: skip
        if not isinstance(format, str) or format not in writers:
            raise DiagramError(f"a diagram is not written as .{format!s:.20}: {', '.join(f'.{f}' for f in FORMATS)}")
        return writers[format]()

    def save(self, path: str | PathLike[str], *, force: bool = False) -> None:
        """Write the diagram; the ending says how.

        A file that is there is replaced if it is a drawing that nobody has changed since, others with `force` alone.
        """
        if not isinstance(path, str | PathLike):
            raise DiagramError(f"a diagram is saved under the path of a file, not {type(path).__name__}")
        file = FilePath(fspath(path))
        format = file.suffix.lstrip(".")
        data = self.bytes(format)
        if self.keeper is not None:
            self.keeper.write(file, data, format, force)
        else:
            with file.open("wb" if force else "xb") as opened:
                opened.write(data)

    def bytes(self, format: str) -> bytes:
        """The diagram in any format."""
        if self.engine == "dot":
            return self._by_dot(format)
        if isinstance(format, str) and format in ("png", "pdf"):
            # rasterisers differ in what they make of a style for dark grounds
            fixed = replace(self, theme=replace(self.theme, dark=None))
            return (png if format == "png" else pdf)(svg(fixed.drawing, fixed.theme, outlined=True))
        if isinstance(format, str) and format == "pptx":
            return pptx([sheet.drawing for sheet in self.sheets], self.theme)
        return self.text(format).encode()

    def _by_dot(self, format: str) -> builtins.bytes:
        if self.view != "overview" or format not in BY_DOT:
            endings = ", ".join(f".{each}" for each in BY_DOT)
            raise DiagramError(f"Graphviz lays out overviews alone (--view overview), as {endings}")
        return rendered(self.overview, self.theme, self.direction, format)

    def _svg(self) -> str:
        return svg(self.drawing, self.theme, layered=self.layered)

    def _tex(self) -> str:
        return tikz(self.drawing, self.theme)

    def _txt(self) -> str:
        return self.on_terminal(None)

    def on_terminal(self, columns: int | None) -> str:
        """The diagram as text of so many characters a line, if it can be."""
        return outline(self.overview) if self.view != "circuit" else text(self.figure, columns)

    def live(self) -> Diagram:
        """The diagram with sizes that a page computes."""
        return replace(self, options=replace(self.options, live=True))

    def closed(self, definition: Definition, numbers: Mapping[Unknown, Size]) -> Diagram:
        """A block of it, by itself: it has no feature maps, and a style speaks of the figure that it is of."""
        sizes = "numeric" if self.options.at else self.options.sizes
        options = replace(self.options, depth=0, at=(), sizes=sizes)
        view: View = "circuit" if self.view == "maps" else self.view
        return replace(self, subject=definition, numbers=numbers, options=options, view=view, drawn=None, panels=(),
                       style=FigureStyle())  # fmt: skip

    def blocks(self) -> list[Definition]:
        """The blocks that the subject is made of, directly or below, each once; those drawn as operations are not."""
        found: dict[str, Definition] = {}
        subject = self.subject.definition if isinstance(self.subject, Model) else self.subject
        waiting = [subject]
        while waiting:
            for node in waiting.pop().graph.walk():
                callee = node.callee
                if callee is not None and callee.name not in found and callee.block not in LIBRARY:
                    found[callee.name] = callee
                    waiting.append(callee)
        return list(found.values())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What notebooks show."""
        return {"image/svg+xml": self._svg(), "text/plain": text(self.figure)}


BY_DOT = ("svg", "png", "pdf")
FORMATS = ("svg", "tex", "tikz", "pdf", "png", "html", "dot", "mmd", "txt", "drawio", "excalidraw", "pptx")
SHEETED = ("svg", "tex", "tikz", "pdf", "png", "drawio", "excalidraw")  # of which a page holds one figure


def diagram(
    subject: Definition | Model, *, view: View = "circuit", depth: int = 0, open: Iterable[str] = (),
    theme: str | Theme = "auto", weights: bool = False, fold: bool = True, settings: bool = False,
    sizes: SizeStyle | None = None, at: Mapping[str, int] | None = None, width: str | float | None = None,
    shape: Literal["rows", "u"] = "rows", direction: Direction = "TB", engine: Engine = "ogive",
) -> Diagram:  # fmt: skip
    """A diagram of a definition or a model.

    `depth` levels of blocks are open, and those named in `open` (by block, or by place); `weights` shows learned
    tensors that otherwise stand inside the glyphs that use them. A run that the source has unrolled is drawn once, or
    in full where `fold` is off. `settings` writes those that change numbers alone, like an epsilon, under the glyphs.
    `sizes` are written in symbols, as numbers or as both; `at` has numbers for those that the subject leaves open.
    `width` is that of the page or column where it is read (`on_page`), the `shape` u is for encoders with decoders.
    `direction` is that of an overview; with the `engine` dot the program of that name lays it out.
    """
    if view not in VIEWS:
        raise ValueError(f"no view `{view}`; there are {', '.join(VIEWS)}")
    chosen = replace(on_page(named(theme) if isinstance(theme, str) else theme, width), shape=shape)
    numbers = tuple(sorted((at or {}).items()))
    options = Options(depth, frozenset(open), weights, fold, settings, sizes, numbers)
    return Diagram(subject, view, options, chosen, direction=direction, engine=engine)


def beside(**diagrams: Diagram) -> Diagram:
    """Several circuits in one figure, each under its name: `beside(train=a.diagram(), deployed=b.diagram())`."""
    first = next(iter(diagrams.values()))
    figures = [made.figure for made in diagrams.values()]
    sections = tuple(replace(part, title=key) for key, made in diagrams.items() for part in made.figure.sections)
    legend = tuple(dict.fromkeys(row for f in figures for row in f.legend))
    notes = tuple(dict.fromkeys(note for f in figures for note in f.notes))
    name = ", ".join(dict.fromkeys(f.name for f in figures))
    drawn = Figure(name, name, sections, legend, notes, " ".join(f.alt for f in figures))
    return replace(first, drawn=drawn)
