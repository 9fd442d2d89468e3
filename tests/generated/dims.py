"""Sizes as the generator knows them: polynomials over names, and floors of them, with a value to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Name:
    """A size that a block binds; `static` where the model tells its number."""

    text: str
    static: bool = False


@dataclass(frozen=True)
class Floor:
    """A size divided by a number, rounded down."""

    above: Dim
    below: int

    @property
    def text(self) -> str:
        return f"(({self.above}) // {self.below})"

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)

    def __str__(self) -> str:
        return self.text


Atom = Name | Floor
Monomial = tuple[Atom, ...]


@dataclass(frozen=True)
class Dim:
    """A sum of products, in one normal form: equal sizes are mostly equal objects."""

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def of(value: int | Atom | Dim) -> Dim:
        if isinstance(value, Dim):
            return value
        if isinstance(value, int):
            return Dim((((), value),) if value else ())
        return Dim((((value,), 1),))

    def __add__(self, other: int | Dim) -> Dim:
        found = dict(self.terms)
        for monomial, factor in Dim.of(other).terms:
            found[monomial] = found.get(monomial, 0) + factor
        return _normal(found)

    def __sub__(self, other: int | Dim) -> Dim:
        return self + Dim.of(other) * -1

    def __mul__(self, other: int | Dim) -> Dim:
        found: dict[Monomial, int] = {}
        for a, m in self.terms:
            for b, n in Dim.of(other).terms:
                key = tuple(sorted((*a, *b), key=str))
                found[key] = found.get(key, 0) + m * n
        return _normal(found)

    def __floordiv__(self, below: int) -> Dim:
        if below == 1:
            return self
        whole, rest = {}, {}
        for monomial, factor in self.terms:
            whole[monomial] = factor // below
            rest[monomial] = factor - factor // below * below
        left = _normal(rest)
        found = _normal(whole)
        return found + left.number // below if left.is_number else found + Dim.of(Floor(left, below))

    @property
    def is_number(self) -> bool:
        return all(not monomial for monomial, _ in self.terms)

    @property
    def number(self) -> int:
        return sum(factor for _, factor in self.terms)

    @property
    def names(self) -> frozenset[Name]:
        return frozenset(name for monomial, _ in self.terms for atom in monomial for name in _names(atom))

    @property
    def static(self) -> bool:
        """Whether the model tells its number."""
        return all(name.static for name in self.names)

    @property
    def name(self) -> Name | None:
        """The name that it is, where it is one."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1:
            atom = self.terms[0][0][0]
            return atom if isinstance(atom, Name) else None
        return None

    def at(self, values: Mapping[Name, int]) -> int:
        total = 0
        for monomial, factor in self.terms:
            for atom in monomial:
                factor *= values[atom] if isinstance(atom, Name) else atom.above.at(values) // atom.below
            total += factor
        return total

    def subs(self, given: Mapping[Name, Dim]) -> Dim:
        """With other sizes in place of its names."""
        total = Dim(())
        for monomial, factor in self.terms:
            product = Dim.of(factor)
            for atom in monomial:
                product = product * (given[atom] if isinstance(atom, Name) else atom.above.subs(given) // atom.below)
            total = total + product
        return total

    def __str__(self) -> str:
        parts = []
        for monomial, factor in self.terms:
            names = " * ".join(atom.text for atom in monomial)
            size = str(abs(factor)) if not monomial else names if abs(factor) == 1 else f"{abs(factor)} * {names}"
            parts.append(f" {'-' if factor < 0 else '+'} {size}")
        text = "".join(parts).removeprefix(" + ").removeprefix(" ")
        return text or "0"


def _names(atom: Atom) -> frozenset[Name]:
    return frozenset((atom,)) if isinstance(atom, Name) else atom.above.names


def _normal(terms: Mapping[Monomial, int]) -> Dim:
    kept = ((monomial, factor) for monomial, factor in terms.items() if factor)
    return Dim(tuple(sorted(kept, key=lambda item: (not item[0], [str(atom) for atom in item[0]]))))


@dataclass(frozen=True)
class Pack:
    """Any number of axes, the first ones of a type."""

    text: str

    @property
    def static(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"*{self.text}"


Axis = Dim | Pack


@dataclass(frozen=True)
class Type:
    """An element type and axes."""

    elem: str
    axes: tuple[Axis, ...]

    @property
    def packed(self) -> bool:
        return bool(self.axes) and isinstance(self.axes[0], Pack)

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The axes that are one each."""
        return tuple(axis for axis in self.axes if isinstance(axis, Dim))

    def over(self, *axes: Axis) -> Type:
        return Type(self.elem, axes)

    def of(self, elem: str) -> Type:
        return Type(elem, self.axes)

    def __str__(self) -> str:
        return f"{'' if self.elem == 'float' else self.elem}[{', '.join(map(str, self.axes))}]"
