"""The rules that bring `num // den` to normal form, on plain polynomials. `den` is positive."""

from __future__ import annotations

from ogive.compiler.sizes.atoms import Floor, Monomial, Terms
from ogive.compiler.sizes.intervals import lower, term_range
from ogive.compiler.sizes.polynomial import ONE, add, common_factor, content, divide, multiply, over


def reduce_floor(num: Terms, den: Terms) -> tuple[Terms, Terms, Terms]:
    """`num // den == quotient + rest // bottom`, with as little as possible left under the floor."""
    quotient: Terms = {}
    while True:
        whole, num = divide(num, den)
        quotient = add(quotient, whole)
        if not num:
            return quotient, {}, {ONE: 1}
        step = _without_common(num, den) or _without_nesting(num, den)
        if step is None:
            break
        num, den = step
    value = _by_bounds(num, den)
    if value is not None:
        return add(quotient, {ONE: value} if value else {}), {}, {ONE: 1}
    return quotient, num, den


def _without_common(num: Terms, den: Terms) -> tuple[Terms, Terms] | None:
    """`(g*A + c)//(g*b) == (A + c//g)//b`."""
    divisor = content([c for m, c in num.items() if m] + list(den.values()))
    if divisor > 1:
        shrunk = {m: c // divisor for m, c in num.items() if m or c // divisor}
        return shrunk, {m: c // divisor for m, c in den.items()}
    if ONE in den:
        return None
    shared = common_factor([*num, *den])
    if not shared:
        return None
    return _each_over(num, shared), _each_over(den, shared)


def _each_over(terms: Terms, factor: Monomial) -> Terms:
    found: Terms = {}
    for monomial, coefficient in terms.items():
        left = over(monomial, factor)
        assert left is not None, factor
        found[left] = coefficient
    return found


def _without_nesting(num: Terms, den: Terms) -> tuple[Terms, Terms] | None:
    """`(x//a + c)//b == (x + a*c)//(a*b)`, where the floor `x//a` stands alone in the numerator."""
    floors = [m for m in num if any(isinstance(atom, Floor) for atom, _ in m)]
    if len(floors) != 1:
        return None
    (monomial,) = floors
    if len(monomial) != 1 or monomial[0][1] != 1 or num[monomial] != 1:
        return None
    floor = monomial[0][0]
    assert isinstance(floor, Floor)
    rest = {m: c for m, c in num.items() if m != monomial}
    bottom = floor.den.terms
    return add(floor.num.terms, multiply(rest, bottom)), multiply(bottom, den)


def _by_bounds(num: Terms, den: Terms) -> int | None:
    """The floor where the bounds of the numerator leave one value."""
    if len(den) == 1 and ONE in den:
        low, high = term_range(num)
        if low is None or high is None:
            return None
        bottom = den[ONE]
        return low // bottom if low // bottom == high // bottom else None
    low = lower(num)
    if low is not None and low >= 0:
        room = lower(add(add(den, num, -1), {ONE: -1}))
        return 0 if room is not None and room >= 0 else None
    above = lower(add(num, den))
    under = lower(add({ONE: -1}, num, -1))
    return -1 if above is not None and above >= 0 and under is not None and under >= 0 else None
