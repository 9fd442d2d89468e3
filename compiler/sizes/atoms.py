"""What a size is, and its atoms: unknowns, floors, minima, maxima and powers with a symbolic exponent.

Sizes are polynomials over atoms, and atoms are made of sizes: both are declared here, and `compiler.sizes.arithmetic`
says how sizes are computed with. Atoms are a closed set: what a compound atom is at numbers and how it is bounded
stand on its class, and whoever must know more matches on `Atom` to the end (`assert_never`), so that a type checker
finds who lacks a new one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import ClassVar, Literal, NamedTuple, TypeVar
from weakref import WeakValueDictionary

Monomial = tuple[tuple["Atom", int], ...]  # factors and exponents, in the order of the atoms' serial numbers
Terms = dict[Monomial, int]  # coefficients, none of them zero
Range = tuple[int | None, int | None]  # the least and the largest number that it may be, where there is one
MAX_BITS = 1 << 12
MAX_EXPONENT = 64  # powers beyond are bounded by this one

_serials = count()
_interned: WeakValueDictionary[tuple[object, ...], Compound] = WeakValueDictionary()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Unknown:
    """An integer that is not known yet: at least `low`, or any integer where `low` is None. Equal only to itself."""

    name: str
    low: int | None = 1
    kind: Literal["size", "pack"] = "size"
    introduced: object = field(default=None, repr=False)
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


class SizeOperation(NamedTuple):
    """An operator of one or two parts, or a function by name."""

    name: str
    parts: tuple[SizeTree, ...]


SizeTree = Unknown | int | SizeOperation


class SizeText(NamedTuple):
    """How a size is written, how tightly that binds, and what it says."""

    text: str
    level: int
    tree: SizeTree


class Size:
    """An integer, symbolic or not. Immutable; two sizes of one normal form are one object.

    This is what all know of sizes; those that there are come from `compiler.sizes.arithmetic.size`.
    """

    __slots__ = (
        "__weakref__",
        "_powers",
        "_range",
        "_text",
        "is_number",
        "number",
        "powered",
        "terms",
        "unknowns",
        "weight",
    )

    terms: Terms  # never changed
    is_number: bool
    number: int
    unknowns: frozenset[Unknown]
    weight: int  # how many names and signs its text has
    powered: bool  # whether a power with a symbolic exponent is in it
    _range: Range | None
    _text: SizeText | None
    _powers: bool

    def __add__(self, other: Size | int) -> Size:
        raise NotImplementedError

    def __radd__(self, other: int) -> Size:
        raise NotImplementedError

    def __sub__(self, other: Size | int) -> Size:
        raise NotImplementedError

    def __rsub__(self, other: int) -> Size:
        raise NotImplementedError

    def __neg__(self) -> Size:
        raise NotImplementedError

    def __mul__(self, other: Size | int) -> Size:
        raise NotImplementedError

    def __rmul__(self, other: int) -> Size:
        raise NotImplementedError

    def __floordiv__(self, other: Size | int) -> Size:
        raise NotImplementedError

    def __rfloordiv__(self, other: int) -> Size:
        raise NotImplementedError

    def __mod__(self, other: Size | int) -> Size:
        raise NotImplementedError

    def __rmod__(self, other: int) -> Size:
        raise NotImplementedError

    def __pow__(self, exponent: Size | int) -> Size:
        raise NotImplementedError

    def __rpow__(self, base: int) -> Size:
        raise NotImplementedError

    @property
    def text(self) -> SizeText:
        """The source text, and how tightly it binds."""
        raise NotImplementedError

    @property
    def range(self) -> Range:
        """The bounds that hold for all values of the unknowns."""
        raise NotImplementedError

    def subs(self, mapping: Mapping[Unknown, Size]) -> Size:
        """The size with sizes in place of unknowns, in normal form again."""
        raise NotImplementedError

    def at(self, values: Mapping[Unknown, int]) -> int:
        """The number at these values. Raises KeyError where one lacks, ZeroDivisionError where there is no number."""
        raise NotImplementedError


class NoNumberError(ZeroDivisionError):
    """A size that has no number: a negative exponent, or a power of more than MAX_BITS bits."""


def power(base: int, exp: int) -> int:
    """`base ** exp`, where that is an integer within reason."""
    if exp < 0 or exp * base.bit_length() > MAX_BITS:
        raise NoNumberError(f"{base} ** {exp}")
    return int(base**exp)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Compound(ABC):
    """An atom made of sizes: `parts` are its operands, `low` and `high` the bounds that hold whatever they are."""

    parts: tuple[Size, ...]
    low: int | None
    high: int | None
    unknowns: frozenset[Unknown] = field(repr=False)
    weight: int = field(repr=False)
    powered: bool = field(repr=False)
    serial: int = field(default_factory=_serials.__next__, repr=False)

    @staticmethod
    @abstractmethod
    def number(*operands: int) -> int:
        """The atom where its operands are numbers. Raises ZeroDivisionError where there is none."""

    @staticmethod
    @abstractmethod
    def bounds(*operands: Range) -> Range:
        """The bounds of the atom from those of its operands."""


class Floor(Compound):
    """`num // den`, rounded down; `den` is positive."""

    __slots__ = ()

    @staticmethod
    def number(*operands: int) -> int:
        """The quotient, rounded down."""
        num, den = operands
        return num // den

    @staticmethod
    def bounds(*operands: Range) -> Range:
        """A denominator is positive, so a numerator shrinks towards zero under the larger one."""
        num, den = operands
        smallest = max(den[0] or 1, 1)
        largest = den[1]
        if largest is not None and largest < 1:
            return None, None
        low = high = None
        if num[0] is not None:
            low = num[0] // smallest if num[0] < 0 else (0 if largest is None else num[0] // largest)
        if num[1] is not None:
            high = num[1] // smallest if num[1] >= 0 else (-1 if largest is None else num[1] // largest)
        return low, high

    @property
    def num(self) -> Size:
        """The numerator."""
        return self.parts[0]

    @property
    def den(self) -> Size:
        """The denominator."""
        return self.parts[1]


class Function(Compound):
    """An atom that is written as a call of `name`."""

    __slots__ = ()
    name: ClassVar[str]


class Min(Function):
    """The smallest of `parts`."""

    __slots__ = ()
    name = "min"
    sign: ClassVar[int] = 1

    @staticmethod
    def number(*operands: int) -> int:
        """The smallest."""
        return min(operands)

    @staticmethod
    def bounds(*operands: Range) -> Range:
        """It has a lower bound where each operand has one."""
        lows, highs = zip(*operands, strict=True)
        return _each(min, lows), _known(min, highs)


class Max(Function):
    """The largest of `parts`."""

    __slots__ = ()
    name = "max"
    sign: ClassVar[int] = -1

    @staticmethod
    def number(*operands: int) -> int:
        """The largest."""
        return max(operands)

    @staticmethod
    def bounds(*operands: Range) -> Range:
        """It has an upper bound where each operand has one."""
        lows, highs = zip(*operands, strict=True)
        return _known(max, lows), _each(max, highs)


def _known(choose: Callable[..., int], found: tuple[int | None, ...]) -> int | None:
    known = [v for v in found if v is not None]
    return choose(known) if known else None


def _each(choose: Callable[..., int], found: tuple[int | None, ...]) -> int | None:
    return None if None in found else choose(found)


class Power(Compound):
    """`base ** exp` where the exponent is not a number."""

    __slots__ = ()

    @staticmethod
    def number(*operands: int) -> int:
        """The power, within reason."""
        return power(*operands)

    @staticmethod
    def bounds(*operands: Range) -> Range:
        """Known where the base is positive."""
        base, exp = operands
        if base[0] is None or base[0] < 1:
            return None, None
        low = base[0] ** min(max(exp[0] or 0, 0), MAX_EXPONENT)
        high = base[1] ** exp[1] if base[1] is not None and exp[1] is not None and 0 <= exp[1] <= MAX_EXPONENT else None
        return low, high

    @property
    def base(self) -> Size:
        """The base."""
        return self.parts[0]

    @property
    def exp(self) -> Size:
        """The exponent."""
        return self.parts[1]


Extreme = Min | Max
Made = Floor | Min | Max | Power
Atom = Unknown | Floor | Min | Max | Power
FUNCTIONS: Mapping[str, type[Min | Max]] = MappingProxyType({kind.name: kind for kind in (Min, Max)})


Kind = TypeVar("Kind", bound=Compound)


def interned(kind: type[Kind], *parts: Size) -> Kind:
    """The one atom of this kind with these operands."""
    key = (kind, *parts)
    atom = _interned.get(key)
    if not isinstance(atom, kind):
        low, high = kind.bounds(*(part.range for part in parts))
        unknowns = frozenset().union(*(part.unknowns for part in parts))
        powered = kind is Power or any(part.powered for part in parts)
        atom = kind(parts, low, high, unknowns, 1 + sum(part.weight for part in parts), powered)
        _interned[key] = atom
    return atom
