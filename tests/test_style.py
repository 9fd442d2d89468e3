"""The house style that tools can see: linter, formatter, type checker, length of files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("grammar", "compiler", "backends", "stdlib", "src", "tests", "bench")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.resolve() == path
]


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_tools_are_silent(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_type_checker_sees_the_linked_folders(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from ogive.grammar.source import Chunk\nChunk(3)\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", str(wrong)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert 'Argument 1 to "Chunk" has incompatible type "int"' in done.stdout


def test_one_idea_a_file() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES
    }
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_nothing_is_put_off() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    assert [path.name for path in SOURCES if any(mark in path.read_text(encoding="utf-8") for mark in marks)] == []
