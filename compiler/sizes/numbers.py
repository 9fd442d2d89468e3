"""Numbers in place of unknowns."""

from __future__ import annotations

from collections.abc import Mapping

from ogive.compiler.sizes.atoms import Atom, Compound, Size, Unknown


def number(of: Size, values: Mapping[Unknown, int], done: dict[Atom, int]) -> int:
    """The number of a size; `done` keeps those of its atoms. Raises KeyError where a value lacks."""
    total = 0
    for monomial, coefficient in of.terms.items():
        for atom, exponent in monomial:
            if atom not in done:
                done[atom] = values[atom] if isinstance(atom, Unknown) else _at(atom, values, done)
            coefficient *= done[atom] ** exponent
        total += coefficient
    return total


def _at(atom: Compound, values: Mapping[Unknown, int], done: dict[Atom, int]) -> int:
    return atom.number(*(number(part, values, done) for part in atom.parts))
