"""Texts that are too long for the width of a page: they stand in the legend, under a number."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure.figure import Column, Figure, Op, Section
from ogive.backends.diagram.figure.labels import text_width
from ogive.backends.diagram.figure.theme import Theme

SHARE = 0.45  # of the page: what one text of an operation may take


def with_short_texts(figure: Figure, theme: Theme) -> Figure:
    """The figure for a page; texts of operations that would take half of it are numbers, which the legend explains."""
    if theme.page is None:
        return figure
    made = _Shortening(theme)
    sections = tuple(map(made.section, figure.sections))
    if not made.numbers:
        return figure
    rows = tuple(f"({number}) = {text}" for text, number in made.numbers.items())
    return replace(figure, sections=sections, notes=(*figure.notes, *rows))


@dataclass(slots=True)
class _Shortening:
    theme: Theme
    numbers: dict[str, int] = field(default_factory=dict)

    def section(self, section: Section) -> Section:
        """The section with short texts, in its bodies too."""
        return replace(section, columns=tuple(Column(tuple(map(self.op, column.ops))) for column in section.columns))

    def op(self, op: Op) -> Op:
        """The operation with short texts."""
        return replace(
            op,
            text=self.short(op.text, self.theme.label),
            above=self.short(op.above, self.theme.label),
            caption=self.short(op.caption, self.theme.small),
            bodies=tuple(map(self.section, op.bodies)),
        )

    def short(self, text: str, size: float) -> str:
        """The text, or its number; of several parts the first one stays, if that is enough."""
        if self.fits(text, size):
            return text
        first, comma, rest = text.partition(", ")
        if comma and self.fits(first, size):
            return f"{first}, ({self.number(rest)})"
        return f"({self.number(text)})"

    def fits(self, text: str, size: float) -> bool:
        """Whether it leaves room beside it."""
        return text_width(text, size, self.theme.least, True, plain=True) <= SHARE * self.theme.width

    def number(self, text: str) -> int:
        """The number of a text: the same one for the same text."""
        return self.numbers.setdefault(text, len(self.numbers) + 1)
