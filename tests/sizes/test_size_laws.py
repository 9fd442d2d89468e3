"""Laws of sizes: the normal form agrees with numbers, with sympy, and with its own text."""

from typing import Any

import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ogive.compiler.sizes import Size, Unknown, ceil_div, maximum, minimum, size
from sizes.strategies import BY_NAME, DEPTH, UNKNOWNS, grid, moduli, small

Tree = Any  # a leaf, or (operation, operand, operand)

BINARY = ("+", "-", "*", "min", "max")
BY_NUMBER = ("//", "%", "ceil_div")
trees = st.recursive(
    st.one_of(small, st.sampled_from([u.name for u in UNKNOWNS])),
    lambda part: st.one_of(
        st.tuples(st.sampled_from(BINARY), part, part),
        st.tuples(st.sampled_from(BY_NUMBER), part, moduli),
        st.tuples(st.sampled_from(BY_NUMBER), part, st.sampled_from([u.name for u in UNKNOWNS])),
    ),
    max_leaves=8,
)
values = st.fixed_dictionaries({u: st.integers(1, 40) for u in UNKNOWNS})

AS_SIZE = {"min": minimum, "max": maximum, "ceil_div": ceil_div}
AS_NUMBER = {"min": min, "max": max, "ceil_div": lambda a, b: -(-a // b)}
AS_SYMPY = {
    "min": sympy.Min,
    "max": sympy.Max,
    "//": lambda a, b: sympy.floor(a / b),
    "%": lambda a, b: a - b * sympy.floor(a / b),
    "ceil_div": lambda a, b: sympy.ceiling(a / b),
}
PLAIN = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


def built(tree: Tree, names: dict[str, Any], special: dict[str, Any], number: Any = int) -> Any:
    if isinstance(tree, int):
        return number(tree)
    if isinstance(tree, str):
        return names[tree]
    operation = special.get(tree[0]) or PLAIN[tree[0]]
    return operation(*(built(part, names, special, number) for part in tree[1:]))


def as_size(tree: Tree) -> Size:
    of = built(tree, BY_NAME, AS_SIZE, size)
    assert isinstance(of, Size)
    return of


@given(trees, values)
@settings(max_examples=400, deadline=None)
def test_normal_form_agrees_with_numbers(tree: Tree, at: dict[Unknown, int]) -> None:
    expected = built(tree, {u.name: v for u, v in at.items()}, AS_NUMBER)
    assert as_size(tree).at(at) == expected


@given(trees, values)
@settings(max_examples=60, deadline=None)
def test_normal_form_agrees_with_sympy(tree: Tree, at: dict[Unknown, int]) -> None:
    numbers = {u.name: sympy.Integer(v) for u, v in at.items()}
    assert as_size(tree).at(at) == built(tree, numbers, AS_SYMPY, sympy.Integer)


@given(trees, values)
@settings(max_examples=200, deadline=None)
def test_text_reads_back(tree: Tree, at: dict[Unknown, int]) -> None:
    of = as_size(tree)
    names = {u.name: v for u, v in at.items()}
    assert eval(str(of), {"min": min, "max": max, "__builtins__": {}}, names) == of.at(at)
    assert size(eval(str(of), {"min": minimum, "max": maximum}, BY_NAME)) is of


@given(trees, trees, values)
@settings(max_examples=200, deadline=None)
def test_substitution_commutes_with_values(tree: Tree, by: Tree, at: dict[Unknown, int]) -> None:
    unknown = UNKNOWNS[0]
    of, inner = as_size(tree), maximum(as_size(by), 1)
    assert of.subs({unknown: inner}).at(at) == of.at({**at, unknown: inner.at(at)})


@given(trees)
@example(("min", ("%", "h", 2), ("%", "h", 4)))
@settings(max_examples=200, deadline=None)
def test_normal_form_is_idempotent_and_interned(tree: Tree) -> None:
    of = as_size(tree)
    assert of.subs({UNKNOWNS[0]: size(UNKNOWNS[0])}) is of
    assert as_size(tree) is of
    assert of + 3 - 3 is of
    assert of - of is size(0)


@given(trees, values)
@settings(max_examples=300, deadline=None)
def test_bounds_hold(tree: Tree, at: dict[Unknown, int]) -> None:
    of = as_size(tree)
    low, high = of.range
    assert low is None or low <= of.at(at)
    assert high is None or of.at(at) <= high


h, w, n = (size(u) for u in UNKNOWNS)
depth = size(DEPTH)
LAWS = {
    "constants go through a floor": ((4 * h - 1) // 2, 2 * h - 1),
    "common factors cancel": ((6 * h + 3) // 9, (2 * h + 1) // 3),
    "nested floors join": ((h // 2 + 1) // 3, (h + 2) // 6),
    "symbolic nesting joins": (h // w // n, h // (w * n)),
    "a divisor of every term leaves": ((h * w + h) // h, w + 1),
    "a factor of both sides leaves": ((2 * h * w) // (2 * h * n), w // n),
    "a sum divides exactly": ((h * h - w * w) // (h + w), h - w),
    "what is smaller than the divisor is 0": (h // (h + w), size(0)),
    "one less than the divisor": ((h - 1) // h, size(0)),
    "powers of one base meet": (2 * 2 ** (depth - 1), 2**depth),
    "powers multiply": (2**depth * 2**depth, 2 ** (2 * depth)),
    "powers divide": ((2**depth * h) // 2**depth, h),
    "a convolution of stride 1": ((h + 2 * 1 - 3) // 1 + 1, h),
    "remainders are floors": (h - h % 4, 4 * (h // 4)),
    "a minimum leaves what is larger": (minimum(h, h + w, w), minimum(h, w)),
    "shared parts leave a minimum": (minimum(h + n, w + n), minimum(h, w) + n),
}


@pytest.mark.parametrize("law", LAWS)
def test_law(law: str) -> None:
    left, right = LAWS[law]
    assert left is right


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (h // 32, "h//32"),
        (2 * n, "2*n"),
        (2 * (h // 2), "2*(h//2)"),
        ((h - 1) // 2 + 1, "(h + 1)//2"),
        ((h - 7) // 2 + 1 - 2, "(h - 9)//2"),
        (h // 2 + 1, "h//2 + 1"),
        (h % 32, "h % 32"),
        (h * w % 8, "h*w % 8"),
        (h // (2 * w), "h//(2*w)"),
        (h % 2**depth, "h % 2**depth"),
        (2 ** (depth + 1), "2**(depth + 1)"),
        (3 * h // 2, "3*h//2"),
        (w - h, "w - h"),
        (-h, "-h"),
        (-h + 3, "3 - h"),
        ((h + w) * (h + w), "h**2 + 2*h*w + w**2"),
        (minimum(h, w + 1), "min(h, w + 1)"),
    ],
)
def test_text(of: Size, text: str) -> None:
    assert str(of) == text


def test_power_becomes_a_number() -> None:
    of = h // 2 ** (depth - 1) * 2**depth
    assert of.subs({DEPTH: size(3)}) is 8 * (h // 4)
    assert all(of.at({**at, DEPTH: 2}) == at[UNKNOWNS[0]] // 2 * 4 for at in grid(UNKNOWNS[0]))


def test_division_by_zero_is_the_callers_mistake() -> None:
    with pytest.raises(ZeroDivisionError):
        h // 0
    with pytest.raises(ZeroDivisionError):
        (h // w).at({UNKNOWNS[0]: 1, UNKNOWNS[1]: 0})
    with pytest.raises(KeyError):
        h.at({})
