"""Integer polynomials over atoms, as plain dictionaries: the arithmetic under `Size`."""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

from ogive.compiler.sizes.atoms import Atom, Monomial, Terms

ONE: Monomial = ()


def _serial(factor: tuple[Atom, int]) -> int:
    return factor[0].serial


def times(a: Monomial, b: Monomial) -> Monomial:
    """The product of two monomials."""
    if not a or not b:
        return a or b
    factors = dict(a)
    for atom, exponent in b:
        factors[atom] = factors.get(atom, 0) + exponent
    return tuple(sorted(factors.items(), key=_serial))


def over(a: Monomial, b: Monomial) -> Monomial | None:
    """`a / b` where that is a monomial."""
    if not b:
        return a
    factors = dict(a)
    for atom, exponent in b:
        left = factors.get(atom, 0) - exponent
        if left < 0:
            return None
        if left:
            factors[atom] = left
        else:
            del factors[atom]
    return tuple(factors.items())


def add(a: Terms, b: Terms, scale: int = 1) -> Terms:
    """`a + scale * b`."""
    total = dict(a)
    for monomial, coefficient in b.items():
        value = total.get(monomial, 0) + scale * coefficient
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)
    return total


def scaled(a: Terms, scale: int) -> Terms:
    """`scale * a`, for a scale that is not zero."""
    return {monomial: scale * coefficient for monomial, coefficient in a.items()}


def multiply(a: Terms, b: Terms) -> Terms:
    """`a * b`."""
    total: Terms = {}
    for left, p in a.items():
        for right, q in b.items():
            monomial = times(left, right)
            value = total.get(monomial, 0) + p * q
            if value:
                total[monomial] = value
            else:
                total.pop(monomial, None)
    return total


def degree(monomial: Monomial) -> int:
    """The sum of the exponents."""
    return sum(exponent for _, exponent in monomial)


def leading(terms: Terms) -> Monomial:
    """The largest monomial, by degree and then by the age of its atoms."""
    return max(terms, key=lambda m: (degree(m), [(-atom.serial, exponent) for atom, exponent in m]))


def divide(num: Terms, den: Terms) -> tuple[Terms, Terms]:
    """Quotient and rest of `num / den`; division by a sum counts only where at most a number is left."""
    head = leading(den)
    unit = den[head]
    if len(den) > 1:
        return _long_division(num, den, head, unit)
    quotient: Terms = {}
    rest = dict(num)
    for monomial, coefficient in num.items():
        factor = over(monomial, head)
        share = coefficient // unit
        if factor is None or share == 0:
            continue
        quotient[factor] = share
        if coefficient == share * unit:
            del rest[monomial]
        else:
            rest[monomial] = coefficient - share * unit
    return quotient, rest


def _long_division(num: Terms, den: Terms, head: Monomial, unit: int) -> tuple[Terms, Terms]:
    quotient: Terms = {}
    rest = num
    while rest and len(rest) <= 64:
        top = leading(rest)
        factor = over(top, head)
        if factor is None or rest[top] % unit:
            break
        step = {factor: rest[top] // unit}
        quotient = add(quotient, step)
        rest = add(rest, multiply(step, den), -1)
    return (quotient, rest) if not rest or list(rest) == [ONE] else ({}, num)


def content(coefficients: Iterable[int]) -> int:
    """The greatest common divisor of some coefficients; 0 of none."""
    return gcd(*coefficients)


def common_factor(monomials: Iterable[Monomial]) -> Monomial:
    """The greatest monomial that divides all of them."""
    shared: dict[Atom, int] | None = None
    for monomial in monomials:
        factors = dict(monomial)
        shared = factors if shared is None else {a: min(e, factors[a]) for a, e in shared.items() if a in factors}
        if not shared:
            return ONE
    return tuple((shared or {}).items())
