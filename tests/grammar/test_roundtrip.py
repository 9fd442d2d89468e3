"""Printing is the inverse of parsing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

import random_trees as trees
from ogive.grammar import syntax as s
from ogive.grammar.parser import parse
from ogive.grammar.printer import unparse

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "examples", ROOT / "stdlib", Path("/work/shared/conformance"))
FILES = sorted(file for folder in FOLDERS for file in folder.rglob("*.arch"))


def same(tree: s.File) -> str:
    text = unparse(tree)
    again = parse(text)
    assert not again.diagnostics, (text, again.diagnostics)
    assert again.file == tree, text
    return text


@settings(max_examples=100, deadline=None)
@given(trees.files())
def test_every_tree_survives(tree: s.File) -> None:
    same(tree)


@settings(max_examples=200, deadline=None)
@given(trees.exprs)
def test_every_expression_survives_with_the_fewest_parentheses(tree: s.Expr) -> None:
    file = s.File(
        **trees.AT, declarations=(s.Const(**trees.AT, target=s.Target(**trees.AT, name="a"), statics=(), value=tree),)
    )
    text = same(file)
    for start, stop in parentheses(text):
        if text[start + 1 : stop].rstrip().endswith(","):
            continue  # a tuple of one
        fewer = parse(f"{text[:start]} {text[start + 1 : stop]} {text[stop + 1 :]}")
        assert fewer.diagnostics or fewer.file != file, text


def parentheses(text: str) -> list[tuple[int, int]]:
    """The places of matching parentheses, strings left out."""
    found, stack, quote = [], [], ""
    for i, char in enumerate(text):
        if quote or (char in "\"'" and (char == '"' or not text[i - 1].isalnum())):
            quote = "" if char == quote else quote or char
        elif char == "(":
            stack.append(i)
        elif char == ")":
            found.append((stack.pop(), i))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_survives(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    parsed = parse(text, str(path))
    expected = [number for number, line in enumerate(text.split("\n"), 1) if "#! error E01" in line]
    assert [d.span.begin()[0] for d in parsed.diagnostics] == expected
    same(parsed.file)
