"""Lists with runs: what is written makes the items that were given, in their order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.backends.python_text.expr import Code, binary, call, list_of, name
from ogive.backends.python_text.runs import in_runs
from ogive.backends.python_text.wrap import laid


def item(kind: str, *numbers: int) -> Code:
    """`f(d + 2 * i, 3)`: a number of its own for each place."""
    return call(kind, *(binary(name("i"), "+", number) for number in numbers), 7)


def made(text: str) -> list[Any]:
    scope = {kind: lambda *sizes, kind=kind: (kind, *sizes) for kind in "fg"}
    found = eval(f"list({text})", {**scope, "i": 100, "range": range, "list": list})
    assert isinstance(found, list)
    return found


CASES: dict[str, tuple[list[Code], int]] = {
    "equal": ([item("f", 1, 1)] * 4, 1),
    "grows": ([item("f", n, n) for n in range(3, 9)], 1),
    "grows from 0 by 2": ([item("f", n) for n in range(0, 12, 2)], 1),
    "one place grows": ([item("f", n, 1) for n in range(2, 6)], 1),
    "two grow apart": ([item("f", n, 2 * n) for n in range(2, 6)], 4),
    "two are no run": ([item("f", 1), item("f", 1)], 2),
    "a head and a run": ([item("g", 1), *[item("f", 2)] * 3, item("g", 3)], 3),
    "two runs": ([item("f", n) for n in (1, 2, 3, 4, 9, 9, 9)], 2),
    "falls": ([item("f", n) for n in (5, 4, 3, 2)], 4),
    "nothing": ([], 0),
}


@pytest.mark.parametrize("case", CASES)
def test_runs_are_written_once(case: str) -> None:
    items, count = CASES[case]
    found = in_runs(items)
    assert len(found) == count
    text = f"{found[0]}" if count == 1 < len(items) else f"{list_of(found)}"
    assert made(text) == made(f"{list_of(items)}")


@given(st.lists(st.tuples(st.sampled_from("fg"), st.integers(0, 3), st.integers(0, 3)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_list_is_what_it_was(parts: list[tuple[str, int, int]]) -> None:
    items = [item(kind, a, b) for kind, a, b in parts]
    found = in_runs(items)
    whole = len(found) == 1 < len(items)
    code = found[0] if whole else list_of(found)
    for width in (0, 60):  # on one line, and broken over several
        text = "\n".join(laid(code.node, "", "", width))
        assert made(text.strip() if width == 0 else f"(\n{text}\n)") == made(f"{list_of(items)}")
