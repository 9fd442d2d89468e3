"""The grammar for editors that use tree-sitter: it reads what the language's parser reads, node by node."""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from tree_sitter import Language, Parser, Tree

import random_trees as trees
from editors.loose import loosened
from editors.syntax_trees import FOLDER, indented, read, same, terms
from generated.program import program
from generated.text import program_text
from ogive.grammar import syntax as s
from ogive.grammar.printer import unparse

ROOT = Path(__file__).parents[2]
FILES = sorted(file for folder in ("examples", "stdlib") for file in (ROOT / folder).rglob("*.arch"))
CORPUS = sorted((FOLDER / "test" / "corpus").glob("*.txt"))
CASE = re.compile(r"={80}\n(.*)\n={80}\n\n((?:.*\n)*?)\n-{80}\n\n((?:[ (].*\n)+)\n?")


def test_every_file_is_read_alike(grammar: Language) -> None:
    for path in FILES:
        same(path.read_text(encoding="utf-8"), grammar)


def test_comments_and_breaks_change_nothing(grammar: Language) -> None:
    for seed, path in enumerate(FILES[::3]):
        same(loosened(path.read_text(encoding="utf-8"), random.Random(seed)), grammar)


@settings(max_examples=50)
@given(tree=trees.files())
def test_every_tree_is_read_alike(tree: s.File, grammar: Language) -> None:
    text = unparse(tree)
    # for tree-sitter a zero ends the text, and `0.x` begins with the number `0.`, which no program says
    assume(not re.search(r"\0|\d\.[A-Za-z_]", text))
    same(text, grammar)


@pytest.mark.parametrize("count", [50, pytest.param(5000, marks=pytest.mark.slow)])
def test_random_programs_are_read_alike(count: int, grammar: Language) -> None:
    for number in range(count):
        text = program_text(program(f"editors/{number}"))
        same(text if number % 2 else loosened(text, random.Random(number)), grammar)


PARTS = ("a ", "b", " ", "c' ", "(", ")", "->", " -> ", " -> ", ",", " + ", "*", "...", ".", "3", " *b ", "-", "é", "'")


def test_a_string_is_a_pattern_where_the_language_says_so(grammar: Language) -> None:
    """And what is none spoils nothing beyond its quotation marks."""
    rng = random.Random(0)
    strings = ["".join(rng.choices(PARTS, k=rng.randrange(1, 9))) for _ in range(2500)]
    valid = [each for each in strings if next(terms(each, 0), ("operand",))[0] != "opaque"]
    assert len(valid) > 100
    same("".join(f'const a = f["{each}"]\n' for each in valid), grammar)
    tree = read("".join(f'const a = f["{each}"]\n' for each in strings), grammar)
    assert [child.type for child in tree.root_node.children] == ["const"] * len(strings)


INSERTED = (
    "(",
    ")",
    "[",
    '"',
    "'",
    "\n",
    "    ",
    "#",
    "block F(x: [n]) -> [n]:\n",
    "state ",
    "x = 1\n",
    "|> f",
    "->",
    ":",
)


def edited(tree: Tree, text: bytes, start: int, end: int, put: bytes) -> bytes:
    """The text with other bytes from start to end, of which the tree is told."""
    after = text[:start] + put + text[end:]

    def point(within: bytes, at: int) -> tuple[int, int]:
        return within[:at].count(b"\n"), at - (within.rfind(b"\n", 0, at) + 1)

    tree.edit(
        start_byte=start, old_end_byte=end, new_end_byte=start + len(put), start_point=point(text, start),
        old_end_point=point(text, end), new_end_point=point(after, start + len(put)),
    )  # fmt: skip
    return after


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_an_edit_broke_its_undoing_mends(count: int, grammar: Language) -> None:
    """Read again where it changed alone, as editors do; how a broken text is understood may depend on the way to it."""
    rng, parser = random.Random(0), Parser(grammar)
    for path in FILES[:: len(FILES) // 5]:
        text = path.read_bytes()
        tree, whole = parser.parse(text), indented(parser.parse(text))
        for _ in range(count):
            start = rng.randrange(len(text) + 1)
            end = min(len(text), start + rng.choice((0, 0, 1, 3, 10, 40)))
            put = rng.choice(INSERTED).encode() if rng.random() < 0.8 else b""
            broken = edited(tree, text, start, end, put)
            tree = parser.parse(broken, tree)
            assert edited(tree, broken, start, start + len(put), text[start:end]) == text
            tree = parser.parse(text, tree)
            assert indented(tree) == whole, (path, start, end, put)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_corpus(path: Path, grammar: Language, rewrite: bool) -> None:
    text = path.read_text(encoding="utf-8")
    cases = CASE.findall(text)
    if rewrite:
        rule, line = "=" * 80, "-" * 80
        made = (f"{rule}\n{title}\n{rule}\n\n{source}\n{line}\n\n{indented(read(source, grammar))}\n"
                for title, source, _ in cases)  # fmt: skip
        path.write_text("\n".join(made), encoding="utf-8")
        return
    assert len(cases) == text.count("=" * 80) // 2
    for title, source, tree in cases:
        assert indented(read(source, grammar)) == tree, title
        if path.stem != "errors":
            same(source, grammar)


def test_the_generated_files_are_those_of_the_grammar() -> None:
    sums = (FOLDER / "src" / "SHA256SUMS").read_text(encoding="utf-8").split("\n")
    for line in filter(None, sums):
        known, name = line.split()
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == known, f"{name}: run ./generate"
