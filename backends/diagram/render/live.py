"""What the script of a page knows of each drawing: sizes as formulas, conditions, axes and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ogive.backends.diagram.figure.figure import DrawnTensor, Figure, Section
from ogive.backends.diagram.figure.geometry import Drawing, Item, Text
from ogive.backends.diagram.figure.labels import lowered, size_label, written
from ogive.backends.diagram.figure.live import LiveSizes
from ogive.compiler.sizes import Size, SizeComparison, Unknown
from ogive.compiler.sizes.atoms import SizeOperation, SizeTree
from ogive.compiler.sizes.condition import AllOf, AnyOf, Condition, Member, Not, Truth

WRITTEN = ("float", "label", "name", "bold", "title")  # texts of operations in which sizes stand
Formula = Any  # a number, [the place of an unknown], [operator, part, ...]; None where it is not known


class PagePart:
    """One drawing of a page, and what is computed in it."""

    def __init__(self, figure: Figure, numbers: Mapping[Unknown, Size], conditions: Iterable[Condition]) -> None:
        self.figure, self.numbers, self.conditions = figure, numbers, tuple(conditions)
        self.live = figure.live or LiveSizes()
        self.places = {unknown: at for at, unknown in enumerate(self.live.unknowns)}
        self.spots: dict[tuple[str, str], int] = {}
        self.trees: list[list[Formula]] = []

    def spotted(self, drawing: Drawing, edges: Mapping[str, tuple[tuple[str, str], ...]]) -> Drawing:
        """The drawing with the places of its sizes; `edges` has those of texts on the edges of an overview."""
        return replace(drawing, items=tuple(self._item(item, edges) for item in drawing.items))

    def _item(self, item: Item, edges: Mapping[str, tuple[tuple[str, str], ...]]) -> Item:
        if not isinstance(item, Text):
            return item
        aside = edges.get(item.text, ())
        item = replace(item, room=2 * item.width) if aside else item
        spots = [(text, self.live.sizes[key]) for text, key in item.spots or aside if key in self.live.sizes]
        if item.owner in self.live.spoken and item.style in WRITTEN:
            spots = list(self.live.spots(item.text))
        return replace(item, spots=tuple((text, str(self._spot(text, size))) for text, size in spots))

    def _spot(self, text: str, size: Size) -> int:
        key = (text, str(size))
        if key not in self.spots:
            self.spots[key] = len(self.trees)
            shown = "".join(run.text for run in written(text, "label"))  # as it stands in the SVG
            self.trees.append([shown, self.formula(size)])
        return self.spots[key]

    def formula(self, size: Size) -> Formula:
        """A size, for the script."""
        return self._tree(size.text.tree)

    def _tree(self, tree: SizeTree) -> Formula:
        if isinstance(tree, SizeOperation):
            return [tree.name, *map(self._tree, tree.parts)]
        if isinstance(tree, Unknown):
            return [self.places[tree]] if tree in self.places else None
        return tree

    def condition(self, told: Condition) -> Formula:
        """A condition, for the script."""
        match told:
            case SizeComparison():
                return [told.op, self.formula(told.left), self.formula(told.right)]
            case Member():
                return ["in", self.formula(told.of), *sorted(told.values)]
            case AllOf() | AnyOf():
                return ["and" if isinstance(told, AllOf) else "or", *map(self.condition, told.parts)]
            case Not():
                return ["not", self.condition(told.part)]
            case Truth():
                return told.value
            case _:
                raise AssertionError(told)

    def data(self, callees: Mapping[str, PagePart]) -> dict[str, Formula]:
        """What the script knows of it; `callees` are the parts of blocks by the operations that use them."""
        needs = [[str(told), self.condition(told)] for told in self.conditions if told.unknowns]
        uses = {oid: self._turns(turns, callees[oid]) for oid, turns in self.live.uses.items() if oid in callees}
        return {
            "names": [in_line(size_label(unknown.name)) for unknown in self.places],
            "low": [unknown.low for unknown in self.places],
            "own": self.live.own,
            "values": [self._number(unknown) for unknown in self.places],
            "spots": self.trees,
            "rows": [[in_line(row.label), self._spot(row.label, self.live.sizes[row.key])] for row in self.figure.legend
                     if row.key in self.live.sizes],
            "needs": needs,
            "axes": {axis: [in_line(axis.partition("~")[0]), source] for axis, source in origins(self.figure).items()},
            "uses": uses,
        }  # fmt: skip

    def _turns(self, turns: Iterable[Mapping[Unknown, Size]], callee: PagePart) -> list[Formula]:
        """The sizes of a block that is used, for each turn of what is drawn once; those that are alike once."""
        found: list[Formula] = []
        for use in turns:
            made = [self.formula(use[unknown]) if unknown in use else None for unknown in callee.places]
            found += [made] if made not in found else []
        return found

    def _number(self, unknown: Unknown) -> int | None:
        size = self.numbers.get(unknown)
        return size.number if size is not None and size.is_number else None


def in_line(label: str) -> str:
    """A label as a line of text: numbers that stand low are characters of their own."""
    parts = ((run.text, run.level < 0 and run.text.isdigit()) for run in written(label, "label"))
    return "".join(lowered(int(text)) if low else text for text, low in parts)


def origins(figure: Figure) -> dict[str, str]:
    """For each axis the input or the operation that it comes from, in the order in which a reader meets them."""
    found: dict[str, str] = {}
    for section in figure.sections:
        _origins(section, "", found)
    return found


def _origins(section: Section, around: str, found: dict[str, str]) -> None:
    for tensor in section.boundaries[0]:
        _met(tensor, tensor.name or around, found)
    for column, after in zip(section.columns, section.boundaries[1:], strict=True):
        for op in column.ops:
            name = op.caption.partition(",")[0] or op.text or op.above or op.source
            for body in op.bodies:
                _origins(body, name, found)
            for tensor in after:
                if tensor.tid in op.outputs:
                    _met(tensor, tensor.name or name, found)


def _met(tensor: DrawnTensor, source: str, found: dict[str, str]) -> None:
    for slot in tensor.slots:
        if slot.axis:
            found.setdefault(slot.axis, source)
