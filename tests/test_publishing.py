"""What readers outside of the repository rely on: the card for language models, and the files of a release."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from ogive.compiler.driver.workspace import check_text
from ogive.version import VERSION

ROOT = Path(__file__).parents[1]
CARD = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
MISTAKES = re.findall(r"(?ms)^### (\d+)\. ([^\n]*?) \((E\d{4})\)\nwrong:\n(.*?)^right:\n(.*?)(?=^### |\Z)", CARD)


def errors(text: str) -> list[str]:
    return [each.code for each in check_text(text, "<card>").diagnostics if each.severity == "error"]


def test_the_card_holds_the_language_and_twenty_mistakes() -> None:
    (page,) = re.findall(r"(?ms)^```arch\n(.*?)^```$", CARD)
    assert errors(page) == []
    assert [int(number) for number, *_ in MISTAKES] == list(range(1, 21))
    assert len(CARD) < 12_000


@pytest.mark.parametrize(("number", "title", "code", "wrong", "right"), MISTAKES)
def test_a_mistake_is_one_and_its_remedy_is_none(number: str, title: str, code: str, wrong: str, right: str) -> None:
    assert errors(textwrap.dedent(wrong)) == [code], (number, title)
    assert errors(textwrap.dedent(right)) == []


def test_the_citation_says_the_version_of_the_package() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    said = dict(re.findall(r"(?m)^([\w-]+): \"?([^\"\n]*)\"?$", text))
    assert said["cff-version"] == "1.2.0"
    assert said["version"] == VERSION
    assert said["license"] == "Apache-2.0"
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert data["version"] == VERSION
    assert data["authors"] == [{"name": "The Ogive developers"}]


def test_what_a_release_must_fill_in_is_named() -> None:
    page = (ROOT / "docs" / "release.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([\w./-]+\.(?:cff|md|toml|json|yml))`", page):
        assert (ROOT / name).is_file(), name
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        assert "PLACEHOLDER" in (ROOT / name).read_text(encoding="utf-8")
        assert name in page
