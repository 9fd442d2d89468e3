"""The atoms of a size: unknowns, floors, minima, maxima and powers with a symbolic exponent."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Literal
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from ogive.compiler.sizes.size import Size

_serials = count()
_interned: WeakValueDictionary[tuple[object, ...], Compound] = WeakValueDictionary()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Unknown:
    """An integer that is not known yet: at least `low`, or any integer where `low` is None. Equal only to itself."""

    name: str
    low: int | None = 1
    kind: Literal["size", "pack"] = "size"
    born: object = field(default=None, repr=False)
    serial: int = field(default_factory=_serials.__next__, repr=False)
    weight: ClassVar[int] = 1  # how many names and signs its text has
    powered: ClassVar[bool] = False  # whether a power with a symbolic exponent is in it

    @property
    def high(self) -> None:
        """Unknowns have no upper bound of their own."""
        return None

    @property
    def unknowns(self) -> frozenset[Unknown]:
        """The unknown itself."""
        return frozenset((self,))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Compound:
    """An atom made of sizes: `parts` are its operands, `low` and `high` the bounds that hold whatever they are."""

    parts: tuple[Size, ...]
    low: int | None
    high: int | None
    unknowns: frozenset[Unknown] = field(repr=False)
    weight: int = field(repr=False)
    powered: bool = field(repr=False)
    serial: int = field(default_factory=_serials.__next__, repr=False)


class Floor(Compound):
    """`num // den`, rounded down; `den` is positive."""

    __slots__ = ()

    @property
    def num(self) -> Size:
        """The numerator."""
        return self.parts[0]

    @property
    def den(self) -> Size:
        """The denominator."""
        return self.parts[1]


class Min(Compound):
    """The smallest of `parts`."""

    __slots__ = ()


class Max(Compound):
    """The largest of `parts`."""

    __slots__ = ()


class Power(Compound):
    """`base ** exp` where the exponent is not a number."""

    __slots__ = ()

    @property
    def base(self) -> Size:
        """The base."""
        return self.parts[0]

    @property
    def exp(self) -> Size:
        """The exponent."""
        return self.parts[1]


Atom = Unknown | Compound


def interned(kind: type[Compound], parts: tuple[Size, ...], low: int | None, high: int | None) -> Compound:
    """The one atom of this kind with these operands."""
    key = (kind, *parts)
    atom = _interned.get(key)
    if atom is None:
        unknowns = frozenset().union(*(part.unknowns for part in parts))
        powered = kind is Power or any(part.powered for part in parts)
        atom = _interned[key] = kind(parts, low, high, unknowns, 1 + sum(part.weight for part in parts), powered)
    return atom
