"""Factors of a polynomial, by sympy: imported only where the normal form does not decide, since it loads slowly."""

from __future__ import annotations

from functools import lru_cache

from ogive.compiler.sizes.arithmetic import size
from ogive.compiler.sizes.atoms import Size
from ogive.compiler.sizes.polynomial import degree

MAX_TERMS = 12


def worth_factoring(of: Size) -> bool:
    """Whether every term but a number is a product: then no unknown can be solved for, and factors may say more."""
    return 2 <= len(of.terms) <= MAX_TERMS and all(degree(m) >= 2 for m in of.terms if m)


@lru_cache(256)
def factors(of: Size) -> tuple[Size, ...]:
    """The irreducible factors, each once, over the atoms as variables; numbers left out."""
    import sympy

    atoms = sorted({atom for monomial in of.terms for atom, _ in monomial}, key=lambda atom: atom.serial)
    symbols = [sympy.Dummy() for _ in atoms]
    place = {atom: at for at, atom in enumerate(atoms)}
    rows: dict[tuple[int, ...], int] = {}
    for monomial, coefficient in of.terms.items():
        exponents = [0] * len(atoms)
        for atom, exponent in monomial:
            exponents[place[atom]] = exponent
        rows[tuple(exponents)] = coefficient
    _, found = sympy.Poly.from_dict(rows, *symbols).factor_list()
    return tuple(_product_sum(poly.as_dict(), [size(atom) for atom in atoms]) for poly, _ in found)


def _product_sum(rows: dict[tuple[int, ...], object], atoms: list[Size]) -> Size:
    total = size(0)
    for exponents, coefficient in rows.items():
        product = size(int(str(coefficient)))
        for atom, exponent in zip(atoms, exponents, strict=True):
            product = product * atom**exponent
        total = total + product
    return total
