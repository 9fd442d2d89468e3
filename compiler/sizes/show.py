"""Sizes as they are written: the names' order of birth, remainders found again, no parentheses that say nothing.

Text and tree are made together, so a backend that computes a size has the operations that a reader sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from ogive.compiler.sizes.atoms import (
    Atom,
    Floor,
    Function,
    Made,
    Monomial,
    Power,
    SizeOperation,
    SizeText,
    SizeTree,
    Terms,
    Unknown,
)
from ogive.compiler.sizes.polynomial import ONE, add, degree, multiply, over, scaled

SUM, PRODUCT, POWER, ATOM = range(4)  # how tightly a text binds
SHORT = 40  # what weighs more is written as it stands
Term = tuple[int, SizeText, tuple[object, ...]]  # coefficient, text of the rest, sort key


def size_text(terms: Mapping[Monomial, int]) -> SizeText:
    """A polynomial as it is written."""
    return _sum(dict(terms))


def _sum(terms: Terms) -> SizeText:
    """The terms in order of birth, a positive one first where there is one, the number last."""
    remainders, terms = _remainders(terms)
    floors, terms = _folded(terms)
    parts = remainders + floors + [(*_term(m, c), _key(m)) for m, c in terms.items()]
    parts.sort(key=lambda part: part[2])
    first = next((i for i, part in enumerate(parts) if part[0] > 0), 0)
    if not parts:
        return SizeText("0", ATOM, 0)
    parts.insert(0, parts.pop(first))
    if len(parts) == 1:
        return _scaled(parts[0][0], parts[0][1])
    text, _, tree = _scaled(*parts[0][:2])
    for coefficient, rest, _ in parts[1:]:
        sign = "-" if coefficient < 0 else "+"
        more = _scaled(abs(coefficient), rest)
        text += f" {sign} {more.text}"
        tree = SizeOperation(sign, (tree, more.tree))
    return SizeText(text, SUM, tree)


def _term(monomial: Monomial, coefficient: int) -> tuple[int, SizeText]:
    """A coefficient that is a power of the base goes into the exponent: `2*2**depth` is `2**(depth + 1)`."""
    for atom, exponent in monomial:
        if not isinstance(atom, Power) or not atom.base.is_number or exponent != 1 or atom.base.number < 2:
            continue
        shift, left = 0, abs(coefficient)
        while left % atom.base.number == 0:
            left //= atom.base.number
            shift += 1
        if shift and left == 1:
            others = _monomial(tuple(factor for factor in monomial if factor[0] is not atom))
            more = _sum(add(dict(atom.exp.terms), {ONE: shift}))
            tree = SizeOperation("**", (atom.base.number, more.tree))
            power = SizeText(f"{atom.base}**({more.text})", POWER, tree)
            return coefficient // abs(coefficient), _joined([power, others] if others.text else [power])
    return coefficient, _monomial(monomial)


def _key(monomial: Monomial) -> tuple[object, ...]:
    serials = sorted(u.serial for atom, _ in monomial for u in atom.unknowns)
    return (not monomial, -degree(monomial) if monomial else 0, serials, _monomial(monomial)[0])


def _scaled(coefficient: int, rest: SizeText) -> SizeText:
    if not rest.text:
        return SizeText(str(coefficient), ATOM if coefficient >= 0 else SUM, coefficient)
    if coefficient == 1:
        return rest
    if coefficient == -1:
        whole = _divides(rest.text)
        tree = SizeOperation("-", (rest.tree,)) if whole else _negative(rest.tree)
        return SizeText("-" + _wrap(rest, POWER if whole else PRODUCT), SUM, tree)
    plain = _plain_product(rest)
    tree = _times(coefficient, rest.tree) if plain else SizeOperation("*", (coefficient, rest.tree))
    text = f"{coefficient}*{rest.text if plain else _wrap(rest, POWER)}"
    return SizeText(text, PRODUCT if coefficient > 0 else SUM, tree)


def _times(left: SizeTree, right: SizeTree) -> SizeTree:
    """`left*a*b`, which is `(left*a)*b`."""
    if isinstance(right, SizeOperation) and right.name == "*":
        return SizeOperation("*", (_times(left, right.parts[0]), right.parts[1]))
    return SizeOperation("*", (left, right))


def _negative(tree: SizeTree) -> SizeTree:
    """`-a*b`, which is `(-a)*b`."""
    if isinstance(tree, SizeOperation) and tree.name == "*":
        return SizeOperation("*", (_negative(tree.parts[0]), tree.parts[1]))
    return SizeOperation("-", (tree,))


def _plain_product(rest: SizeText) -> bool:
    """A product that may follow another factor as it stands: one that neither divides nor takes remainders."""
    return rest.level == PRODUCT and not _divides(rest.text)


def _divides(text: str) -> bool:
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if not depth and (char == "%" or text.startswith("//", at)):
            return True
    return False


def _wrap(text: SizeText, least: int) -> str:
    return text.text if text.level >= least else f"({text.text})"


def _monomial(monomial: Monomial) -> SizeText:
    """Factors in order of birth; a floor or another compound factor in parentheses where it needs them."""
    factors = sorted((_factor(atom, exponent) for atom, exponent in monomial), key=lambda f: f[0])
    return _joined([text for _, text in factors])


def _joined(texts: list[SizeText]) -> SizeText:
    if len(texts) <= 1:
        return texts[0] if texts else SizeText("", ATOM, 1)
    tree = texts[0].tree
    for each in texts[1:]:
        tree = SizeOperation("*", (tree, each.tree))
    return SizeText("*".join(_wrap(text, POWER) for text in texts), PRODUCT, tree)


def _factor(atom: Atom, exponent: int) -> tuple[tuple[object, ...], SizeText]:
    text = _atom(atom)
    key = (not isinstance(atom, Unknown), sorted(u.serial for u in atom.unknowns), text.text)
    if exponent == 1:
        return key, text
    return key, SizeText(f"{_wrap(text, ATOM)}**{exponent}", POWER, SizeOperation("**", (text.tree, exponent)))


def _atom(atom: Atom) -> SizeText:
    match atom:
        case Unknown():
            return SizeText(atom.name, ATOM, atom)
        case Floor():
            return _quotient(atom.num.text, atom.den.text, "//")
        case Power():
            base, exponent = (part.text for part in atom.parts)
            tree = SizeOperation("**", (base.tree, exponent.tree))
            return SizeText(f"{_wrap(base, ATOM)}**{_wrap(exponent, POWER)}", POWER, tree)
        case Function():
            parts = tuple(part.text.tree for part in atom.parts)
            return SizeText(f"{atom.name}({', '.join(map(str, atom.parts))})", ATOM, SizeOperation(atom.name, parts))
        case _:
            assert_never(atom)


def _quotient(num: SizeText, den: SizeText, sign: str) -> SizeText:
    """`num // den` or `num % den`; a product may stand on the left as it is."""
    blank = " " if sign == "%" else ""
    text = f"{_wrap(num, PRODUCT)}{blank}{sign}{blank}{_wrap(den, POWER)}"
    return SizeText(text, PRODUCT, SizeOperation(sign, (num.tree, den.tree)))


def remainder_in(terms: Mapping[Monomial, int]) -> tuple[int, Floor, Terms, Terms] | None:
    """`k*(p % m) + rest` hidden in `k*p - k*m*(p//m) + rest`: k, the floor, k*p and the rest."""
    for monomial, floor in _floors(terms):
        bottom = floor.den.terms
        others = tuple(factor for factor in monomial if factor[0] is not floor)
        if len(bottom) != 1:
            continue
        ((den, unit),) = bottom.items()
        factor = over(others, den)
        if factor is None or terms[monomial] % unit:
            continue
        scale = {factor: -terms[monomial] // unit}
        whole = multiply(scale, dict(floor.num.terms))
        rest = add({m: c for m, c in terms.items() if m != monomial}, whole, -1)
        if factor == ONE and _count(rest) == _count(terms) - 1 - _count(whole):
            return scale[ONE], floor, whole, rest
    return None


def _count(terms: Iterable[Monomial]) -> int:
    return sum(1 for monomial in terms if monomial)


def _floors(terms: Iterable[Monomial]) -> list[tuple[Monomial, Floor]]:
    return [(m, atom) for m in terms for atom, exponent in m if isinstance(atom, Floor) and exponent == 1]


def _remainders(terms: Terms) -> tuple[list[Term], Terms]:
    found: list[Term] = []
    if len(terms) > SHORT:
        return found, terms
    while (hidden := remainder_in(terms)) is not None:
        coefficient, floor, _, terms = hidden
        text = _quotient(floor.num.text, floor.den.text, "%")
        found.append((coefficient, text, _compound_key(floor, text[0])))
    while (nested := nested_remainder(terms)) is not None:
        quotient, by, terms = nested
        text = _quotient(_sum({((quotient, 1),): 1}), _sum(by), "%")
        found.append((1, text, _compound_key(quotient, text[0])))
    return found, terms


def nested_remainder(terms: Terms) -> tuple[Floor, Terms, Terms] | None:
    """`p//a % m`, hidden in `p//a - m*(p//(a*m))`: the quotient, m, and the other terms."""
    floors = _floors(terms)
    for monomial, floor in floors:
        by = {tuple(factor for factor in monomial if factor[0] is not floor): -terms[monomial]}
        for alone, quotient in floors:
            if len(alone) > 1 or terms[alone] != 1 or quotient.num is not floor.num or terms[monomial] >= 0:
                continue
            if multiply(dict(quotient.den.terms), by) == dict(floor.den.terms):
                return quotient, by, {m: c for m, c in terms.items() if m not in (alone, monomial)}
    return None


def _folded(terms: Terms) -> tuple[list[Term], Terms]:
    """`h + h//2` is `3*h//2`: what shares its names goes back into the numerator, and a number if that is short."""
    found: list[Term] = []
    for monomial, floor in _floors(terms) if len(terms) <= SHORT else ():
        if floor.weight > SHORT or monomial not in terms or len(monomial) > 1 or abs(terms[monomial]) != 1:
            continue
        if not floor.den.is_number:
            continue
        sign = terms[monomial]
        whole = {m: c * sign for m, c in terms.items() if m and m in floor.num.terms}
        if whole and min(whole.values()) < 0:
            continue
        number = {ONE: terms[ONE] * sign} if ONE in terms else {}
        text, longer = (_whole_quotient(floor, whole | more) for more in ({}, number))
        if number and len(longer[0]) < len(f"{text[0]} + {abs(terms[ONE])}"):
            text, whole = longer, whole | number
        if whole:
            found.append((sign, text, _compound_key(floor, text[0])))
            terms = {m: c for m, c in terms.items() if m != monomial and m not in whole}
    return found, terms


def _whole_quotient(floor: Floor, whole: Terms) -> SizeText:
    return _quotient(_sum(add(dict(floor.num.terms), scaled(whole, floor.den.number))), floor.den.text, "//")


def _compound_key(atom: Made, text: str) -> tuple[object, ...]:
    return (False, -1, sorted(u.serial for u in atom.unknowns), text)
