"""Sizes: integer polynomials over atoms in one normal form, hash-consed, so that equality is identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from types import MappingProxyType
from typing import assert_never
from weakref import WeakValueDictionary

from ogive.compiler.sizes.atoms import (
    MAX_BITS,
    Atom,
    Extreme,
    Floor,
    Made,
    Max,
    Min,
    Monomial,
    NoNumberError,
    Power,
    Range,
    Size,
    SizeText,
    Terms,
    Unknown,
    interned,
    power,
)
from ogive.compiler.sizes.extremes import age, needed
from ogive.compiler.sizes.floors import reduce_floor
from ogive.compiler.sizes.intervals import term_range
from ogive.compiler.sizes.numbers import number
from ogive.compiler.sizes.polynomial import ONE, add, content, multiply, scaled
from ogive.compiler.sizes.show import size_text

_interned: WeakValueDictionary[frozenset[tuple[Monomial, int]], Size] = WeakValueDictionary()
_NONE: frozenset[Unknown] = frozenset()
CACHE = 1 << 15


class NormalSize(Size):
    """A size as it is made here: two of one normal form are one object."""

    __slots__ = ()

    def __add__(self, other: Size | int) -> Size:
        return _add(self, size(other), 1)

    def __radd__(self, other: int) -> Size:
        return _add(self, size(other), 1)

    def __sub__(self, other: Size | int) -> Size:
        return _add(self, size(other), -1)

    def __rsub__(self, other: int) -> Size:
        return _add(size(other), self, -1)

    def __neg__(self) -> Size:
        return _of(scaled(self.terms, -1))

    def __mul__(self, other: Size | int) -> Size:
        return _multiply(self, size(other))

    def __rmul__(self, other: int) -> Size:
        return _multiply(self, size(other))

    def __floordiv__(self, other: Size | int) -> Size:
        return _floor(self, size(other))

    def __rfloordiv__(self, other: int) -> Size:
        return _floor(size(other), self)

    def __mod__(self, other: Size | int) -> Size:
        return _modulo(self, size(other))

    def __rmod__(self, other: int) -> Size:
        return size(other) % self

    def __pow__(self, exponent: Size | int) -> Size:
        return _power(self, size(exponent))

    def __rpow__(self, base: int) -> Size:
        return _power(size(base), self)

    def __repr__(self) -> str:
        return f"Size({self})"

    def __str__(self) -> str:
        return self.text[0]

    @property
    def text(self) -> SizeText:
        if self._text is None:
            self._text = size_text(self.terms)
        return self._text

    def __reduce__(self) -> str:
        raise TypeError("a size belongs to the process that made its unknowns")

    @property
    def range(self) -> Range:
        if self._range is None:
            self._range = term_range(self.terms)
        return self._range

    def subs(self, mapping: Mapping[Unknown, Size]) -> Size:
        if self.unknowns.isdisjoint(mapping):
            return self
        given = tuple((unknown, mapping[unknown]) for unknown in self.unknowns if unknown in mapping)
        return _substituted(self, given)

    def at(self, values: Mapping[Unknown, int]) -> int:
        return number(self, values, {})


def _of(terms: Terms) -> Size:
    """The one size with these terms, which are in normal form."""
    key = frozenset(terms.items())
    found = _interned.get(key)
    if found is None:
        found = _interned[key] = _new(terms)
    return found


def _new(terms: Terms) -> Size:
    new = NormalSize.__new__(NormalSize)
    new.terms = terms
    new.is_number = not terms or (len(terms) == 1 and ONE in terms)
    new.number = terms.get(ONE, 0) if new.is_number else 0
    atoms = [factor[0] for monomial in terms for factor in monomial]
    weight, powered = len(terms), False
    for atom in atoms:
        weight += atom.weight
        powered = powered or atom.powered
    new.weight, new.powered = weight, powered
    new._powers = powered and any(type(atom) is Power for atom in atoms)
    new.unknowns = atoms[0].unknowns if len(atoms) == 1 else _NONE.union(*[atom.unknowns for atom in atoms])
    new._range = new._text = None
    return new


@lru_cache(1024)
def _constant(value: int) -> Size:
    return _of({ONE: value} if value else {})


def _atom(atom: Atom) -> Size:
    return _of({((atom, 1),): 1})


def size(value: int | Size | Atom) -> Size:
    """The size of a number, of an unknown or another atom, or the size itself."""
    if isinstance(value, Size):
        return value
    return _constant(int(value)) if isinstance(value, int) else _atom(value)


def added(sizes: Iterable[Size]) -> Size:
    """The sum of many sizes, as if they were added one by one."""
    terms: Terms = {}
    for each in sizes:
        for monomial, coefficient in each.terms.items():
            value = terms.get(monomial, 0) + coefficient
            if value:
                terms[monomial] = value
            else:
                del terms[monomial]
    return _merged_powers(terms)


def _add(a: Size, b: Size, scale: int) -> Size:
    if not b.terms:
        return a
    total = add(a.terms, b.terms, scale)
    return _merged_powers(total) if a._powers or b._powers else _of(total)


def _multiply(a: Size, b: Size) -> Size:
    if a.is_number or b.is_number:
        number, other = (a.number, b) if a.is_number else (b.number, a)
        if number == 0:
            return _constant(0)
        product = scaled(other.terms, number)
    else:
        product = multiply(a.terms, b.terms)
    return _merged_powers(product) if a._powers or b._powers else _of(product)


@lru_cache(CACHE)
def _floor(num: Size, den: Size) -> Size:
    if den.is_number and den.number <= 0:
        if den.number == 0:
            raise ZeroDivisionError(f"{num} // 0")
        return _floor(-num, -den)
    if den._powers:
        num, den = _whole_powers(num, den)
        if den.is_number and den.number == 0:  # `0**k`
            raise ZeroDivisionError(f"{num} // 0")
    quotient, rest, bottom = reduce_floor(num.terms, den.terms)
    if not rest:
        return _merged_powers(quotient)
    top, under = _merged_powers(rest), _merged_powers(bottom)
    return _merged_powers(quotient) + _atom(interned(Floor, top, under))


@lru_cache(CACHE)
def _modulo(num: Size, den: Size) -> Size:
    return num - den * _floor(num, den)


def ceil_div(a: Size | int, b: Size | int) -> Size:
    """`a / b`, rounded up."""
    return (size(a) + b - 1) // b


def minimum(*sizes: Size | int) -> Size:
    """The smallest of some sizes."""
    return _extreme(Min, [size(s) for s in sizes])


def maximum(*sizes: Size | int) -> Size:
    """The largest of some sizes."""
    return _extreme(Max, [size(s) for s in sizes])


def _extreme(kind: type[Extreme], sizes: list[Size]) -> Size:
    parts = needed(kind, sizes)
    if len(parts) == 1:
        return parts[0]
    shared = {m: c for m, c in parts[0].terms.items() if all(p.terms.get(m) == c for p in parts)}
    offset = _of(shared)
    rests = [part - offset for part in parts]
    factor = content(c for rest in rests for c in rest.terms.values())
    rests = sorted((_of({m: c // factor for m, c in r.terms.items()}) for r in rests), key=age)
    return offset + factor * _atom(interned(kind, *rests))


def _power(base: Size, exp: Size) -> Size:
    if not exp.is_number:
        return _symbolic_power(base, exp)
    if base.is_number:
        return size(power(base.number, exp.number))
    if exp.number < 0 or exp.number > MAX_BITS:
        raise NoNumberError(f"({base}) ** {exp.number}")
    return reduce(_multiply, [base] * exp.number, _constant(1))


def _symbolic_power(base: Size, exp: Size) -> Size:
    if base is _constant(1):
        return base
    return _merged_powers({((interned(Power, base, exp), 1),): 1})


def _merged_powers(terms: Terms) -> Size:
    """`b**e * b**f == b**(e + f)`, and whole factors `b` out of the exponent as far as that leaves a coefficient."""
    if not any(isinstance(atom, Power) for monomial in terms for atom, _ in monomial):
        return _of(terms)
    total: Terms = {}
    for monomial, coefficient in terms.items():
        total = add(total, _merged_term(monomial, coefficient))
    return _of(total) if total == terms else _merged_powers(total)


def _merged_term(monomial: Monomial, coefficient: int) -> Terms:
    exponents: dict[Size, Size] = {}
    others: list[tuple[Atom, int]] = []
    for atom, times in monomial:
        if isinstance(atom, Power):
            exponents[atom.base] = exponents.get(atom.base, _constant(0)) + atom.exp * times
        else:
            others.append((atom, times))
    product: Terms = {ONE: 1}
    for base, exponent in exponents.items():
        shift = exponent.terms.get(ONE, 0)
        free = exponent - shift
        while shift < 0 and base.is_number and base.number > 1 and coefficient % base.number == 0:
            coefficient //= base.number
            shift += 1
        product = multiply(product, _power_terms(base, free, shift))
    return multiply(product, {tuple(others): coefficient})


def _power_terms(base: Size, free: Size, shift: int) -> Terms:
    """`base ** (free + shift)`; `free` has no constant part, and only a negative `shift` stays in the exponent."""
    if free.is_number and shift < 0:
        raise NoNumberError(f"({base}) ** {shift}")
    whole = (base ** max(shift, 0)).terms
    if free.is_number:
        return whole
    left = free + min(shift, 0)
    return multiply(whole, {((interned(Power, base, left), 1),): 1})


def _whole_powers(num: Size, den: Size) -> tuple[Size, Size]:
    """Numerator and denominator times `b**k` for each `b**(e - k)` in the denominator, so that they meet `b**e`."""
    for monomial in den.terms:
        for atom, _ in monomial:
            shift = atom.exp.terms.get(ONE, 0) if isinstance(atom, Power) else 0
            if shift < 0 and isinstance(atom, Power):
                factor = atom.base**-shift
                return _whole_powers(num * factor, den * factor)
    return num, den


@lru_cache(CACHE)
def _substituted(old: Size, given: tuple[tuple[Unknown, Size], ...]) -> Size:
    return _rebuilt(old, dict(given), {})


def _rebuilt(old: Size, mapping: Mapping[Unknown, Size], done: dict[Atom, Size | None]) -> Size:
    def replaced(atom: Atom) -> Size | None:
        if isinstance(atom, Unknown):
            return size(mapping[atom]) if atom in mapping else None
        if atom.unknowns.isdisjoint(mapping):
            return None
        return made_of(atom, [_rebuilt(part, mapping, done) for part in atom.parts])

    return _with_atoms(old, replaced, done)


def rebuild(old: Size, change: Callable[[Size, Made], Size]) -> Size:
    """The size with `change(rebuilt atom, atom)` for every compound atom, the innermost first."""
    done: dict[Atom, Size | None] = {}

    def replaced(atom: Atom) -> Size | None:
        if isinstance(atom, Unknown):
            return None
        parts = [_with_atoms(part, replaced, done) for part in atom.parts]
        return change(made_of(atom, parts), atom)

    return _with_atoms(old, replaced, done)


def _with_atoms(old: Size, replaced: Callable[[Atom], Size | None], done: dict[Atom, Size | None]) -> Size:
    """The size with what `replaced` gives in place of its atoms; None leaves one as it is."""
    total: Terms = {}
    for monomial, coefficient in old.terms.items():
        kept: list[tuple[Atom, int]] = []
        factors: list[Size] = []
        for factor in monomial:
            atom, exponent = factor
            if atom not in done:
                done[atom] = replaced(atom)
            new = done[atom]
            if new is None:
                kept.append(factor)
            else:
                factors.append(new if exponent == 1 else new**exponent)
        terms: Terms = {tuple(kept): coefficient}
        if factors:
            terms = reduce(_multiply, factors, _of(terms)).terms
        for term, more in terms.items():
            value = total.get(term, 0) + more
            if value:
                total[term] = value
            else:
                del total[term]
    return _merged_powers(total)


def made_of(atom: Made, parts: Sequence[Size]) -> Size:
    """The atom with other operands, in normal form."""
    match atom:
        case Floor():
            return _floor(*parts)
        case Min():
            return minimum(*parts)
        case Max():
            return maximum(*parts)
        case Power():
            return _power(*parts)
        case _:
            assert_never(atom)


# how texts of the IR are read
CALLS: Mapping[str, Callable[..., Size]] = MappingProxyType({Min.name: minimum, Max.name: maximum})
