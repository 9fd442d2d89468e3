"""Diagnostics of syntax as a reader sees them: each `.arch` file beside the text that it must give (`--rewrite`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ogive.grammar.parser import parse
from ogive.grammar.render import render

FOLDER = Path(__file__).parents[1] / "golden" / "syntax"
CASES = sorted(FOLDER.glob("*.arch"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_rendering(path: Path, rewrite: bool) -> None:
    text = render(parse(path.read_text(encoding="utf-8"), path.name).diagnostics) + "\n"
    expected = path.with_suffix(".txt")
    if rewrite:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_every_expectation_has_its_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in CASES}
    assert CASES
