"""The grid of a model: which sizes of its inputs count points of it, and how many there are at the base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ogive.compiler.ir.model import Graph, Model
from ogive.compiler.ir.types import TensorType
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import Size, Unknown, size

WINDOWS = frozenset(("conv", "conv_transpose", "max_pool", "avg_pool"))  # what looks at neighbours on a grid
LARGEST = 1 << 14  # points along an axis at the base


@dataclass(frozen=True, slots=True)
class Grid:
    """`base`: for each size that counts points, its number at the base. Behind `sizes` such a size says how many times
    as many points there are, so it is the refinement s.
    """

    base: Mapping[Unknown, int]

    @property
    def sizes(self) -> dict[Unknown, Size]:
        """In the place of each size its number at the base times s, which has the name of the size."""
        return {unknown: size(number) * size(unknown) for unknown, number in self.base.items()}

    def at_base(self, length: Size) -> Size:
        """A length of the refined model at the base, where each s is 1."""
        return length.subs({unknown: size(1) for unknown in self.base})

    def refinement(self, length: Size) -> Size | None:
        """How many times as many points an axis of the refined model has: 1 where it stays, None where it is no
        multiple of its length at the base.
        """
        found = [unknown for unknown in self.base if unknown in length.unknowns]
        if not found:
            return size(1)
        if len(found) > 1 or not self.at_base(length).is_number:
            return None
        s = size(found[0])
        return s if length == self.at_base(length) * s else None

    def spatial(self, type: TensorType) -> list[int]:
        """The axes of a type whose length grows with the grid."""
        return [at for at, axis in enumerate(type.axes) if any(unknown in axis.size.unknowns for unknown in self.base)]


def grid_of(model: Model, base: Sequence[int]) -> Grid:
    """The grid on which windows of a flat model move, with so many points along its axes: one number for all, or one
    for each, in the order of the inputs. Raises `PassError` where no size of the inputs counts points.
    """
    if any(number < 1 for number in base):
        raise PassError("E0810", f"`base` is a number of points from 1 on, not {list(base)}")
    windows = _windows(model.definition.graph)
    moved = {unknown for type in windows for axis in type.axes[2:] for unknown in axis.size.unknowns}
    lengths: dict[Unknown, Size] = {}
    for value in model.definition.graph.inputs:
        for axis in value.type.axes:
            for unknown in axis.size.unknowns & moved:
                lengths.setdefault(unknown, axis.size)
    order = [unknown for unknown in model.definition.sizes if unknown in lengths]
    if not order:
        text = f"no convolution or pool of {model.name} moves along an axis whose length is free"
        raise PassError("E0811", text, "declare it so: `x: [b, 3, h, w]`")
    if len(base) not in (1, len(order)):
        names = ", ".join(unknown.name for unknown in order)
        raise PassError("E0810", f"`base` is one number, or one for each of {names}, not {list(base)}")
    numbers = base if len(base) > 1 else [base[0]] * len(order)
    return Grid({unknown: _times(unknown, lengths[unknown], at) for unknown, at in zip(order, numbers, strict=True)})


def types_in(graph: Graph) -> dict[str, TensorType]:
    """The types of all values of a flat graph, those of its regions too: no two have one name."""
    found = {value.name: value.type for value in graph.inputs}
    for node in graph.nodes:
        found.update((value.name, value.type) for value in node.outputs)
        for region in node.regions:
            found |= types_in(region)
    return found


def _windows(graph: Graph) -> Iterator[TensorType]:
    """What windows are moved over."""
    types = types_in(graph)
    for node in graph.walk():
        if node.op in WINDOWS and isinstance(node.inputs[0], str):
            yield types[node.inputs[0]]


def _times(unknown: Unknown, length: Size, points: int) -> int:
    """The number of a size with which an axis has so many points."""
    if length.unknowns == {unknown} and points <= LARGEST:
        for number in range(1, points + 1):
            if length.subs({unknown: size(number)}) == size(points):
                return number
    raise PassError("E0811", f"no `{unknown.name}` gives an axis of {length} entries {points} points")
