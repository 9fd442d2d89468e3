"""What CONTRIBUTING.md says of files is so: they exist, and its examples are in each file that a list names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LISTS = {
    title: body.partition("\n## ")[0] for title, _, body in (part.partition("\n") for part in PAGE.split("\n### ")[1:])
}
# for these, every file that knows the example is in the list: an addition touches no other
COMPLETE = ("Add an operation", "Add a pass", "Add a diagnostic", "Add an analysis", "Add a size atom")


def _example(title: str) -> re.Pattern[str]:
    found = re.search(r"Example: `([^`]+)`", LISTS[title])
    assert found, title
    return re.compile(rf"\b{re.escape(found[1])}\b", re.IGNORECASE if title == "Add a backend" else 0)


def _files(title: str) -> list[str]:
    return re.findall(r"(?m)^\| `([^`]+)` \| \S", LISTS[title])


def _knows(path: Path, word: re.Pattern[str]) -> bool:
    return word.search(path.read_text(encoding="utf-8")) is not None


def test_every_kind_of_addition_has_its_list() -> None:
    assert [title.removeprefix("Add a").removeprefix("n").strip() for title in LISTS] == [
        "operation", "pass", "diagnostic", "backend", "statement", "form of syntax", "paper", "analysis", "size atom",
    ]  # fmt: skip


@pytest.mark.parametrize("title", LISTS)
def test_the_example_of_a_list_is_in_each_of_its_files(title: str) -> None:
    word, files = _example(title), _files(title)
    assert len(files) >= 3
    assert [file for file in files if not (ROOT / file).is_file() or not _knows(ROOT / file, word)] == []


@pytest.mark.parametrize("title", COMPLETE)
def test_no_file_that_knows_the_example_is_left_out(title: str) -> None:
    word = _example(title)
    sources = [
        path
        for folder in ("grammar", "compiler", "backends", "src/ogive")
        for path in (ROOT / folder).rglob("*.py")
        if not any(parent.is_symlink() for parent in path.parents)
    ]
    assert len(sources) > 200
    knowing = {path.relative_to(ROOT).as_posix() for path in sources if _knows(path, word)}
    assert knowing <= set(_files(title))


def test_every_path_on_the_page_exists() -> None:
    paths = re.findall(r"\b(?:grammar|compiler|backends|stdlib|src|tests|docs)/[\w./]*", PAGE)
    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path.rstrip(".")).exists()] == []


def test_the_picture_names_every_folder_of_the_compiler_and_every_backend() -> None:
    picture = PAGE.partition("## The way of a program")[2].partition("## To add something")[0]
    for root in ("compiler", "backends"):
        for folder in (ROOT / root).iterdir():
            if (folder / "__init__.py").exists() and folder.name not in ("compared", "posets"):
                assert f"{root}/{folder.name}/" in picture, folder
    for folder in (ROOT / "compiler" / "elaborate").iterdir():
        if (folder / "__init__.py").exists():
            assert f"{folder.name}/" in picture, folder


def test_the_lines_of_a_second_text_target_are_about_so_many() -> None:
    said = re.search(r"would use these ([\d,]+) lines[^|]*?Of the ([\d,]+) lines of PyTorch", PAGE)
    assert said is not None
    rows = re.findall(r"(?m)^\| ([\d,]+) \| ", LISTS["Add a backend"])
    for folder, stated in zip(("python_text", "pytorch"), said.groups(), strict=True):
        lines = sum(len(path.read_text().splitlines()) for path in (ROOT / "backends" / folder).rglob("*.py"))
        assert abs(int(stated.replace(",", "")) - lines) < lines / 10, (folder, lines)
    own = sum(int(row.replace(",", "")) for row in rows)
    assert own < int(said[2].replace(",", ""))  # what has no counterpart, and texts of helpers, are left out
