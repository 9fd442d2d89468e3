"""Figures of definitions and models: built, then given their final labels, axes and legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ogive.backends.diagram.figure.figure import AxisRow, Column, DrawnTensor, Figure, Op, Section, WireSlot
from ogive.backends.diagram.figure.labels import size_label
from ogive.backends.diagram.figure.live import LiveSizes
from ogive.backends.diagram.from_ir.build import section_of
from ogive.backends.diagram.from_ir.builder import FigureBuilder
from ogive.backends.diagram.from_ir.numbers import numbered, unknowns_of, with_number
from ogive.backends.diagram.from_ir.options import Options
from ogive.compiler.driver.interpreter_limits import deep_recursion
from ogive.compiler.ir.attributes import AssumeAttrs
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.ir_tools.compare import Change
from ogive.compiler.sizes import Size, SizeComparison, Unknown

SHORT = 5  # characters of a size that models show in symbols, like 4d
LONGEST = 14  # characters of a size that stands on a wire; a longer one gets a name, and a row in the legend
DIGITS = "0000"  # room for a number that a reader sets


def figure_of(
    definition: Definition,
    options: Options | None = None,
    *,
    name: str = "",
    numbers: Mapping[Unknown, Size] | None = None,
    marks: Mapping[str, tuple[Change, str]] | None = None,
    fewer: Mapping[str, int] | None = None,
) -> Figure:
    """The figure of a definition; `numbers` are what its sizes are where that is known, without them those of `at`.

    In symbols they stand in the legend, else on the wires; where nothing is asked for, symbols give way to numbers if
    they would be long on any wire. `marks` are the changes of its nodes, where it is two graphs merged
    (compiler.compare), `fewer` has those of turns of which there were more.
    """
    options = options or Options()
    numbers = numbered(definition, options.at) if numbers is None else numbers
    changes = (dict(marks or {}), dict(fewer or {}))
    made, clumsy = _figure(definition, replace(options, sizes=options.style), name, numbers, *changes)
    if clumsy and options.sizes is None:
        made, _ = _figure(definition, replace(options, sizes="numeric"), name, numbers, *changes)
    return made


def _figure(
    definition: Definition, options: Options, name: str, numbers: Mapping[Unknown, Size],
    marks: dict[str, tuple[Change, str]], fewer: dict[str, int],
) -> tuple[Figure, bool]:  # fmt: skip
    """The figure, and whether symbols are clumsy in it: long ones stand where a number is known."""
    divides = list(divisions(definition))
    builder = FigureBuilder(options, divides=divides, marks=marks, fewer=fewer, numbers=dict(numbers))
    with deep_recursion():
        section = section_of(builder, definition)
    finish = _Finish(builder)
    finish.collect((section,))
    section = finish.section(section)
    name = name or definition.block.rsplit(".", 1)[-1]
    values = tuple(f"{size_label(unknown.name)} = {number}" for unknown, number in numbers.items())
    told = (node.structure for node in definition.graph.walk())
    notes = (*builder.legend, *values, *(f"assumes {each.text}" for each in told if isinstance(each, AssumeAttrs)))
    alt = described(name, section)
    live = _live(builder, definition, values) if options.live else None
    return Figure(name, name, (section,), finish.legend(), notes, alt, live), finish.clumsy


def _live(builder: FigureBuilder, definition: Definition, values: tuple[str, ...]) -> LiveSizes:
    """What a page computes with; the unknowns are those of the block first, by which its uses give them."""
    uses = {oid: tuple(turns) for oid, turns in builder.uses.items()}
    asked = [s.unknowns for s in builder.sizes.values()]
    asked += [size.unknowns for turns in uses.values() for use in turns for size in use.values()]
    asked += [condition.unknowns for condition in definition.conditions]
    more = sorted({u for each in asked for u in each if u.kind == "size"}, key=lambda unknown: unknown.serial)
    own = unknowns_of(definition)
    known = tuple(dict.fromkeys((*own, *more)))
    numeric = builder.options.style == "numeric"
    return LiveSizes(builder.sizes, known, len(own), uses, frozenset(builder.spoken), frozenset(values), numeric)


def figure_of_model(model: Model, options: Options | None = None) -> Figure:
    """The figure of a model: its statics are numbers."""
    numbers = numbered(model, options.at if options is not None else ())
    return figure_of(model.definition, options, name=model.name, numbers=numbers)


def divisions(definition: Definition) -> Iterable[tuple[str, str]]:
    """What divides what, so that a quotient needs no floor."""
    for condition in (*definition.conditions, *definition.facts):
        if isinstance(condition, SizeComparison) and condition.op == "==" and str(condition.right) == "0":
            left = str(condition.left)
            if left.count("%") == 1:
                whole, part = (side.strip() for side in left.split("%"))
                yield whole, part


def described(name: str, section: Section) -> str:
    """A sentence for those who do not see the drawing."""
    ops = [op for op in section.walk() if op.source]
    parts = [op.caption or op.text or op.above or op.source for op in ops]
    first = "; ".join(_words(t) for t in section.boundaries[0]) or "nothing"
    last = "; ".join(_words(t) for t in section.boundaries[-1]) or "nothing"
    shown = ", ".join(parts[:40]) + (f" and {len(parts) - 40} more" if len(parts) > 40 else "")
    return f"{name}: from {first} to {last}, by {shown or 'nothing'}."


def _words(tensor: DrawnTensor) -> str:
    axes = ", ".join(slot.label for slot in tensor.slots if slot.role != "dtype")
    return f"{tensor.name + ' ' if tensor.name else ''}[{axes}]"


class _Finish:
    """Names for axes, and the label of each wire: its name where that says more than its size."""

    def __init__(self, builder: FigureBuilder) -> None:
        self.builder = builder
        self.sizes: dict[str, set[str]] = {}  # label of an axis: the sizes that it has somewhere
        self.labels: dict[str, set[str]] = {}  # an axis: the labels that it has somewhere
        self.names: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.used: dict[tuple[str, str], tuple[str, str]] = {}
        self.clumsy = False

    def collect(self, sections: Iterable[Section]) -> None:
        """Look at every wire once."""
        for section in sections:
            for slot in section.slots():
                if slot.role == "dtype":
                    continue
                self.labels.setdefault(self.builder.classes.find(slot.sid), set()).add(slot.label)
                if slot.label:
                    self.sizes.setdefault(slot.label, set()).add(slot.size)

    def section(self, section: Section) -> Section:
        """The section with its final wires."""
        wrong = {tid for column in section.columns for op in column.ops if op.wrong for tid in op.inputs}
        boundaries = tuple(
            tuple(replace(self._tensor(t), wrong=t.tid in wrong) for t in boundary) for boundary in section.boundaries
        )
        columns = tuple(Column(tuple(map(self._op, column.ops))) for column in section.columns)
        return replace(section, boundaries=boundaries, columns=columns)

    def _op(self, op: Op) -> Op:
        return replace(op, bodies=tuple(map(self.section, op.bodies))) if op.bodies else op

    def _tensor(self, tensor: DrawnTensor) -> DrawnTensor:
        return replace(tensor, slots=tuple(map(self._slot, tensor.slots)))

    def _slot(self, slot: WireSlot) -> WireSlot:
        if slot.role == "dtype":
            return replace(slot, axis="")
        size = size_label(slot.size, self.builder.divides)
        label = self._label(slot, size)
        axis = self._axis(self.builder.classes.find(slot.sid), label)
        known = self.builder.sizes.get(slot.size)
        if known is not None and label != slot.label and len(size) > SHORT and not slot.size.isidentifier():
            self.clumsy |= len(size_label(known.subs(self.builder.numbers), self.builder.divides)) < len(size)
        live = self.builder.options.live
        if live and slot.role == "axis" and known is not None and not known.is_number:
            numbers = with_number("", known, self.builder.numbers).lstrip("=")
            slot = replace(slot, measure=slot.size, room=max(DIGITS, numbers, key=len))
        if label != size and slot.role == "axis":
            self.used.setdefault((axis, label), (self._worth(size, known), slot.size))
        if self.builder.options.style == "both" and not live:
            label = with_number(label, known, self.builder.numbers)
        return replace(slot, axis=axis, label=label, size=size)

    def _worth(self, size: str, known: Size | None) -> str:
        """A size in the legend; a number ends it where that is known and not on the wires."""
        if self.builder.options.style == "both" or self.builder.options.live or known is None or size.isidentifier():
            return size
        return with_number(size, known, self.builder.numbers).replace("=", " = ")

    def _label(self, slot: WireSlot, size: str) -> str:
        if self.builder.options.style == "numeric" and slot.size.isdigit():
            return size
        if slot.role == "pack" or slot.size.isdigit() or slot.size.isidentifier():
            named = slot.label and slot.size.isidentifier() and len(self.sizes.get(slot.label, ())) == 1
            return slot.label if named else size
        if slot.label and len(self.sizes.get(slot.label, ())) == 1:
            return slot.label
        short = self.builder.options.live and self.builder.options.style == "numeric"
        return size if len(size) <= (SHORT if short else LONGEST) else self._alias(slot.label or "s", size)

    def _alias(self, base: str, size: str) -> str:
        """A short name for a long size: h₁ = ⌊(h − 1)/stride⌋ + 1."""
        if size not in self.aliases:
            taken = {name for name in self.aliases.values() if name.rsplit("_", 1)[0] == base}
            self.aliases[size] = f"{base}_{len(taken) + 1}"
        return self.aliases[size]

    def _axis(self, root: str, label: str) -> str:
        if root not in self.names:
            base = label.lstrip("*")
            taken = sum(1 for name in self.names.values() if name == base or name.startswith(f"{base}~"))
            self.names[root] = base if not taken else f"{base}~{taken + 1}"
        return self.names[root]

    def legend(self) -> tuple[AxisRow, ...]:
        """Labels that stand for sizes, each once, in the order in which they are met."""
        rows: dict[tuple[str, str], AxisRow] = {}
        for (axis, label), (text, key) in self.used.items():
            rows.setdefault((label, text), AxisRow(axis, label, text, key))
        return tuple(rows.values())
