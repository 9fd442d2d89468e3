"""No figure is worse than it was in the table of before: crossings, bends, labels on a page, kilobytes."""

from __future__ import annotations

import pytest

from bench import figures
from diagram.subjects import ROOT, subjects
from ogive.backends.diagram.diagram import diagram
from sampled import sampled

BASE = figures.table((ROOT / "bench" / "figures_base.txt").read_text())
SUBJECTS = subjects()
ROWS = [row for row in BASE if row.rpartition(" ")[0] in SUBJECTS]


@pytest.mark.parametrize("row", sampled(ROWS, 37))
def test_no_figure_is_worse_without_a_reason(row: str) -> None:
    name, _, depth = row.rpartition(" ")
    now = figures.measured(diagram(SUBJECTS[name], depth=int(depth)))
    assert [said for said in figures.worse(BASE[row], now) if not said.endswith("7 pt)")] == []


def test_what_is_worse_is_said_with_its_reason() -> None:
    assert figures.worse((1, 2, 8.5, 10.0), (1, 2, 7.0, 12.9)) == [
        "points: 8.5 -> 7.0 (laid out for its page: every label has 7 pt)"
    ]
    assert figures.worse((1, 2, 8.5, 10.0), (2, 3, 6.9, 13.1)) == [
        "crossings: 1 -> 2", "bends: 2 -> 3", "points: 8.5 -> 6.9", "kilobytes: 10.0 -> 13.1"
    ]  # fmt: skip
