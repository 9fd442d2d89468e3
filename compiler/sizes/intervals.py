"""Bounds of a polynomial by intervals, after floors gave way to `(a - m + 1)/m <= a//m <= a/m`."""

from __future__ import annotations

from collections.abc import Mapping

from ogive.compiler.sizes.atoms import Atom, Floor, Made, Monomial, Range, Terms, Unknown
from ogive.compiler.sizes.polynomial import ONE, add, multiply, over, scaled


class Ranges(dict[Unknown, Range]):
    """What is known beyond the bounds that unknowns were introduced with. Never changed once made."""

    __slots__ = ("_atoms",)

    def __init__(self, ranges: Mapping[Unknown, Range] | None = None) -> None:
        super().__init__(ranges or {})
        self._atoms: dict[Atom, Range] = {}

    def of(self, atom: Made) -> Range:
        """The bounds of a compound atom, by those of its parts."""
        found = self._atoms.get(atom)
        if found is None:
            parts = atom.bounds(*(term_range(part.terms, self) for part in atom.parts))
            found = self._atoms[atom] = (_highest(atom.low, parts[0]), _lowest(atom.high, parts[1]))
        return found


NO_RANGES = Ranges()
MAX_TERMS = 64


def atom_range(atom: Atom, ranges: Ranges) -> Range:
    """The bounds of one atom; compound ones are looked into only where a range is known beyond those of birth."""
    if isinstance(atom, Unknown):
        return ranges.get(atom, (atom.low, None))
    if not ranges or atom.unknowns.isdisjoint(ranges):
        return atom.low, atom.high
    return ranges.of(atom)


def _highest(a: int | None, b: int | None) -> int | None:
    return max((v for v in (a, b) if v is not None), default=None)


def _lowest(a: int | None, b: int | None) -> int | None:
    return min((v for v in (a, b) if v is not None), default=None)


def term_range(terms: Terms, ranges: Ranges = NO_RANGES) -> Range:
    """Lower and upper bound of a polynomial."""
    if not terms:
        return 0, 0
    if len(terms) == 1 and ONE in terms:
        return terms[ONE], terms[ONE]
    low = lower(terms, ranges)
    high = lower(scaled(terms, -1), ranges)
    return low, None if high is None else -high


def lower(terms: Terms, ranges: Ranges = NO_RANGES) -> int | None:
    """The best lower bound that intervals give, floors as atoms and floors relaxed."""
    plain = _plain_lower(terms, ranges)
    line, scale = relaxed(terms, ranges)
    if line is None:
        return plain
    bound = _plain_lower(line, ranges)
    return _highest(plain, None if bound is None else -(-bound // scale))


def relaxed(terms: Terms, ranges: Ranges) -> tuple[Terms | None, int]:
    """A polynomial without floors that is at most `scale * terms`; None where there was no floor to replace."""
    scale, changed = 1, False
    for _ in range(32):
        found = next(((m, f) for m in terms for f, e in m if e == 1 and isinstance(f, Floor)), None)
        step = None if found is None else _without(terms, *found, ranges)
        if step is None or len(step[0]) > MAX_TERMS:
            break
        terms, changed = step[0], True
        scale *= step[1]
    return (terms if changed else None), scale


def _without(terms: Terms, monomial: Monomial, floor: Floor, ranges: Ranges) -> tuple[Terms, int] | None:
    """Replace one floor by the line under it (or over it, where its coefficient is negative)."""
    den = floor.den.terms
    if len(den) != 1:
        return None
    ((den_monomial, unit),) = den.items()
    others = tuple(factor for factor in monomial if factor[0] is not floor)
    rest = over(others, den_monomial)
    if rest is None or unit <= 0 or any(_may_be_negative(atom, ranges) for atom, _ in rest):
        return None
    coefficient = terms[monomial]
    line = floor.num.terms
    if coefficient > 0:
        line = add(add(line, den, -1), {ONE: 1})
    others_scaled = scaled({m: c for m, c in terms.items() if m != monomial}, unit)
    return add(others_scaled, multiply({rest: coefficient}, line)), unit


def _may_be_negative(atom: Atom, ranges: Ranges) -> bool:
    low = atom_range(atom, ranges)[0]
    return low is None or low < 0


def _plain_lower(terms: Terms, ranges: Ranges) -> int | None:
    """Move every atom with a lower bound to start at zero; then each term is bounded alone."""
    bounds: dict[Atom, Range] = {}
    for monomial in terms:
        for atom, _ in monomial:
            if atom not in bounds:
                bounds[atom] = atom_range(atom, ranges)
    if all(len(m) <= 1 and (not m or m[0][1] == 1) for m in terms):
        return _linear_lower(terms, bounds)
    shifts = {atom: low for atom, (low, _) in bounds.items() if low}
    moved = _shifted(terms, shifts) if shifts else terms
    if moved is None:
        return None
    total = 0
    for monomial, coefficient in moved.items():
        value = _term_lower(monomial, coefficient, bounds)
        if value is None:
            return None
        total += value
    return total


def _linear_lower(terms: Terms, bounds: Mapping[Atom, Range]) -> int | None:
    total = 0
    for monomial, coefficient in terms.items():
        if not monomial:
            total += coefficient
            continue
        low, high = bounds[monomial[0][0]]
        edge = low if coefficient > 0 else high
        if edge is None:
            return None
        total += coefficient * edge
    return total


def _shifted(terms: Terms, shifts: Mapping[Atom, int]) -> Terms | None:
    """Each atom `a` written as `a + shift`, where the new `a` starts at zero."""
    total: Terms = {}
    for monomial, coefficient in terms.items():
        product: Terms = {ONE: coefficient}
        for atom, exponent in monomial:
            factor: Terms = {((atom, 1),): 1}
            if atom in shifts:
                factor[ONE] = shifts[atom]
            for _ in range(exponent):
                product = multiply(product, factor)
                if len(product) > MAX_TERMS:
                    return None
        total = add(total, product)
    return total


def _term_lower(monomial: Monomial, coefficient: int, bounds: Mapping[Atom, Range]) -> int | None:
    """The lowest value of one term whose bounded atoms start at zero."""
    if not monomial:
        return coefficient
    if any(bounds[atom][0] is None for atom, _ in monomial):
        return 0 if coefficient > 0 and all(exponent % 2 == 0 for _, exponent in monomial) else None
    if coefficient > 0:
        return 0
    for atom, exponent in monomial:
        low, high = bounds[atom]
        if high is None or low is None:
            return None
        coefficient *= (high - low) ** exponent
    return coefficient
