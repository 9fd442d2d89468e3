"""What editors ask the grammar for: colours, folds, scopes and symbols."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from tree_sitter import Language, Node, Query, QueryCursor

from editors.syntax_trees import FOLDER, read
from ogive.grammar.lexer import KEYWORDS, lex
from ogive.grammar.source import Chunk

ROOT = Path(__file__).parents[2]
QUERIES = sorted((FOLDER / "queries").glob("*.scm"))
EXAMPLES = sorted((ROOT / "examples").glob("*.arch"))[::2]


def captured(name: str, text: str, grammar: Language) -> dict[str, list[Node]]:
    query = Query(grammar, (FOLDER / "queries" / f"{name}.scm").read_text(encoding="utf-8"))
    return QueryCursor(query).captures(read(text, grammar).root_node)


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_each_query_finds_something(path: Path, grammar: Language) -> None:
    text = (ROOT / "examples" / "gpt2.arch").read_text(encoding="utf-8")
    found = captured(path.stem, text, grammar)
    assert {name.split(".")[0] for name in found} >= {
        "folds": {"fold"}, "indents": {"indent"},
        "highlights": {"keyword", "type", "string", "comment", "operator", "label"},
        "locals": {"local"}, "tags": {"definition", "name"},
    }[path.stem]  # fmt: skip
    if path.stem == "tags":
        names = sorted(node.text.decode() for node in found["name"] if node.text)
        assert names == sorted(re.findall(r"(?m)^(?:block|model) (\w+)", text))


def test_each_word_and_sign_has_one_colour(grammar: Language) -> None:
    for path in EXAMPLES:
        text = path.read_text(encoding="utf-8").encode("ascii", "replace").decode()  # bytes are characters
        colours: dict[tuple[int, int], list[str]] = defaultdict(list)
        for name, nodes in captured("highlights", text, grammar).items():
            for node in nodes:
                colours[node.start_byte, node.end_byte].append(name)
        assert [(text[start:end], names) for (start, end), names in colours.items() if len(names) > 1] == []
        for kind, start, end in lex(Chunk(text)).items:
            named = colours.get((start, end), [""])[0]
            if kind in KEYWORDS - {"true", "false", "none"}:
                assert named.startswith(("keyword", "type.builtin")), text[start:end]
            elif end > start and kind not in ("NAME", "MODULE"):
                assert named, text[start : end + 20]
            elif kind == "NAME":
                assert not named.startswith("keyword"), text[start:end]
