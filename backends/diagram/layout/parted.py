"""What is too wide for a page in its place is drawn by itself under the rest; a closed box there says where."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from ogive.backends.diagram.figure.figure import Column, Figure, Op, Section
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.layout.placement import Placed
from ogive.backends.diagram.layout.wrap import HOOK

LOOP, CHOICE = "loop", "choice"  # what is said of bodies without a name
UNITS = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
TENS = ("", "x", "xx", "xxx", "xl", "l", "lx", "lxx", "lxxx", "xc")


def too_wide(rows: Collection[Placed], theme: Theme, names: tuple[float, float]) -> Iterator[str]:
    """The operations with bodies in rows that are wider than the page; they may stand alone there.

    Beside a row stand arrows from and to others, and `names` before the first and behind the last one.
    """
    for row in rows:
        around = (names[0] if row.first else HOOK) + (names[1] if row.last else HOOK)
        if row.width + around > theme.width:
            yield from with_bodies(row)


def with_bodies(row: Placed) -> Iterator[str]:
    """The operations with bodies in a row."""
    yield from (op.oid for column in row.section.columns for op in column.ops if op.bodies)


def parted(figure: Figure, apart: Collection[str]) -> Figure:
    """The figure with these operations closed, and their bodies behind it as sections of their own."""
    made = _Parting(frozenset(apart), count=sum(bool(op.attr("part")) for op in figure.walk()))
    sections = [section for each in figure.sections for section in made.parts(each)]
    return replace(figure, sections=(*sections,)) if made.found else figure


@dataclass(slots=True)
class _Parting:
    apart: frozenset[str]
    count: int = 0
    found: int = 0
    after: list[Section] = field(default_factory=list)

    def parts(self, section: Section) -> list[Section]:
        """A section, and what was taken out of it."""
        self.after = []
        first = self.section(section)
        return [first, *self.after]

    def section(self, section: Section) -> Section:
        return replace(section, columns=tuple(Column(tuple(map(self.op, column.ops))) for column in section.columns))

    def op(self, op: Op) -> Op:
        if op.oid not in self.apart:
            return replace(op, bodies=tuple(map(self.section, op.bodies))) if op.bodies else op
        self.count += 1
        self.found += 1
        number = f"({roman(self.count)})"
        called = op.text or (LOOP if op.glyph in ("repeat", "scan") else CHOICE)
        for body in op.bodies:
            arm = body.title if body.title != op.text else ""
            title = ", ".join(x for x in (op.text or ("" if arm else called), op.caption, arm) if x)
            self.after.append(replace(body, title=f"{number} {title}", ends=tuple("" for _ in body.outputs)))
        return replace(op, glyph="slab", text=called, caption=", ".join(x for x in (op.caption, f"see {number}") if x),
                       bodies=(), enter=(), leave=(), attrs=(*op.attrs, ("part", number)))  # fmt: skip


def roman(number: int) -> str:
    """i, ii, iii, iv ..."""
    return TENS[number // 10 % 10] + UNITS[number % 10] if number < 100 else str(number)
