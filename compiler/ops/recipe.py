"""A pattern with every size known in symbols: what rearrange, reduce, expand, einsum and split carry in the IR."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ogive.compiler.ir.types import pack_name
from ogive.compiler.sizes import Size, Unknown, size


@dataclass(frozen=True, slots=True)
class Atom:
    """An elementary axis of a pattern. One with `pack` is any number of axes; `size` is then their product.

    The axes of a pack whose number is known are atoms of their own: `b.0`, `b.1`.
    """

    name: str
    size: Size
    pack: str | None = None


Part = tuple[Atom, ...]  # axes merged into one, row-major; none of them: an axis of size 1


@dataclass(frozen=True, slots=True)
class AxisGroup:
    """One axis of a tensor: a product of atoms, or several products laid end to end, `(q + k)`.

    With `pack` it is the any number of axes that its one atom stands for; without, `(*b)`, they are merged into one.
    """

    parts: tuple[Part, ...]
    pack: bool = False

    @property
    def joined(self) -> bool:
        """Whether it is laid together from several parts."""
        return len(self.parts) > 1

    @property
    def atoms(self) -> Part:
        """The factors of an axis that is one product."""
        assert not self.joined, self
        return self.parts[0]

    @property
    def size(self) -> Size:
        """The size of the whole axis."""
        total = size(0)
        for part in self.parts:
            total = total + product(part)
        return total

    def __str__(self) -> str:
        if self.joined:
            return f"({' + '.join(_shown(part) for part in self.parts)})"
        text = _shown(self.parts[0])
        return f"({text})" if text.startswith("*") and not self.pack else text


Side = tuple[AxisGroup, ...]  # the axes of one tensor


@dataclass(frozen=True, slots=True)
class AxisPattern:
    """How the axes of the outputs come from those of the inputs."""

    inputs: tuple[Side, ...]
    outputs: tuple[Side, ...]

    @property
    def sizes(self) -> dict[str, Size]:
        """The size of every elementary axis by its name."""
        return {atom.name: atom.size for side in (*self.inputs, *self.outputs) for atom in atoms_of(side)}

    def subs(self, mapping: Mapping[Unknown, Size]) -> AxisPattern:
        """The recipe at other sizes."""

        def at(side: Side) -> Side:
            return tuple(
                AxisGroup(tuple(tuple(moved(atom) for atom in part) for part in place.parts), place.pack)
                for place in side
            )

        def moved(atom: Atom) -> Atom:
            length = atom.size.subs(mapping)
            return Atom(atom.name, length, atom.pack and pack_name(length, atom.pack))

        return AxisPattern(tuple(map(at, self.inputs)), tuple(map(at, self.outputs)))

    def __str__(self) -> str:
        sides = (", ".join(" ".join(map(str, side)) for side in sides) for sides in (self.inputs, self.outputs))
        return " -> ".join(sides)


@dataclass(frozen=True, slots=True)
class Component:
    """A tensor of a pattern, or one part of it along its joined axis: no joined axes remain in `side`."""

    tensor: int
    part: int | None  # which part of the joined axis; None: the whole tensor
    axis: int | None  # where the joined axis is
    side: Side

    @property
    def names(self) -> frozenset[str]:
        """The elementary axes, without order."""
        return frozenset(atom.name for atom in atoms_of(self.side))


def components(sides: Iterable[Side]) -> list[Component]:
    """The tensors of one half of a pattern with joined axes taken apart."""
    found = []
    for tensor, side in enumerate(sides):
        axis = next((i for i, place in enumerate(side) if place.joined), None)
        if axis is None:
            found.append(Component(tensor, None, None, side))
            continue
        for i, part in enumerate(side[axis].parts):
            found.append(Component(tensor, i, axis, (*side[:axis], AxisGroup((part,)), *side[axis + 1 :])))
    return found


def atoms_of(side: Side) -> Iterator[Atom]:
    """The elementary axes of a tensor, left to right."""
    for place in side:
        for part in place.parts:
            yield from part


def product(part: Part) -> Size:
    """The size of atoms merged into one axis."""
    total = size(1)
    for atom in part:
        total = total * atom.size
    return total


def _shown(part: Part) -> str:
    names = " ".join(f"*{atom.pack}" if atom.pack is not None else atom.name for atom in part)
    return names if len(part) == 1 else f"({names})" if part else "1"
