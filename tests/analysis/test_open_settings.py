"""Settings that are formulas of sizes, and of sizes that nobody gives: answered, listed as unknown, or refused."""

from __future__ import annotations

import pytest

import ogive
from ogive.analyses import NAMES
from ogive.grammar.diagnostics import ArchError

TEXT = """use std.nn (Linear, LayerNorm)

block F(x: [b, n, 4]) -> [b, n, 4]:
    y = x |> Linear[4, 4] as lin |> clamp[-1.0 * n, 1.0 / n] |> LayerNorm
    y = y |> Linear[4, 4] as mid |> leaky_relu[slope=1/n] |> softplus[beta=1.0 + n]
    return elu[alpha=1.0 * n](y |> Linear[4, 4] as out) |> dropout[p=1/(n+1)]

model M = F
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sizes", [{}, {"b": 2, "n": 3}])
def test_no_analysis_stumbles(name: str, sizes: dict[str, int]) -> None:
    try:
        found = ogive.source(TEXT)["M"].analyze(name, sizes=sizes)
    except ArchError as refused:
        assert refused.diagnostics[0].code.startswith("E081")
        return
    assert found.json()["analysis"] == name


def test_at_numbers_nothing_is_unknown() -> None:
    found = ogive.source(TEXT)["M"].analyze("criticality", sizes={"b": 2, "n": 3})
    assert not [row for row in found.unknown if "depends on sizes" in row.reason]
    open_ = ogive.source(TEXT)["M"].analyze("criticality")
    assert {row.op for row in open_.unknown} >= {"clamp"}
