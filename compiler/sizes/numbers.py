"""Numbers in place of unknowns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ogive.compiler.sizes.atoms import Atom, Compound, Floor, Min, Power, Unknown

if TYPE_CHECKING:
    from ogive.compiler.sizes.size import Size

MAX_BITS = 1 << 12


class NoNumberError(ZeroDivisionError):
    """A size that has no number: a negative exponent, or a power of more than MAX_BITS bits."""


def power(base: int, exp: int) -> int:
    """`base ** exp`, where that is an integer within reason."""
    if exp < 0 or exp * base.bit_length() > MAX_BITS:
        raise NoNumberError(f"{base} ** {exp}")
    return int(base**exp)


def number(of: Size, values: Mapping[Unknown, int], done: dict[Atom, int]) -> int:
    """The number of a size; `done` keeps those of its atoms. Raises KeyError where a value lacks."""
    total = 0
    for monomial, coefficient in of.terms.items():
        for atom, exponent in monomial:
            if atom not in done:
                done[atom] = values[atom] if isinstance(atom, Unknown) else _atom_number(atom, values, done)
            coefficient *= done[atom] ** exponent
        total += coefficient
    return total


def _atom_number(atom: Compound, values: Mapping[Unknown, int], done: dict[Atom, int]) -> int:
    parts = [number(part, values, done) for part in atom.parts]
    if isinstance(atom, Floor):
        return parts[0] // parts[1]
    if isinstance(atom, Power):
        return power(*parts)
    return min(parts) if isinstance(atom, Min) else max(parts)
