"""Axes that a pattern takes apart and puts together in another order: `(c e) -> (e c)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ogive.compiler.ops.recipe import Atom, AxisGroup, Side
from ogive.compiler.sizes import Size

Shuffle = tuple[int, int, tuple[Atom, ...], tuple[Atom, ...]]


def shuffles(left: Side, right: Side) -> Iterator[Shuffle]:
    """Which axis becomes which with the same parts in another order."""
    for i, place in enumerate(left):
        for j, other in enumerate(right):
            a, b = _atoms(place), _atoms(other)
            if len(a) > 1 and a != b and {x.name for x in a} == {x.name for x in b}:
                yield i, j, a, b


def _atoms(place: AxisGroup) -> tuple[Atom, ...]:
    return tuple(atom for part in place.parts for atom in part)


def told(found: Sequence[Shuffle], label: Callable[[Size], str]) -> str:
    """In writing, by the sizes of the parts."""
    return ", ".join(
        f"({' '.join(label(x.size) for x in a)}) → ({' '.join(label(x.size) for x in b)})" for _, _, a, b in found
    )
