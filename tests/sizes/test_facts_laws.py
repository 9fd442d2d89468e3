"""Facts never prove a falsehood, and prove what the library's blocks need."""

from itertools import permutations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ogive.compiler.sizes import (
    Answer,
    Condition,
    Facts,
    Size,
    Unknown,
    ceil_div,
    divides,
    eq,
    ge,
    gt,
    le,
    lt,
    maximum,
    member,
    minimum,
    ne,
    size,
)
from sizes.strategies import DEPTH, UNKNOWNS, conditions, grid, quasi_linear, sizes

PAIR = UNKNOWNS[:2]
h, w, n = (size(u) for u in UNKNOWNS)
depth = size(DEPTH)
HEADS, D, GROUPS, CONTEXT = (Unknown(name) for name in ("heads", "d", "groups", "context"))
heads, d, groups, context = (size(u) for u in (HEADS, D, GROUPS, CONTEXT))


def holding(facts: list[Condition], *unknowns: Unknown, top: int = 9) -> list[dict[Unknown, int]]:
    return [at for at in grid(*unknowns, top=top) if all(fact.at(at) for fact in facts)]


@given(st.lists(conditions(sizes(*PAIR, leaves=4)), max_size=3), conditions(sizes(*PAIR, leaves=4)))
@settings(max_examples=400, deadline=None)
def test_answers_agree_with_all_small_values(facts: list[Condition], asked: Condition) -> None:
    known = Facts.of(facts)
    there = holding(facts, *PAIR)
    assert not (known.contradictory and there)
    answers = {asked.at(at) for at in there}
    answer = known.decide(asked)
    if answer is Answer.ALWAYS:
        assert False not in answers
    if answer is Answer.NEVER:
        assert True not in answers


@given(st.lists(conditions(quasi_linear(*UNKNOWNS)), max_size=3), conditions(quasi_linear(*UNKNOWNS)))
@settings(max_examples=300, deadline=None)
def test_answers_agree_over_three_unknowns(facts: list[Condition], asked: Condition) -> None:
    known = Facts.of(facts)
    there = holding(facts, *UNKNOWNS, top=7)
    assert not (known.contradictory and there)
    answers = {asked.at(at) for at in there}
    answer = known.decide(asked)
    assert not (answer is Answer.ALWAYS and False in answers)
    assert not (answer is Answer.NEVER and True in answers)


@given(st.lists(conditions(sizes(*PAIR, leaves=4)), max_size=3), sizes(*PAIR))
@settings(max_examples=300, deadline=None)
def test_bounds_hold_where_the_facts_do(facts: list[Condition], of: Size) -> None:
    known = Facts.of(facts)
    low, high = known.bounds(of)
    for at in holding(facts, *PAIR):
        assert low is None or low <= of.at(at)
        assert high is None or of.at(at) <= high


@given(conditions(sizes(*PAIR, leaves=5)))
@settings(max_examples=300, deadline=None)
def test_negation_turns_every_value(condition: Condition) -> None:
    negated = condition.negate()
    assert all(condition.at(at) != negated.at(at) for at in grid(*PAIR))


@given(conditions(sizes(*PAIR, leaves=5)), sizes(PAIR[1], leaves=3))
@settings(max_examples=200, deadline=None)
def test_substitution_in_conditions(condition: Condition, by: Size) -> None:
    by = maximum(by, 1)
    for at in grid(PAIR[1]):
        assert condition.subs({PAIR[0]: by}).at(at) == condition.at({**at, PAIR[0]: by.at(at)})


@given(conditions(sizes(*PAIR, leaves=5)))
@settings(max_examples=200, deadline=None)
def test_text_of_conditions_reads_back(condition: Condition) -> None:
    text = str(condition)
    scope = {"min": min, "max": max, "true": True, "false": False}
    for at in grid(*PAIR, top=4):
        assert eval(text, scope, {u.name: v for u, v in at.items()}) == condition.at(at)


@given(conditions(quasi_linear(UNKNOWNS[0])))
@settings(max_examples=300, deadline=None)
def test_one_unknown_is_always_decided(condition: Condition) -> None:
    assume(condition.unknowns)
    assert Facts().decide(condition) is not Answer.UNKNOWN


def depth_is(number: int) -> Condition:
    return divides(2**depth, h).subs({DEPTH: size(number)})


EQUAL = {
    "heads divide": ([divides(heads, d)], heads * (d // heads), d),
    "three times, in thirds": ([divides(heads, d)], 3 * d // 3, d),
    "split and joined": ([divides(heads, d)], 3 * heads * (d // heads), 3 * d),
    "a divisor of the divisor": ([divides(2 * heads, d)], heads * (d // heads), d),
    "two divisors of one size": ([divides(heads, d), divides(groups, d)], groups * (d // groups), d),
    "two divisors, the first": ([divides(heads, d), divides(groups, d)], heads * (d // heads), d),
    "a number beside a name": ([divides(heads, d), divides(64, d)], 16 * (d // 16), d),
    "a power of two": ([divides(2**depth, h)], 2**depth * (h // 2**depth), h),
    "half of a power of two": ([divides(2**depth, h), ge(depth, 1)], 2 ** (depth - 1) * (h // 2 ** (depth - 1)), h),
    "remainders meet": ([eq(h % 4, 2), eq(h % 3, 1)], h % 12, size(10)),
    "a product divides": ([divides(8, h * w)], 8 * (h * w // 8), h * w),
    "equal sizes": ([eq(h, w)], h * n - n, w * n - n),
    "a chain of equalities": ([eq(h, w + 1), eq(w, 2 * n)], h, 2 * n + 1),
    "bounded on both sides": ([le(h, w), le(w, h)], h, w),
    "the smaller of two": ([le(h, w)], minimum(h, w), h),
    "minimum and maximum": ([], minimum(h, w) + maximum(h, w), h + w),
    "two halves": ([], h // 2 + ceil_div(h, 2), h),
    "each of a few": ([member(h, {1, 2, 4})], 4 % h, size(0)),
    "groups of heads": ([divides(heads, d), divides(groups, heads)], groups * (d // groups), d),
    "heads in a group": ([divides(heads, d), divides(groups, heads)], d // heads * (heads // groups) * groups, d),
    "halves of a head": ([divides(2 * heads, d)], d // heads // 2 * 2, d // heads),
    "patches": ([divides(n, h), divides(n, w)], h // n * (w // n) * n * n, h * w),
    "windows after halving": ([divides(8 * n, h)], h // 4 % n, size(0)),
    "windows of a power": ([divides(n * 2**depth, h)], n * (h // 2**depth // n), h // 2**depth),
    "nonlinear": ([eq(h * w, n)], n // w, h),
    "coefficients without a unit": ([eq(2 * h, 3 * w)], h % 3, size(0)),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal(name: str) -> None:
    conditions_, left, right = EQUAL[name]
    assert Facts.of(conditions_).equal(left, right)


DECIDED = {
    "frames of a signal": ([ge(n, w)], ge((n - w) // h + 1, 1), Answer.ALWAYS),
    "the last frame ends inside": ([ge(n, w)], le((n - w) // h * h + w, n), Answer.ALWAYS),
    "a slice inside": ([le(n, context)], ge(context - n, 0), Answer.ALWAYS),
    "a slice with room": ([lt(n, context)], ge(context - n, 1), Answer.ALWAYS),
    "a chain of bounds": ([le(h, w), le(w, n)], le(h, n), Answer.ALWAYS),
    "scaled bounds": ([le(2 * h, w), le(w, n)], le(h, n), Answer.ALWAYS),
    "times a size": ([le(n, context)], le(n * d, context * d), Answer.ALWAYS),
    "a stride of two": ([], ge((h - 1) // 2 + 1, 1), Answer.ALWAYS),
    "a deep pool": ([], ge((((h - 1) // 2 + 1) - 1) // 2 + 1, 1), Answer.ALWAYS),
    "no padding": ([], ge(h - 2, 1), Answer.SOMETIMES),
    "no padding, large": ([ge(h, 3)], ge(h - 2, 1), Answer.ALWAYS),
    "even is at least 2": ([divides(2, h)], ge(h, 2), Answer.ALWAYS),
    "odd is not even": ([eq(h % 4, 1)], divides(2, h), Answer.NEVER),
    "never equal": ([], eq(2 * h, 2 * w + 1), Answer.NEVER),
    "ordered, so not equal": ([lt(h, w)], eq(h, w), Answer.NEVER),
    "stated": ([ne(h, w)], eq(h, w), Answer.NEVER),
    "one of": ([member(h, {2, 4})], member(h % 4, {0, 2}), Answer.ALWAYS),
    "a remainder is small": ([], lt(h % 7, 7), Answer.ALWAYS),
    "powers are positive": ([], gt(2**depth, 0), Answer.ALWAYS),
    "heads of a known width": ([eq(d, 10)], divides(3, d), Answer.NEVER),
}


@pytest.mark.parametrize("name", DECIDED)
def test_decided(name: str) -> None:
    facts, asked, answer = DECIDED[name]
    assert Facts.of(facts).decide(asked) is answer


@pytest.mark.parametrize(
    "facts",
    [
        [divides(2, h), eq(h % 4, 1)],
        [lt(h, w), lt(w, h)],
        [eq(h, 3), ge(h, 4)],
        [member(h, {1, 2}), ge(h, 3)],
        [eq(h % 2, w % 2), eq(h, w + 1), le(h, 20)],
        [eq(2 * h, 2 * w + 1)],
        [le(h, 0)],
        [eq(h, w), ne(h, w)],
    ],
)
def test_contradictions_are_seen(facts: list[Condition]) -> None:
    assert Facts.of(facts).contradictory


def test_a_power_becomes_a_number() -> None:
    assert str(depth_is(2)) == "h % 4 == 0"
    assert Facts.of([depth_is(3)]).decide(divides(4, h)) is Answer.ALWAYS


def test_reducing_uses_known_bounds() -> None:
    assert Facts.of([le(h, w)]).reduce(minimum(h, w) + maximum(h, w, 2 * w)) is h + 2 * w
    assert Facts.of([lt(h, 8)]).reduce(h // 8) is size(0)


@pytest.mark.parametrize("names", list(permutations((h, w, n))))
def test_an_operand_that_would_be_a_divisor_of_0_is_not_the_largest(names: tuple[Size, ...]) -> None:
    a, b, c = names
    quotient = a * (a // (4 * c)) // maximum(minimum(a, b) // (2 * b), 1)
    assert Facts().decide(lt(quotient, 32)) is Answer.SOMETIMES


def test_integers_have_no_bound_of_their_own() -> None:
    shift = size(Unknown("shift", low=None))
    assert Facts().decide(ge(shift, 0)) is Answer.SOMETIMES
    assert Facts.of([ge(shift, 0), eq(shift % 2, 0)]).decide(ge(shift // 2, 0)) is Answer.ALWAYS
    assert Facts.of([eq(shift % 3, 1)]).decide(eq(shift % 3, 0)) is Answer.NEVER


def test_a_pack_is_equal_only_to_itself() -> None:
    one, other = (size(Unknown(name, kind="pack")) for name in ("b", "c"))
    facts = Facts()
    assert facts.equal(one * h // h, one)
    assert facts.decide(eq(one, other)) is not Answer.ALWAYS
    assert facts.decide(ge(one, 1)) is Answer.ALWAYS
