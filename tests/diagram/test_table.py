"""The table of rules names tests that exist, and all rules."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_the_table_is_true() -> None:
    table = (HERE / "README.md").read_text()
    assert [int(n) for n in re.findall(r"^\| (\d+)\. ", table, re.MULTILINE)] == list(range(1, 24))
    named = re.findall(r"`(test_\w+)\.(test_\w+)`", table)
    assert len(named) > 23
    for file, test in named:
        assert f"\ndef {test}(" in (HERE / f"{file}.py").read_text(), f"{file}.{test}"
