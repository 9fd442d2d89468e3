"""Which numbers an element type holds, against numpy's own rounding; and what is refused."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogive.compiler.driver.workspace import check_text
from ogive.compiler.ops.held import FORMATS, lost, normal

DTYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}


def rounded(number: float, elem: str) -> float:
    """By numpy; ml_dtypes rounds float64 twice, so what is given to bfloat16 is a float32."""
    with np.errstate(all="ignore"):
        return float(np.array(number).astype(DTYPES[elem]))


def near_the_ends(elem: str) -> list[float]:
    """Numbers at which rounding to the type overflows or underflows, and their neighbours in float64."""
    digits, top = FORMATS[elem]
    edges = [math.ldexp(2 - math.ldexp(1.0, -digits), top), math.ldexp(1.0, 1 - top), math.ldexp(1.0, 1 - top - digits)]
    if elem != "f64":
        edges += [math.ldexp(2 - math.ldexp(1.0, -digits - 1), top), math.ldexp(1.0, -top - digits)]
    return [each for edge in edges for each in (edge, math.nextafter(edge, 0), math.nextafter(edge, math.inf))]


@pytest.mark.parametrize("elem", FORMATS)
def test_what_is_lost_is_what_rounding_makes_of_it(elem: str) -> None:
    numbers = [x for x in near_the_ends(elem) if math.isfinite(x)] + [0.0, 1.0, math.inf, 1e-8, 1e5, 1e39, 5e-324]
    for number in [*numbers, *(-x for x in numbers)]:
        if elem == "bf16":
            number = rounded(number, "f32")
        found = rounded(number, elem)
        expected = "infinite" if math.isinf(found) > math.isinf(number) else "0" if number and not found else None
        assert lost(number, elem) == expected, number
        least = math.ldexp(1.0, 1 - FORMATS[elem][1])
        assert normal(number, elem) == (expected is None and (number == 0 or abs(number) >= least)), number


@given(st.floats(allow_nan=False), st.sampled_from(sorted(FORMATS)))
def test_what_is_lost_of_any_number(number: float, elem: str) -> None:
    number = rounded(number, "f32") if elem == "bf16" else number
    found = rounded(number, elem)
    assert (lost(number, elem) == "infinite") == (math.isinf(found) and not math.isinf(number))
    assert (lost(number, elem) == "0") == (found == 0 and number != 0)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("i + 3000000000", "E0501", "3000000000 is more than `i32` holds"),
        ("select(i > 0, i, -2147483649)", "E0501", "-2147483649 is more than `i32` holds"),
        ("clamp[0, 5000000000](i)", "E0501", "more than `i32` holds"),
        ("i * full[n, v=2**31, type=i32]", "E0501", "2147483648 is more than `i32` holds"),
        ("cast[i32](cast[int](i) + 2**64)", "E0501", "more than `int` holds"),
        ("cast[i32](constant[[1, 2**63]][0] + cast[int](i))", "E0501", "9223372036854775808 is more than `int` holds"),
        ("i // 0", "E0501", "divides `i32` by 0"),
        ("i % 0", "E0501", "divides `i32` by 0"),
        ("cast[i32](cast[float](i) * 1e400)", "E0101", "1e400 is more than floats hold"),
        ("cast[i32](cast[float](i) * 1e-400)", "E0101", "1e-400 is less than floats hold"),
        ("cast[i32](cast[float](i) * (1e308 * 10))", "E0410", "is infinite in floats"),
        ("cast[i32](cast[float](i) * (1e-300 / 1e300))", "E0410", "is 0 in floats"),
        ("cast[i32](cast[float](i) * exp(800))", "E0410", "`exp`"),
        ("cast[i32](cast[float](i) * exp(-800))", "E0410", "`exp` of -800 is 0"),
        ("cast[i32](cast[float](i) * (2**64 * 2**64) ** 9)", "E0501", "... (347 digits) is more than floats hold"),
    ],
)
def test_a_number_that_no_type_here_holds_is_an_error_at_its_line(body: str, code: str, says: str) -> None:
    found = [
        d
        for d in check_text(f"block F(i: i32[n]) -> i32[n]:\n    return {body}\n").diagnostics
        if d.severity == "error"
    ]
    assert [d.code for d in found] == [code]
    assert says in found[0].message
    assert found[0].span.begin()[0] == 2


@pytest.mark.parametrize(
    "body", ["i + (2**31 - 1)", "maximum(i, -2**31)", "i // -1", "cast[i32](cast[float](i) / inf)"]
)
def test_the_ends_of_a_type_are_in_it(body: str) -> None:
    assert not check_text(f"block f(i: i32[n]) -> i32[n]:\n    return {body}\n").diagnostics
