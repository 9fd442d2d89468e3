"""Every diagnostic as a reader sees it: each `.arch` file beside the text that it must give (`--rewrite`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ogive.codes import sections
from ogive.compiler.driver.workspace import check_text
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.render import render

FOLDER = Path(__file__).parents[1] / "golden" / "check"
CASES = sorted(FOLDER.glob("*.arch"))
MISTAKES = [path for path in CASES if path.stem.startswith("pytorch_")]


def _found(path: Path) -> tuple[Diagnostic, ...]:
    return check_text(path.read_text(encoding="utf-8"), path.name).diagnostics


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_rendering(path: Path, rewrite: bool) -> None:
    text = render(_found(path)) + "\n"
    expected = path.with_suffix(".txt")
    if rewrite:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [p for p in CASES if p not in MISTAKES], ids=lambda path: path.stem)
def test_the_code_of_its_name_comes_first(path: Path) -> None:
    code = path.stem.partition("_")[0].upper()
    found = [d.code for d in _found(path) if d.severity == "error" or code[0] != "E"]
    assert code in found
    assert set(found) == {code}


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_told_what_to_write_instead(path: Path) -> None:
    errors = [d for d in _found(path) if d.severity == "error"]
    assert errors
    assert all("`" in d.help or d.help.startswith("where ") for d in errors)


def test_every_code_of_the_checker_has_its_case() -> None:
    shown = {path.stem.partition("_")[0].upper() for path in CASES}
    made = ("E08", "E0413", "W0908", "W0909")  # what is said of files of weights, of builds and of calls from Python
    assert {code for code in sections() if not code.startswith(made)} <= shown


def test_every_expectation_has_its_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in CASES}
    assert len(MISTAKES) >= 15
