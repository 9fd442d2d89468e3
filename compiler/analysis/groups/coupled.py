"""Groups of coupled channels, read off the provenance of axes: for each leaf the places where it stands in weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ogive.compiler.analysis.provenance.dims import Dim, FrozenBy, IndexMap, places
from ogive.compiler.analysis.provenance.domain import Provenance
from ogive.compiler.analysis.provenance.zeros import visible
from ogive.compiler.sizes import Size, size


@dataclass(frozen=True, slots=True)
class Place:
    """Entry i of a group in an axis of a weight."""

    path: str
    axis: int
    index: IndexMap


@dataclass(frozen=True, slots=True)
class CoupledGroup:
    """Channels that are taken away together. `loop` is the loop of which each iteration has channels of its own, or "".

    `frozen` says why none may be; `seen` which operations see zeros in their place, so that what is left changes.
    """

    leaf: Dim
    channels: Size
    places: tuple[Place, ...]
    loop: str
    frozen: tuple[FrozenBy, ...]
    seen: tuple[FrozenBy, ...]

    @property
    def prunable(self) -> str:
        """`yes`, `no`, or `changes`: channels may go, but the result is not that of zeros in their place."""
        return "no" if self.frozen else "changes" if self.seen else "yes"

    @property
    def name(self) -> str:
        """The first weight that has it."""
        first = self.places[0]
        return f"{first.path}[{first.axis}]"


def coupled(found: Provenance) -> tuple[CoupledGroup, ...]:
    """All groups of more than one channel, in the order of the weights; places of space and of kernels are none."""
    where: dict[Dim, list[Place]] = {}
    for path, dims in found.weights.items():
        for axis, dim in enumerate(dims):
            for leaf in dict.fromkeys(dim.leaves()):
                where.setdefault(leaf, []).extend(Place(path, axis, index) for index in places(dim, leaf))
    seen = visible(found)
    return tuple(_groups(where, seen))


def _groups(where: dict[Dim, list[Place]], seen: dict[Dim, dict[FrozenBy, None]]) -> Iterator[CoupledGroup]:
    for leaf, found in where.items():
        if leaf.size == size(1) or any(not by.channels for by in leaf.frozen):
            continue
        (loop,) = leaf.loops if len(leaf.loops) == 1 else ("",)
        yield CoupledGroup(leaf, leaf.size, tuple(found), loop, tuple(leaf.frozen), tuple(seen.get(leaf, ())))
