"""What is known of a figure while it is built: names, axes that are one, sizes, what a page asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.figure import Op
from ogive.backends.diagram.figure.labels import lowered
from ogive.backends.diagram.from_ir.broadcasts import Passing
from ogive.backends.diagram.from_ir.options import Options
from ogive.backends.diagram.from_ir.wires import Classes
from ogive.compiler.ir.model import Const, Scalar
from ogive.compiler.ir_tools.compare import Change
from ogive.compiler.sizes import Size, Unknown


@dataclass(slots=True)
class FigureBuilder:
    """Names and tables of one figure."""

    options: Options
    divides: list[tuple[str, str]] = field(default_factory=list)
    classes: Classes = field(default_factory=Classes)
    passing: Passing = field(default_factory=Passing)
    count: int = 0
    marks: dict[str, tuple[Change, str]] = field(default_factory=dict)
    fewer: dict[str, int] = field(default_factory=dict)  # turns that are no longer there, by a node of the last one
    numbers: dict[Unknown, Size] = field(default_factory=dict)  # what the sizes of a model are
    sizes: dict[str, Size] = field(default_factory=dict)  # those that depend on them, by their text
    legend: list[str] = field(default_factory=list)  # what counters and names of long texts stand for
    aliases: dict[str, list[str]] = field(default_factory=dict)
    uses: dict[str, list[Mapping[Unknown, Size]]] = field(default_factory=dict)  # sizes in a closed block, by turns
    spoken: set[str] = field(default_factory=set)  # operations in whose texts sizes may stand

    def named(self, text: str, long: str) -> str:
        """The text of a glyph; where it would be too long, a name that the legend explains."""
        if not long:
            return text
        known = self.aliases.setdefault(text, [])
        if long not in known:
            known.append(long)
            self.legend.append(f"{text}{lowered(len(known))} = {long}")
        return text + lowered(known.index(long) + 1)

    def number(self) -> str:
        """A name for an operation, in source order."""
        self.count += 1
        return f"o{self.count}"

    def told(self, oid: str, values: Iterable[object]) -> None:
        """Sizes among these settings of an operation may stand in its texts."""
        if self.options.live and any(_open(value) for value in values):
            self.spoken.add(oid)

    def turned(self, op: Op, copies: Sequence[Op]) -> None:
        """An operation stands for copies of itself, with all that is in it: closed blocks have the sizes of each."""
        for first, *others in zip(_all(op), *map(_all, copies[1:]), strict=False):
            if first.oid in self.uses:
                self.uses[first.oid] += [use for other in others for use in self.uses.get(other.oid, ())]


def _open(value: object) -> bool:
    if isinstance(value, Size):
        return not value.is_number
    if isinstance(value, tuple | list):
        return any(map(_open, value))
    if isinstance(value, Const):
        return _open(value.value)
    return isinstance(value, Scalar) and any(map(_open, value.args))


def _all(op: Op) -> Iterable[Op]:
    yield op
    for body in op.bodies:
        yield from body.walk()
