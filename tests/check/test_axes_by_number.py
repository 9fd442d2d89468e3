"""Axes by computed numbers, and names that stand several times in a pattern: faults are told of what is written."""

from __future__ import annotations

import pytest

from check.programs import errors
from ogive.compiler.driver.workspace import check_text


def told(text: str) -> tuple[str, str, list[str]]:
    """The first error of a text: its code, its help, its labels."""
    first = next(d for d in check_text(text).diagnostics if d.severity == "error")
    return first.code, first.help or "", [label.text for label in first.labels]


@pytest.mark.parametrize("call", ["softmax[i](x)", "sum[i](x)", "cumsum[i](x)", "flip[i](x)"])
def test_the_name_of_a_number_is_a_label(call: str) -> None:
    text = f"block f(x: [b, c, n]) -> [...]:\n    for i in range(2):\n        y = {call}\n    return y\n"
    code, help_, _ = told(text)
    assert code == "E0305"
    assert "`i + 0`" in help_
    assert "E0305" not in errors(text.replace("i]", "i + 0]"))


@pytest.mark.parametrize(
    ("axes", "pattern"), [("b, 4, 4, n", "b n n n"), ("n, 4, k, 4", "n n n n"), ("4, 4, *s, n", "n n *s n")]
)
def test_the_operand_of_a_diagonal_is_shown_as_it_is(axes: str, pattern: str) -> None:
    rest = "*s n" if "*s" in pattern else "n"
    code, _, labels = told(f'block f(x: [{axes}]) -> [...]:\n    return einsum["{pattern} -> {rest}"](x)\n')
    assert code == "E0301"
    assert f"this is [{axes}]" in labels
