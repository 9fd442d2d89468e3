"""A figure as a style has it: axes that are not drawn, other names, operations that are in view."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ogive.backends.diagram.figure.errors import DiagramError
from ogive.backends.diagram.figure.figure import Column, DrawnTensor, Figure, Link, Op, Section, WireSlot
from ogive.backends.diagram.figure.style import FigureStyle

PASSING = ("through", "join", "split", "drop")  # links of an axis that an operation leaves alone
WORD = re.compile(r"[^\W\d][\w.*]*")


def styled(figure: Figure, style: FigureStyle) -> Figure:
    """The figure with what a style says. Raises `DiagramError` where an axis that is to be hidden is used."""
    sections = figure.sections
    if style.hide:
        gone = {slot.sid for section in sections for slot in section.slots() if names_of_slot(slot) & set(style.hide)}
        sections = tuple(_Hidden(gone, ", ".join(style.hide)).section(section) for section in sections)
        notes = (*figure.notes, f"not drawn: {', '.join(style.hide)}, past which all operations run")
        figure = replace(figure, notes=notes)
    if style.highlight:
        sections = tuple(_marked(section, frozenset(style.highlight)) for section in sections)
    figure = replace(figure, sections=sections)
    return _renamed(figure, dict(style.rename)) if style.rename else figure


def names_in(figure: Figure) -> Iterator[str]:
    """What a style may speak of: axes, blocks, places, operations."""
    for section in figure.sections:
        for slot in section.slots():
            yield from names_of_slot(slot)
    for op in figure.walk():
        yield from names_of_op(op)
    yield figure.title


def names_of_slot(slot: WireSlot) -> set[str]:
    """What a wire goes by: its label without its number, its axis."""
    return {slot.label.partition("=")[0], slot.axis.partition("~")[0]} - {""}


def names_of_op(op: Op) -> set[str]:
    """What an operation goes by: its block, its place, what is written on it."""
    place = op.caption.partition(",")[0]
    return {op.attr("name"), op.attr("path"), place, op.text, op.above, op.source} - {""}


class _Hidden:
    """Takes wires out of a section."""

    def __init__(self, gone: set[str], names: str) -> None:
        self.gone, self.names = gone, names

    def section(self, section: Section) -> Section:
        boundaries = tuple(tuple(map(self.tensor, boundary)) for boundary in section.boundaries)
        columns = tuple(Column(tuple(map(self.op, column.ops))) for column in section.columns)
        return replace(section, boundaries=boundaries, columns=columns)

    def tensor(self, tensor: DrawnTensor) -> DrawnTensor:
        slots = tuple(slot for slot in tensor.slots if slot.sid not in self.gone)
        if not slots:
            raise DiagramError(f"{self.names} cannot be hidden: a tensor {tensor.name} would have no wire left")
        return replace(tensor, slots=slots)

    def op(self, op: Op) -> Op:
        links = tuple(link for link in (self.link(op, each) for each in op.links) if link is not None)
        enter = tuple(pair for pair in op.enter if not self.gone & set(pair))
        leave = tuple(pair for pair in op.leave if not self.gone & set(pair))
        return replace(op, links=links, enter=enter, leave=leave, bodies=tuple(map(self.section, op.bodies)))

    def link(self, op: Op, link: Link) -> Link | None:
        ends = {*link.left, *link.right}
        if not ends & self.gone:
            return link
        if ends <= self.gone and (link.kind in PASSING or op.bodies):
            return None
        name = op.attr("name") or op.text or op.above or op.source
        raise DiagramError(f"{self.names} cannot be hidden: `{name}` does not run past it ({op.where or 'a copy'})")


def _marked(section: Section, names: frozenset[str]) -> Section:
    columns = []
    for column in section.columns:
        ops = (replace(op, bodies=tuple(_marked(body, names) for body in op.bodies)) for op in column.ops)
        columns.append(Column(tuple(replace(op, change="marked") if names_of_op(op) & names else op for op in ops)))
    return replace(section, columns=tuple(columns))


def _renamed(figure: Figure, names: dict[str, str]) -> Figure:
    """Whole words of labels, captions and the legend."""

    def text(words: str) -> str:
        if words in names:
            return names[words]
        return WORD.sub(lambda match: names.get(match[0], match[0]), words)

    def tensors(boundary: Iterable[DrawnTensor]) -> tuple[DrawnTensor, ...]:
        return tuple(
            replace(t, name=text(t.name), slots=tuple(replace(s, label=text(s.label)) for s in t.slots))
            for t in boundary
        )

    def section(made: Section) -> Section:
        columns = tuple(Column(tuple(map(op, column.ops))) for column in made.columns)
        boundaries, ends = tuple(map(tensors, made.boundaries)), tuple(map(text, made.ends))
        return replace(made, title=text(made.title), boundaries=boundaries, columns=columns, ends=ends)

    def op(made: Op) -> Op:
        attrs = tuple((key, text(value) if key == "name" else value) for key, value in made.attrs)
        return replace(
            made, text=text(made.text), above=text(made.above), caption=text(made.caption), attrs=attrs,
            bodies=tuple(map(section, made.bodies)),
        )  # fmt: skip

    legend = tuple(replace(row, label=text(row.label), size=text(row.size)) for row in figure.legend)
    return replace(
        figure, title=text(figure.title), sections=tuple(map(section, figure.sections)), legend=legend,
        notes=tuple(map(text, figure.notes)),
    )  # fmt: skip
