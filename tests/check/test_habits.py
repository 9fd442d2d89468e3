"""What newcomers type out of habit gets a message that mends it: by its edits, or by what its help says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ogive.compiler.driver.workspace import CheckedProgram, check_text
from ogive.mend import mend

TEXT = (Path(__file__).parents[1] / "golden" / "habits.txt").read_text(encoding="utf-8")
PARTS = re.sub(r"\A(#.*\n)+", "", TEXT).split("---\n")
EDITED = [part for part in PARTS if "=>\n" not in part]
FOLLOWED = [part.split("=>\n") for part in PARTS if "=>\n" in part]


def checked(text: str) -> CheckedProgram:
    return check_text(text, "habit.arch")


def errors(program: CheckedProgram) -> list[str]:
    return [f"{found.code} {found.message}" for found in program.diagnostics if found.severity == "error"]


@pytest.mark.parametrize("text", EDITED)
def test_edits_alone_mend_it(text: str) -> None:
    assert errors(checked(text))
    mended = mend(text, checked)
    assert errors(mended.program) == [], mended.text
    assert mended.count


@pytest.mark.parametrize("text", EDITED)
def test_the_help_has_what_the_edits_write(text: str) -> None:
    for found in checked(text).diagnostics:
        for edit in found.edits:
            assert edit.text.strip().removesuffix(")").lstrip("(") in found.help, found.help


@pytest.mark.parametrize(("text", "followed"), FOLLOWED)
def test_what_follows_the_help_checks(text: str, followed: str) -> None:
    found = checked(text).diagnostics
    helps = " ".join(each.help for each in found if each.severity == "error")
    assert helps
    for words in re.findall(r"`(.*?)`", followed):
        assert re.sub(r"=\d+", "=...", words) in re.sub(r"=\d+", "=...", helps), (words, helps)
    assert errors(checked(followed.replace("`", ""))) == []


@pytest.mark.parametrize("later", ["q + x", "sum[-1](q) + x", "x * q", "maximum(q, x)"])
def test_a_first_fault_is_not_explained_by_a_later_one(later: str) -> None:
    pattern = '"b n (h e) -> b h n e", h=heads'
    text = f"block f[heads](x: [b, n, d]) -> [b, n]:\n    q = x |> rearrange[{pattern}]\n    return {later}\n"
    first, *others = checked(text).diagnostics
    assert (first.code, first.help) == ("E0301", "where d % heads == 0")
    assert others
    assert "heads" not in first.help.replace("d % heads == 0", "")


@pytest.mark.parametrize("given", ["relu(x)", "relu(x).ones(d)", "sum[0](x).relu()", "f(x)", "relu(relu(x)).view(d)"])
def test_an_initializer_that_reads_an_input_is_refused(given: str) -> None:
    text = f"block f[d](x: [b, d]) -> [b, d]:\n    param w: [d] = {given}\n    return x * w\n"
    assert errors(checked(text))
