"""Conditions that compare sizes with floats: the same truth as Python's for every size, and never an exception."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product

import pytest
import torch

import ogive
from ogive.compiler.driver.workspace import check_text

COMPARED: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
SIZES = {"d": lambda d: d, "2 * d - 1": lambda d: 2 * d - 1, "d % 3": lambda d: d % 3, "d // 2": lambda d: d // 2}
FLOATS = ("1e-9", "0.0", "1.5", "2.0", "2.5", "inf", "-inf", "3.0000001")
CASES = [(size, op, number) for size, op, number in product(SIZES, COMPARED, FLOATS)]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_choice_is_that_of_python(swapped: bool) -> None:
    """Each as the condition of an `if`, decided by the numbers of three models."""
    lines = []
    for at, (size, op, number) in enumerate(CASES):
        text = f"{number} {op} {size}" if swapped else f"{size} {op} {number}"
        lines += [f"block f{at}[d](x: [d]) -> [d]:", f"    if {text}:", "        return x + 1", "    return x", ""]
        lines += [f"model F{at}x{d} = f{at}[d={d}]" for d in (1, 2, 3)]
    program = check_text("\n".join(lines) + "\n")
    assert not [each for each in program.diagnostics if each.severity == "error"]
    for at, (size, op, number) in enumerate(CASES):
        for d in (1, 2, 3):
            sides = (SIZES[size](d), float(number))
            holds = COMPARED[op](*(reversed(sides) if swapped else sides))
            nodes = [node.op for node in program.models[f"F{at}x{d}"].ir.definition.graph.nodes]
            assert ("add" in nodes) is holds, (size, op, number, d)


def test_a_condition_of_a_block_holds_where_it_says() -> None:
    net = ogive.source("block F(x: [n]) -> [n]\nwhere n < 3.5, 1.5 < n:\n    return x\nmodel M = F\n")["M"].torch()
    for n in range(1, 6):
        if 2 <= n <= 3:
            assert net(torch.ones(n)).shape == (n,)
        else:
            with pytest.raises(ValueError, match="n"):
                net(torch.ones(n))


PLACES = (
    "block F(x: [b, d]) -> [b, d]\nwhere d > 1:\n    return x[:, 1:] |> G\n\nmodel M = F where {}\n",
    "block F(x: [b, d]) -> [b, d]\nwhere {}:\n    return x\n\nmodel M = F\n",
    "block F(x: [b, d]) -> [b, d]:\n    require {}\n    return x\n\nmodel M = F\n",
    "block F(x: [b, d]) -> [b, d]:\n    assume {}\n    return x\n\nmodel M = F\n",
    "block F(x: [b, d]) -> [b, d]:\n    if {}:\n        x = x + 1\n    return x\n\nmodel M = F\n",
    "block F[k=1 if {} else 2](x: [b, d]) -> [b, d]:\n    return k * x\n\nmodel M = F\n",
    "block F(x: [b, d]) -> [b, d]:\n    y = x * 2 if {} else x\n    return y\n\nmodel M = F[d=3]\n",
    "block F(x: [b, d]) -> [b, d]:\n    repeat 2 if {} else 3 as h:\n        x = x + 1\n    return x\n\nmodel M = F\n",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_none_ends_in_an_exception(place: str) -> None:
    for condition in (
        "d % 4 == 1e-9", "1.5 < d", "d / 2 >= 1", "d / 3.0 != 1", "d * 1.5 > 2", "d == inf", "d < 2.0**70",
        "0.5 < d < 2.5", "not d > 1.5", "d > 1.5 and d / 2 < 3", "b < d / 2",
    ):  # fmt: skip
        found = check_text(place.format(condition)).diagnostics
        assert not any("Scalar(" in each.message or "Size(" in each.message for each in found)
