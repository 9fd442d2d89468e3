"""The page for language models is true: right programs check without a word, wrong ones give the code that it says."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from ogive.compiler.driver.workspace import check_text

PAGE = (Path(__file__).parents[1] / "docs/llms.txt").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```arch(?: wrong (E\d{4}))?\n(.*?)^```", PAGE, re.S | re.M)
LIBRARY = re.findall(r"(std\.\w+)\s+\(([\w, ]+)\)", PAGE.split("## The commonest mistakes")[0].split("- Library:")[1])


def test_every_fence_is_a_program() -> None:
    assert PAGE.count("```arch") == len(PROGRAMS)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program(number: int) -> None:
    code, text = PROGRAMS[number]
    found = check_text(text).diagnostics
    assert {d.code for d in found if d.severity == "error"} == ({code} if code else set()), text
    assert code or not found


def test_what_is_right_follows_what_is_wrong() -> None:
    codes = [code for code, _ in PROGRAMS]
    assert len(list(filter(None, codes))) >= 20
    assert all(not (a and b) for a, b in pairwise(codes))
    assert not codes[-1]


def test_wrong_programs_are_helped() -> None:
    for code, text in PROGRAMS:
        assert not code or any(d.help for d in check_text(text).diagnostics), text


def test_the_library_has_these_blocks() -> None:
    assert len(LIBRARY) >= 8
    for module, names in LIBRARY:
        found = [d.code for d in check_text(f"use {module} ({names})\n").diagnostics if d.severity == "error"]
        assert found == [], module


def test_it_is_one_page() -> None:
    assert len(PAGE) < 16_000
