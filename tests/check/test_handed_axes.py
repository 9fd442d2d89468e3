"""An axis that is handed to a block and is not there: said where it is handed over; diagonals in patterns."""

from __future__ import annotations

import pytest

from ogive.compiler.driver.workspace import check_text

BLOCKS = """
block over_axis[a: axis](x: [b, n, d]) -> [b, n, d]:
    return softmax[a](x)

block deeper[a: axis](x: [b, n, d]) -> [b, n, d]:
    return over_axis[a](x) |> relu

block twice[F: block](x: [b, n, d]) -> [b, n, d]:
    return F(F(x))
"""


def faults(text: str) -> list[tuple[str, str]]:
    """The code and the place of each error."""
    return [(d.code, d.span.text) for d in check_text(BLOCKS + text).diagnostics if d.severity == "error"]


@pytest.mark.parametrize(
    ("call", "place"),
    [
        ("over_axis[q](x)", "over_axis[q](x)"),
        ("over_axis[3](x)", "over_axis[3](x)"),
        ("deeper[q](x)", "deeper[q](x)"),
        ("over_axis[n](x) + over_axis[q](x)", "over_axis[q](x)"),
        ("twice[over_axis[q]](x)", "F(x)"),
    ],
)
def test_a_missing_axis_is_said_at_its_use(call: str, place: str) -> None:
    found = faults(f"\nblock user(x: [b, n, d]) -> [b, n, d]:\n    return {call}\n")
    assert len(found) == 1, found
    code, text = found[0]
    assert code == ("E0304" if "3" in call else "E0305")
    assert text.startswith(place.split("(")[0])


def test_each_use_says_it() -> None:
    text = "\nblock user{0}(x: [b, n, d]) -> [b, n, d]:\n    return deeper[q](x)\n"
    assert len(faults(text.format("1") + text.format("2"))) == 2


def test_a_model_says_it() -> None:
    assert faults("\nmodel M = deeper[q]\n") == [("E0305", "deeper[q]")]


def test_the_labels_of_the_body_are_its_own() -> None:
    assert faults("\nblock user(x: [b, n, d]) -> [b, n, d]:\n    return softmax[q](x)\n") == [
        ("E0305", "softmax[q](x)")
    ]


@pytest.mark.parametrize(
    ("call", "more"),
    [
        ('rearrange["b n n -> b n"](x)', ""),
        ('reduce["b n n -> b n", sum](x)', ""),
        ('einsum["(b 1) n n -> b n"](x)', "; take parentheses apart by `rearrange` first"),
    ],
)
def test_the_help_for_a_diagonal_works(call: str, more: str) -> None:
    """`einsum` computes one (tests/language/test_shorthand.py); other patterns, and parentheses, are answered by it."""
    text = "\nblock diagonal(x: [b, n, n]) -> [b, n]:\n    return {0}\n"
    (found,) = [d for d in check_text(text.format(call)).diagnostics if d.severity == "error"]
    assert found.code == "E0303"
    assert found.help == f'`einsum["n n -> n"](x)` takes the diagonal{more}'
    assert not check_text(text.format('einsum["b n n -> b n"](x)')).diagnostics
    assert not check_text('\nblock diagonal(x: [n, n]) -> [n]:\n    return einsum["n n -> n"](x)\n').diagnostics
