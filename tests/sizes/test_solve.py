"""Solutions are exact: the condition to add holds at just the sizes where the constraints do."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from counted import calls
from ogive.compiler.sizes import (
    Answer,
    Condition,
    Facts,
    Size,
    Unknown,
    all_of,
    ceil_div,
    divides,
    eq,
    ge,
    gt,
    le,
    lt,
    member,
    minimum,
    ne,
    simplify,
    size,
    solve,
    solve_each,
    values_near,
)
from sizes.strategies import DEPTH, UNKNOWNS, conditions, grid, quasi_linear, sizes

H, W, N = UNKNOWNS
h, w, n = (size(u) for u in UNKNOWNS)
depth = size(DEPTH)
CONTEXT, D, HEADS, M = (Unknown(name) for name in ("context", "d", "heads", "m"))
context, d, heads, m = (size(u) for u in (CONTEXT, D, HEADS, M))
shift = size(Unknown("shift", low=None))
later = size(Unknown("t"))


def check(facts: list[Condition], constraints: list[Condition], points: list[dict[Unknown, int]]) -> None:
    """The solution, against every point at which the facts hold."""
    there = [at for at in points if all(fact.at(at) for fact in facts)]
    wanted = {tuple(at.values()): all(constraint.at(at) for constraint in constraints) for at in there}
    solution = solve(Facts.of(facts), constraints)
    if solution.answer is Answer.ALWAYS:
        assert all(wanted.values())
    if solution.answer is Answer.NEVER:
        assert not any(wanted.values())
    if solution.where is not None:
        for at in there:
            said, held = solution.where.at(at), wanted[tuple(at.values())]
            assert said == held if solution.exact else held or not said
    for example, expected in ((solution.witness, True), (solution.counterexample, False)):
        if example is not None:
            at_example = [at for at in there if example.items() <= at.items()]
            assert all(wanted[tuple(at.values())] is expected for at in at_example)


@given(st.lists(conditions(quasi_linear(H)), max_size=2), st.lists(conditions(quasi_linear(H)), min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_one_unknown_is_exact(facts: list[Condition], constraints: list[Condition]) -> None:
    check(facts, constraints, list(grid(H, top=150)))


@given(
    st.lists(conditions(sizes(H, W, leaves=4)), max_size=2),
    st.lists(conditions(sizes(H, W, leaves=4)), min_size=1, max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_two_unknowns_are_exact(facts: list[Condition], constraints: list[Condition]) -> None:
    check(facts, constraints, list(grid(H, W, top=12)))


@given(st.lists(conditions(quasi_linear(H, W)), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_simplified_conditions_say_the_same(stated: list[Condition]) -> None:
    joint = all_of(*simplify(Facts(), stated))
    assert all(joint.at(at) == all(c.at(at) for c in stated) for at in grid(H, W, top=14))


@given(st.lists(conditions(quasi_linear(H)), min_size=1, max_size=2), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_near_sizes_are_legal_and_nearest(constraints: list[Condition], at: int) -> None:
    solution = solve(Facts(), constraints)
    assume(solution.answer is Answer.SOMETIMES)
    near = solution.near({H: at}).get(H, [])
    legal = [v for v in range(1, 200) if all(constraint.at({H: v}) for constraint in constraints)]
    below, above = [v for v in legal if v < at], [v for v in legal if v > at]
    assert near[: len(below[-1:])] == below[-1:]
    assert not above or above[0] in near


def unet(levels: int, *, whole: bool = False) -> list[Condition]:
    """The skips of a U-Net: halving by 3x3 convolutions of stride 2, doubling; with `whole` its output has size h."""
    x, skips, constraints = h, [], []
    for _ in range(levels):
        skips.append(x)
        x = (x + 2 * 1 - 3) // 2 + 1
    for skip in reversed(skips[1:]):
        x = 2 * x
        constraints.append(eq(x, skip))
    return [*constraints, eq(2 * x, h)] if whole else constraints


def residual() -> list[Condition]:
    """A residual network: the branch and its shortcut halve alike."""
    stem = (h + 6 - 7) // 2 + 1
    pooled = (stem + 2 - 3) // 2 + 1
    return [eq((pooled + 2 - 3) // 2 + 1, (pooled - 1) // 2 + 1), ge((pooled + 2 - 3) // 2 + 1, 1), ge(stem, 1)]


WHERE = {
    "five levels": ([], unet(5), "h % 32 in {0, 31}"),
    "five levels and the output": ([], unet(5, whole=True), "h % 32 == 0"),
    "seven levels": ([], unet(7), "h % 128 in {0, 127}"),
    "residual network": ([], residual(), "true"),
    "a typed parameter": ([], [eq(4 * h, 80)], "h == 20"),
    "heads": ([], [eq(heads * (d // heads), d)], "d % heads == 0"),
    "equal": ([], [eq(m, n)], "n == m"),
    "equal but for a constant": ([], [eq(m + 1, 2 * n + 1)], "2*n == m"),
    "no padding": ([], [ge(h - 7 + 1, 1)], "h >= 7"),
    "strided without padding": ([], [ge((h - 7) // 2 + 1, 1)], "h >= 7"),
    "a slice": ([], [ge(context - later, 0)], "t <= context"),
    "a slice with more": ([], [ge(context - later, 1)], "t < context"),
    "powers": ([], [eq(2**depth * (h // 2**depth), h)], "h % 2**depth == 0"),
    "more than known": ([divides(2, h)], [divides(4, h)], "h % 4 == 0"),
    "a bound that is known": ([ge(h, 7)], [divides(2, h)], "h % 2 == 0"),
    "common factor": ([], [eq(n * (2 * (h // 2)), n * h)], "h % 2 == 0"),
    "two names, one sum": ([], [eq(h // 2 * 2 + w // 2 * 2, h + w)], "h % 2 == 0 and w % 2 == 0"),
    "moduli meet": ([], [divides(4, h), divides(6, h)], "h % 12 == 0"),
    "remainders meet": ([], [eq(h % 4, 1), eq(h % 3, 2)], "h % 12 == 5"),
    "linked and divided": ([], [eq(h, w), divides(2, h), divides(4, w)], "h == w and w % 4 == 0"),
    "the smaller of two": ([], [eq(minimum(h, w), h)], "h <= w"),
    "not one": ([], [ne(h, 3)], "h != 3"),
    "a few": ([], [member(h, {1, 2, 4}), ge(h, 2)], "h in {2, 4}"),
    "a range": ([], [gt(h, 10), le(h, 14)], "h >= 11 and h <= 14"),
    "a sum is even": ([], [divides(2, h + w)], "(h + w) % 2 == 0"),
    "capped": ([], [eq(minimum(h, 5), 4)], "h == 4"),
    "not divisible": ([], [ne(h % 3, 0)], "h % 3 != 0"),
    "odd and large": ([], [eq(h % 2, 1), ge(h // 2, 1)], "h % 2 == 1 and h >= 3"),
    "halves of heads": ([divides(heads, d)], [divides(2, d // heads)], "d % (2*heads) == 0"),
    "frames of a signal": ([], [ge((n - w) // h + 1, 1)], "n >= w"),
    "squares": ([], [eq(h * h, w * w)], "h == w"),
    "a square": ([], [eq(h * h, 16)], "h == 4"),
    "inside a square": ([], [le(h * h, 20)], "h <= 4"),
    "one skip alone": ([], unet(5)[:1], "h % 32 == 0 or h % 32 >= 17"),
    "differences": ([], [eq(h * n - n, w * n - n)], "h == w"),
    "integers": ([], [eq(2 * shift, h)], "h == 2*shift"),
    "bounds on integers": ([], [ge(shift, 0)], "shift >= 0"),
    "windows cover": ([], [eq(ceil_div(h, 7) * 7, h)], "h % 7 == 0"),
}


@pytest.mark.parametrize("name", WHERE)
def test_where(name: str) -> None:
    facts, constraints, text = WHERE[name]
    solution = solve(Facts.of(facts), constraints)
    assert str(solution.where) == text
    assert solution.exact
    assert solution.answer is (Answer.ALWAYS if text == "true" else Answer.SOMETIMES)


@pytest.mark.parametrize("name", WHERE)
def test_what_a_solution_says_settles_its_constraints(name: str) -> None:
    facts, constraints, _ = WHERE[name]
    where = solve(Facts.of(facts), constraints).where
    assert where is not None
    settled = Facts.of([*facts, where])
    assert not settled.contradictory
    assert solve(settled, constraints).answer is Answer.ALWAYS


def test_never() -> None:
    solution = solve(Facts(), [eq(4 * h, 81)])
    assert (solution.answer, solution.where) == (Answer.NEVER, None)
    assert solve(Facts.of([divides(2, h)]), [eq(h % 4, 1)]).answer is Answer.NEVER
    assert solve(Facts.of([lt(h, w)]), [eq(h, w)]).answer is Answer.NEVER


def test_counterexample_and_neighbours() -> None:
    solution = solve(Facts(), unet(5))
    assert (solution.counterexample, solution.witness) == ({H: 1}, {H: 31})
    assert solution.near({H: 33}) == {H: [32, 63]}
    assert solve(Facts(), unet(5, whole=True)).near({H: 33}) == {H: [32, 64]}
    heads_of = solve(Facts(), [divides(heads, d)])
    assert heads_of.near({D: 10, HEADS: 3}) == {D: [9, 12], HEADS: [2, 5]}


def test_values_near_a_number() -> None:
    assert values_near(Facts(), 4 * h, 81) == [80, 84]
    assert values_near(Facts(), (h - 1) // 2 + 1, 1) == [2]
    assert values_near(Facts.of([divides(4, h)]), h // 2, 5) == [4, 6]
    assert values_near(Facts(), 4 * h + w, 81) == []


@given(quasi_linear(H), st.integers(-5, 40))
@settings(max_examples=100, deadline=None)
def test_values_near_are_nearest(of: Size, target: int) -> None:
    found = values_near(Facts(), of, target)
    taken = {of.at({H: v}) for v in range(1, 2000)}  # beyond what the targets need
    assert all(value in taken or abs(value) > 30 for value in found)
    assert not [v for v in taken for f in found if target < v < f or f < v < target]


def test_merely_sufficient_help_says_so() -> None:
    solution = solve(Facts(), [eq(4 * (h // 2) * (w // 2), h * w)])
    assert (str(solution.where), solution.exact) == ("h % 2 == 0 and w % 2 == 0", False)


def test_groups_share_unknowns() -> None:
    constraints = [divides(2, h), eq(n, m), divides(3, w), divides(3, h), divides(2, n)]
    found = [(indices, str(solution.where)) for indices, solution in solve_each(Facts(), constraints)]
    assert found == [([0, 3], "h % 6 == 0"), ([1, 4], "n == m and n % 2 == 0"), ([2], "w % 3 == 0")]


def test_simplify_drops_what_is_implied() -> None:
    stated = [divides(2, h), ge(h, 2), divides(3, h), ge(w, 1), le(h, w), le(h, w + 1)]
    assert [str(c) for c in simplify(Facts(), stated)] == ["h % 6 == 0", "h <= w"]
    assert simplify(Facts.of([divides(12, h)]), [divides(4, h)]) == []
    assert [str(c) for c in simplify(Facts(), [divides(2, h), eq(h % 2, 1)])] == ["false"]


def test_deep_networks_stay_fast() -> None:
    shallow, deep = (calls(lambda n=levels: solve(Facts(), unet(n, whole=True))) for levels in (4, 8))  # type: ignore[misc]
    assert deep < 5 * shallow
