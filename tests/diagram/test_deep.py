"""Bodies in bodies: what a narrow page costs does not multiply with each level."""

from __future__ import annotations

from functools import cache

import pytest

from counted import calls
from diagram.subjects import block
from ogive.backends.diagram.figure.figure import Section
from ogive.backends.diagram.figure.theme import Theme
from ogive.backends.diagram.from_ir.make import figure_of
from ogive.backends.diagram.layout.place import DEEP, depth
from ogive.backends.diagram.layout.wrap import rows


def section(levels: int) -> Section:
    """Choices in one another, of two arms each."""
    given = ", ".join(f"m{k}: [b, n, d]?" for k in range(levels))
    lines = ["use std.nn (Linear)", f"block A[d](x: [b, n, d], {given}) -> [b, n, d]:"]
    lines += ["    " * (k + 1) + f"if given(m{k}):" for k in range(levels)]
    lines.append("    " * (levels + 1) + "x = x |> Linear[d, d] as p |> relu")
    for k in reversed(range(levels)):
        lines += ["    " * (k + 1) + "else:", "    " * (k + 2) + "x = x |> tanh |> exp |> relu"]
    (made,) = figure_of(block("\n".join([*lines, "    return x"]))).sections
    return made


@cache
def cost(levels: int, width: float) -> int:
    """How many calls it takes to lay them out on a page that is too narrow for them."""
    made = section(levels)
    return calls(lambda: rows(made, Theme(width=width)))


def deepest(levels: int) -> int:
    return max(depth(op) for column in section(levels).columns for op in column.ops)


@pytest.mark.parametrize("width", [150.0, 250.0])
def test_levels_beyond_a_few_add_and_do_not_multiply(width: float) -> None:
    """Few levels are tried in several widths; more of them, or it would take minutes, in one."""
    assert deepest(2) < DEEP < deepest(3)
    assert cost(2, width) > 2 * cost(1, width)
    assert cost(4, width) < 2.5 * cost(2, width)
