"""One conjunction of facts, kept as a substitution, ranges, and what neither of them can say."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.compiler.sizes.arithmetic import added, made_of, rebuild, size
from ogive.compiler.sizes.atoms import Compound, Extreme, Floor, Monomial, Range, Size, Terms, Unknown
from ogive.compiler.sizes.condition import Condition
from ogive.compiler.sizes.effort import Effort
from ogive.compiler.sizes.intervals import Ranges, lower, relaxed, term_range
from ogive.compiler.sizes.polynomial import ONE, add, common_factor, divide, over, scaled

DEPTH = 4  # how many facts one linear implication may add up


@dataclass(frozen=True, slots=True)
class Case:
    """What is known in one case. Everything below `mapping` speaks of the unknowns that the substitution leaves."""

    mapping: dict[Unknown, Size] = field(default_factory=dict)
    ranges: Ranges = field(default_factory=Ranges)
    nonneg: tuple[Size, ...] = ()  # sizes that are at least 0
    exact: tuple[tuple[Size, Size], ...] = ()  # (m, e): m divides e
    distinct: tuple[Size, ...] = ()  # sizes that are not 0
    choices: tuple[Condition, ...] = ()  # disjunctions, split when a question needs it
    contradictory: bool = False
    described: frozenset[Condition] = frozenset()  # conditions on one unknown that were put in plainer words already
    effort: Effort = field(default_factory=Effort, compare=False, repr=False)  # what is thought about it counts here
    _reduced: dict[Size, Size] = field(default_factory=dict, compare=False, repr=False)

    def reduce(self, of: Size) -> Size:
        """The size after substitution, with exact divisions carried out and floors decided by ranges."""
        found = self._reduced.get(of)
        if found is None:
            self.effort.spend(1 + of.weight // 8)
            try:
                found = self._reduced[of] = self._fresh(of)
            except ZeroDivisionError:
                found = self._reduced[of] = of  # it has no number here; as it stands nothing false is said of it
        return found

    def _fresh(self, of: Size) -> Size:
        new = of.subs(self.mapping)
        if self.ranges or self.exact or self.nonneg:
            return self._cancelled(rebuild(new, self._replaced))
        return new

    def range(self, of: Size) -> Range:
        """The bounds of a reduced size."""
        return term_range(of.terms, self.ranges) if self.ranges else of.range

    def _replaced(self, new: Size, atom: Compound) -> Size:
        """What stands for a compound atom, rebuilt as `new`."""
        low, high = self.range(new)
        if low is not None and low == high:
            return size(low)
        if isinstance(atom, Floor) and self.exact:
            return self._divided(new)
        return self._narrowed(new, atom) if isinstance(atom, Extreme) and self.nonneg else new

    def _narrowed(self, new: Size, atom: Extreme) -> Size:
        """A minimum or maximum without the operands that known inequalities make superfluous."""
        kept = list(atom.parts)
        for part in atom.parts:
            if len(kept) > 1 and any(self.at_least_zero((part - o) * atom.sign) for o in kept if o is not part):
                kept.remove(part)
        return new if len(kept) == len(atom.parts) else made_of(atom, kept)

    def _divided(self, new: Size) -> Size:
        """`(q*e + r)//m == q*(e//m) + r//m` where m divides e, or a multiple of it does."""
        floor = lone_floor(new)
        if floor is None:
            return new
        for divisor, dividend in self.exact:
            times = divisor // floor.den
            if times * floor.den is not divisor or (times is size(1) and dividend is floor.num):
                continue
            share = total(divide(floor.num.terms, dividend.terms)[0])
            if share.terms:
                return share * times * (dividend // divisor) + (floor.num - share * dividend) // floor.den
        return new

    def _cancelled(self, of: Size) -> Size:
        """`m * (e//m) == e` where m divides e."""
        for divisor, dividend in self.exact:
            floor = lone_floor(dividend // divisor)
            if floor is None or len(divisor.terms) != 1:
                continue
            ((den, unit),) = divisor.terms.items()
            for monomial, coefficient in of.terms.items():
                rest = over(monomial, ((floor, 1),))
                rest = over(rest, den) if rest is not None else None
                if rest is not None and coefficient % unit == 0:
                    part = term(rest, coefficient // unit)
                    of = of + part * (dividend - divisor * (dividend // divisor))
        return of

    def at_least_zero(self, of: Size) -> bool:
        """Whether intervals and sums of known inequalities show that a reduced size is at least 0."""
        of = without_floor(of)
        if of.is_number:
            return of.number >= 0
        terms = self._stripped(of.terms)
        if self._sum_shows(terms, DEPTH):
            return True
        line, _ = relaxed(terms, self.ranges)
        return line is not None and bool(self.nonneg) and self._sum_shows(line, DEPTH)

    def _stripped(self, terms: Terms) -> Terms:
        """The terms without a common factor that is at least 0."""
        shared = common_factor(terms)
        factor = tuple((a, e) for a, e in shared if (self.range(term(((a, 1),), 1))[0] or 0) >= 1)
        if not factor:
            return terms
        return {rest: c for m, c in terms.items() if (rest := over(m, factor)) is not None}

    def _sum_shows(self, terms: Terms, depth: int) -> bool:
        self.effort.spend(1 + len(terms) // 8)
        low = lower(terms, self.ranges)
        if low is not None and low >= 0:
            return True
        if depth == 0:
            return False
        for monomial in sorted(terms, key=lambda m: len(m), reverse=True):
            coefficient = terms[monomial]
            if not monomial or not self._unbounded(monomial, coefficient):
                continue
            return any(
                self._sum_shows(_eliminated(terms, fact.terms, monomial), depth - 1)
                for fact in self.nonneg
                if fact.terms.get(monomial, 0) * coefficient > 0
            )
        return any(
            self._sum_shows(_eliminated(terms, fact.terms, monomial), depth - 1)
            for fact in self.nonneg
            for monomial, coefficient in terms.items()
            if monomial and fact.terms.get(monomial, 0) * coefficient > 0
        )

    def _unbounded(self, monomial: Monomial, coefficient: int) -> bool:
        return lower({monomial: coefficient}, self.ranges) is None


def _eliminated(terms: Terms, fact: Terms, monomial: Monomial) -> Terms:
    """A positive multiple of the terms less a positive multiple of the fact, so that the monomial goes."""
    return add(scaled(terms, abs(fact[monomial])), fact, -abs(terms[monomial]))


def term(monomial: Monomial, coefficient: int) -> Size:
    """One term as a size."""
    product = size(coefficient)
    for atom, exponent in monomial:
        product = product * size(atom) ** exponent
    return product


def total(terms: Terms) -> Size:
    """Some terms as a size."""
    return added(term(m, c) for m, c in terms.items())


def lone_floor(of: Size) -> Floor | None:
    """The floor, where the size is one and nothing else."""
    if len(of.terms) != 1:
        return None
    ((monomial, coefficient),) = of.terms.items()
    if coefficient != 1 or len(monomial) != 1 or monomial[0][1] != 1:
        return None
    return monomial[0][0] if isinstance(monomial[0][0], Floor) else None


def without_floor(of: Size) -> Size:
    """`p + c*m` for `p//m + c`, `(c + 1)*m - 1 - p` for `c - p//m`: the one is at least 0 just where the other is."""
    if len(of.terms) > 2 or (len(of.terms) == 2 and ONE not in of.terms):
        return of
    for monomial, coefficient in of.terms.items():
        if len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], Floor) and abs(coefficient) == 1:
            floor, number = monomial[0][0], constant_part(of)
            if coefficient == 1:
                return without_floor(floor.num + number * floor.den)
            return without_floor((number + 1) * floor.den - 1 - floor.num)
    return of


def constant_part(of: Size) -> int:
    """The number among the terms."""
    return of.terms.get(ONE, 0)
