"""Adding facts to a case, by substitution in dependency order: no prover, no search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import gcd

from ogive.compiler.sizes.arithmetic import added, size
from ogive.compiler.sizes.atoms import Atom, Compound, Floor, Range, Size, Unknown
from ogive.compiler.sizes.case import Case, constant_part, term, without_floor
from ogive.compiler.sizes.condition import AllOf, AnyOf, Condition, Member, Not, SizeComparison, Truth
from ogive.compiler.sizes.describe import describe
from ogive.compiler.sizes.intervals import Ranges
from ogive.compiler.sizes.polynomial import common_factor, content, over
from ogive.compiler.sizes.truth import truth_set

NEAR = 64  # ranges up to this length are described number by number
LIGHT = 8  # to substitute in a size of this weight is part of a step


def assume(case: Case, condition: Condition) -> Case:
    """The case in which the condition holds too; the same case where the condition leads to a division by zero."""
    case.effort.spend()
    try:
        return _assume(case, condition)
    except ZeroDivisionError:
        return case  # knowing less is sound


def _assume(case: Case, condition: Condition) -> Case:
    if case.contradictory or (isinstance(condition, Truth) and condition.value):
        return case
    if isinstance(condition, Truth):
        return replace(case, contradictory=True)
    if isinstance(condition, AllOf):
        for part in sorted(condition.parts, key=_difficulty):
            case = assume(case, part)
        return case
    if isinstance(condition, Not):
        return assume(case, condition.part.negate())
    if isinstance(condition, SizeComparison):
        return _assume_comparison(case, condition)
    return _assume_choice(case, condition)


def _difficulty(condition: Condition) -> int:
    """Equalities first: the more is substituted, the more the rest can say."""
    return {"==": 0, "!=": 2}.get(condition.op, 1) if isinstance(condition, SizeComparison) else 3


def _assume_comparison(case: Case, condition: SizeComparison) -> Case:
    gap = case.reduce(condition.left - condition.right)
    if condition.op == "==":
        return assume_zero(case, gap)
    if condition.op == "!=":
        return _assume_distinct(case, gap)
    if condition.op in (">=", ">"):
        return assume_nonneg(case, gap - (1 if condition.op == ">" else 0))
    return assume_nonneg(case, -gap - (1 if condition.op == "<" else 0))


def _assume_choice(case: Case, condition: Condition) -> Case:
    """A disjunction is kept as it is, less the parts that cannot hold; of `in {...}` the bounds are used at once."""
    if isinstance(condition, Member):
        of = case.reduce(condition.of)
        low, high = case.range(of)
        kept = [v for v in condition.values if (low is None or low <= v) and (high is None or v <= high)]
        if len(kept) <= 1 or of.is_number:
            held = kept and (not of.is_number or of.number in kept)
            return assume_zero(case, of - kept[0]) if held else replace(case, contradictory=True)
        if len(of.unknowns) > 1 or _lone_unknown(of) is not None:
            case = assume_nonneg(assume_nonneg(case, of - min(kept)), max(kept) - of)
        return replace(case, choices=(*case.choices, Member(of, frozenset(kept))))
    assert isinstance(condition, AnyOf), condition
    bare = replace(case, choices=())  # each choice is weighed alone: with all others it would double the work
    parts = [part for part in condition.parts if not assume(bare, part).contradictory]
    if len(parts) <= 1:
        return assume(case, parts[0]) if parts else replace(case, contradictory=True)
    return replace(case, choices=(*case.choices, AnyOf(tuple(parts))))


def _assume_distinct(case: Case, gap: Size) -> Case:
    low, high = case.range(gap)
    if gap.is_number or (low is not None and low > 0) or (high is not None and high < 0):
        return replace(case, contradictory=True) if gap.is_number and gap.number == 0 else case
    plain = _alone(case, SizeComparison("!=", gap, size(0)))
    if plain is not None:
        return plain
    if low == 0 or case.at_least_zero(gap):
        return assume_nonneg(case, gap - 1)
    if high == 0 or case.at_least_zero(-gap):
        return assume_nonneg(case, -gap - 1)
    return replace(case, distinct=(*case.distinct, gap))


def _assume_plain(case: Case, plain: Condition) -> Case:
    """A description of one unknown; its `!=` are final, since asking again would give the same description."""
    if isinstance(plain, AllOf):
        for part in plain.parts:
            case = _assume_plain(case, part)
        return case
    if isinstance(plain, SizeComparison) and plain.op == "!=" and _lone_unknown(plain.left) is None:
        return replace(case, distinct=(*case.distinct, plain.left - plain.right))
    return assume(case, plain)


def assume_nonneg(case: Case, of: Size) -> Case:
    """The case in which a size is at least 0."""
    of = without_floor(case.reduce(of))
    low, high = case.range(of)
    if high is not None and high < 0:
        return replace(case, contradictory=True)
    if low is not None and low >= 0:
        return case
    factor = content(c for m, c in of.terms.items() if m)
    if factor > 1:
        of = (of - of % factor) // factor if constant_part(of) % factor else of // factor
    linear = _lone_unknown(of)
    if linear is not None:
        return _assume_bound(case, *linear)
    if case.at_least_zero(of):
        return case
    plain = _alone(case, SizeComparison(">=", of, size(0)))
    if plain is not None:
        return plain
    if case.at_least_zero(-of):
        return assume_zero(case, of)
    if case.at_least_zero(-of - 1):
        return replace(case, contradictory=True)
    return _again(replace(case, nonneg=(*case.nonneg, of), _reduced={}), distinct=case.distinct)


def _alone(case: Case, condition: SizeComparison) -> Case | None:
    """The case with what a condition with floors says of the only unknown in it: its exact set, in plain conditions."""
    of = condition.left
    if len(of.unknowns) != 1 or not any(isinstance(atom, Compound) for m in of.terms for atom, _ in m):
        return None
    (unknown,) = of.unknowns
    low, high = case.ranges.get(unknown, (unknown.low, None))
    if low is None or condition in case.described:
        return None
    near = high if high is not None and high - low <= NEAR else None
    members = truth_set(condition, unknown, low, near, effort=case.effort)
    if members is None:
        return None
    return _assume_plain(replace(case, described=case.described | {condition}), describe(members, unknown))


def _lone_unknown(of: Size) -> tuple[Unknown, int, int] | None:
    """`(u, a, c)` of `a*u + c`."""
    names = [m for m in of.terms if m]
    if len(names) != 1 or len(names[0]) != 1 or names[0][0][1] != 1 or not isinstance(names[0][0][0], Unknown):
        return None
    return names[0][0][0], of.terms[names[0]], constant_part(of)


def _assume_bound(case: Case, unknown: Unknown, scale: int, offset: int) -> Case:
    """`scale*unknown + offset >= 0` narrows the range of the unknown."""
    low, high = case.ranges.get(unknown, (unknown.low, None))
    edge = offset // -scale if scale < 0 else -(offset // scale)
    if scale > 0:
        low = edge if low is None else max(low, edge)
    else:
        high = edge if high is None else min(high, edge)
    return _with_range(case, unknown, (low, high))


def _with_range(case: Case, unknown: Unknown, bounds: Range) -> Case:
    low, high = bounds
    if low is not None and high is not None and low >= high:
        return substitute(case, unknown, size(low)) if low == high else replace(case, contradictory=True)
    case = replace(case, ranges=Ranges({**case.ranges, unknown: bounds}), _reduced={})
    return _again(case, distinct=case.distinct)


def _again(case: Case, distinct: Iterable[Size]) -> Case:
    """What was said not to be 0 may have become a bound."""
    case = replace(case, distinct=())
    for gap in distinct:
        case = _assume_distinct(case, case.reduce(gap)) if not case.contradictory else case
    return case


def substitute(case: Case, unknown: Unknown, by: Size) -> Case:
    """The case with a size in place of one unknown; what was known of the unknown is now known of the size."""
    step = {unknown: by}
    case.effort.spend(sum(value.weight for value in case.mapping.values() if value.weight > LIGHT))
    low, high = case.ranges.get(unknown, (unknown.low, None))
    mapping = {key: value.subs(step) for key, value in case.mapping.items()} | step
    ranges = {key: value for key, value in case.ranges.items() if key is not unknown}
    new = Case(mapping, Ranges(ranges), described=case.described, effort=case.effort)
    if low is not None:
        new = assume_nonneg(new, by - low)
    if high is not None:
        new = assume_nonneg(new, high - by)
    for divisor, dividend in case.exact:
        new = assume_multiple(new, new.reduce(dividend), new.reduce(divisor)) if not new.contradictory else new
    for of in case.nonneg:
        new = assume_nonneg(new, of) if not new.contradictory else new
    new = _again(new, distinct=case.distinct)
    for choice in case.choices:
        new = assume(new, choice.subs(new.mapping)) if not new.contradictory else new
    return new


def assume_zero(case: Case, of: Size) -> Case:
    """The case in which a reduced size is 0."""
    if of.is_number:
        return case if of.number == 0 else replace(case, contradictory=True)
    low, high = case.range(of)
    if (low is not None and low > 0) or (high is not None and high < 0):
        return replace(case, contradictory=True)
    factor = content(c for m, c in of.terms.items() if m)
    if constant_part(of) % factor:
        return replace(case, contradictory=True)
    of = _without_common(case, of // factor)
    residue = residue_form(of)
    if residue is not None:
        q, m, r = residue
        case = assume_nonneg(case, m - 1 - r)
        return assume_multiple(case, case.reduce(q), case.reduce(m)) if not case.contradictory else case
    plain = _alone(case, SizeComparison("==", of, size(0)))
    return _assume_linear(case, of) if plain is None else plain


def _without_common(case: Case, of: Size) -> Size:
    """A product with a factor that is at least 1 is 0 only if the rest is."""
    factor = [(a, e) for a, e in common_factor(of.terms) if (case.range(size(a))[0] or 0) >= 1]
    return of // term(tuple(factor), 1) if factor else of


def residue_form(of: Size) -> tuple[Size, Size, int] | None:
    """`(q, m, r)` where `of == 0` says that m divides q: `of` or its negative is `p - m*(p//m) - r`, `q = p - r`."""
    for monomial, coefficient in of.terms.items():
        for floor, exponent in monomial:
            if not isinstance(floor, Floor) or exponent != 1 or len(floor.den.terms) != 1:
                continue
            ((den, unit),) = floor.den.terms.items()
            if over(monomial, ((floor, 1),)) != den or abs(coefficient) != unit:
                continue
            rest = of - term(monomial, coefficient)
            q = rest if coefficient < 0 else -rest
            r = floor.num - q
            if r.is_number and r.number >= 0 and not _holds(q, floor):
                return q, floor.den, r.number
    return None


def _holds(of: Size, atom: Atom) -> bool:
    factors = [factor for monomial in of.terms for factor, _ in monomial]
    return atom in factors or any(_holds(part, atom) for f in factors if isinstance(f, Compound) for part in f.parts)


def _assume_linear(case: Case, of: Size) -> Case:
    """Solve for an unknown with coefficient 1 or -1; else for divisibility of what stands beside a larger one."""
    solved = [(u, c) for u, c in _linear_unknowns(of) if abs(c) == 1]
    for unknown, coefficient in sorted(solved, key=lambda s: _preference(case, of, *s)):
        return substitute(case, unknown, (size(unknown) * coefficient - of) * coefficient)
    for unknown, coefficient in _linear_unknowns(of):
        rest = of - size(unknown) * coefficient
        done = assume_multiple(case, rest, size(abs(coefficient)))
        gap = done.reduce(of) if not done.contradictory else of
        if done.contradictory or (gap is not of and len(done.mapping) > len(case.mapping)):
            return done if done.contradictory else assume_zero(done, gap)
    return replace(case, nonneg=(*case.nonneg, of, -of), _reduced={})


def _preference(case: Case, of: Size, unknown: Unknown, coefficient: int) -> tuple[bool, int]:
    """First those whose lower bound the other side keeps by itself, then the youngest."""
    by = (size(unknown) * coefficient - of) * coefficient
    low, high = case.ranges.get(unknown, (unknown.low, None))
    keeps = high is None and (low is None or case.at_least_zero(by - low))
    return not keeps, -unknown.serial


def _linear_unknowns(of: Size) -> list[tuple[Unknown, int]]:
    """The unknowns that stand alone in one term and nowhere else, with their coefficients."""
    found: list[tuple[Unknown, int]] = []
    for monomial, coefficient in of.terms.items():
        if len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], Unknown):
            unknown = monomial[0][0]
            if not any(unknown in atom.unknowns for m in of.terms if m != monomial for atom, _ in m):
                found.append((unknown, coefficient))
    return found


def assume_multiple(case: Case, of: Size, m: Size) -> Case:
    """The case in which `m` divides a reduced size."""
    if (case.range(m)[0] or 0) < 1:
        case = assume_nonneg(case, m - 1)
        of, m = case.reduce(of), case.reduce(m)
    if case.contradictory or (of % m) is size(0):
        return case
    if m.is_number:
        of = added(term(mono, c % m.number) for mono, c in of.terms.items())
    shared = gcd(content(of.terms.values()), content(m.terms.values()))
    factor = term(common_factor([*of.terms, *m.terms]), shared)
    of, m = of // factor, m // factor
    if m.is_number:
        return _assume_congruence(case, of, m.number)
    for unknown, coefficient in _linear_unknowns(of):
        if abs(coefficient) == 1 and unknown not in m.unknowns:
            rest = (size(unknown) * coefficient - of) * coefficient
            return _parametrised(case, unknown, m, rest)
    return replace(case, exact=(*case.exact, (m, of)), _reduced={})


def _assume_congruence(case: Case, of: Size, m: int) -> Case:
    """`of` is a multiple of the number `m`: an unknown whose coefficient is a unit modulo m becomes `m*t + v`."""
    if m == 1 or of % m is size(0):
        return case
    if of.is_number:
        return replace(case, contradictory=True)
    divisor = gcd(content(c for mono, c in of.terms.items() if mono), m)
    if constant_part(of) % divisor:
        return replace(case, contradictory=True)
    if divisor > 1:
        return _assume_congruence(case, of // divisor, m // divisor)
    for unknown, coefficient in sorted(_linear_unknowns(of), key=lambda u: -u[0].serial):
        if gcd(coefficient, m) == 1:
            inverse = pow(coefficient, -1, m)
            rest = (size(unknown) * coefficient - of) * inverse
            rest = added(term(mono, c % m) for mono, c in rest.terms.items())
            return _parametrised(case, unknown, size(m), rest)
    return replace(case, exact=(*case.exact, (size(m), of)), _reduced={})


def _parametrised(case: Case, unknown: Unknown, m: Size, rest: Size) -> Case:
    """`unknown = m*t + rest` with a new unknown t."""
    low, _ = case.ranges.get(unknown, (unknown.low, None))
    least: int | None = None
    if low is not None and rest.is_number and m.is_number:
        least = -((rest.number - low) // m.number)
    elif low is not None and rest.is_number:
        least = min(low - rest.number, 1)
    share = Unknown(unknown.name + "'", low=least, introduced=unknown.introduced)
    return substitute(case, unknown, m * size(share) + rest)
