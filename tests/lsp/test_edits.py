"""Random edits of every example: nothing breaks, and what is said is what a fresh check says."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lsp.edited import ask, edited, fresh, told
from ogive.language import hints
from ogive.language.desk import Desk
from sampled import sampled

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.arch"))
EDITS = 1_000  # of all examples together; the slow test makes so many of each four
MANY = 250


def follow(path: Path, seed: int, count: int) -> None:
    """Edit a file so often; after runs of a few edits it begins anew, so that most of it stays readable."""
    print(f"{path.name}: seed {seed}")
    draw, desk, name = random.Random(seed), Desk(), str(path)
    first = text = path.read_text(encoding="utf-8")
    for number in range(1, count + 1):
        text = first if draw.randrange(8) == 0 else edited(text, draw)
        desk.open(name, text)
        ask(desk, name, draw)
        if number % 10 == 0 or number == count:
            seen, other = desk.see(name), fresh(path, desk.text(name) or "")
            assert seen is not None
            assert told(seen) == told(other), text
            shown, expected = hints.hints(seen), hints.hints(other)
            assert [each.place for each in shown if each.type] == [each.place for each in expected if each.type], text


@pytest.mark.parametrize("path", sampled(EXAMPLES), ids=lambda path: path.stem)
def test_edits_are_followed(path: Path) -> None:
    follow(path, 7, EDITS // len(EXAMPLES))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_many_edits_are_followed(path: Path) -> None:
    follow(path, 2_026, MANY)
