"""Colours: the lexer for Pygments and the grammar for editors say of each word what the language's own lexer says."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, String

from ogive import stdlib
from ogive.grammar.lexer import KEYWORDS, lex
from ogive.grammar.source import Chunk
from ogive.highlighting import OgiveLexer

ROOT = Path(__file__).parents[1]
EDITOR = ROOT / "editors" / "vscode"
GRAMMAR = json.loads((EDITOR / "syntaxes" / "ogive.tmLanguage.json").read_text(encoding="utf-8"))
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*.arch"))}
TEXTS |= {name: stdlib.source(name) for name in stdlib.names()}
STRANGE = "state = x\nblock F(x: [b]) -> [b]:\n    init = x\n    scan = init + repeat'\n    return with_x |> keep\n"


def truth(text: str) -> dict[int, str]:
    """What the language's lexer says of each word: keyword, name, number or text, by offset."""
    kinds: dict[int, str] = {}
    for kind, start, end in lex(Chunk(text)).items:
        word = text[start:end]
        if kind in KEYWORDS or word in ("true", "false", "none"):
            kinds[start] = "keyword"
        elif kind in ("NAME", "NUMBER", "STRING") and word:
            kinds[start] = kind.lower()
    return kinds


def pygments(text: str) -> Iterator[tuple[int, str, str]]:
    for start, kind, value in OgiveLexer().get_tokens_unprocessed(text):
        assert kind is not Error
        said = next(
            (word for of, word in ((Keyword, "keyword"), (Name, "name"), (Number, "number"), (String, "string"),
                                   (Comment, "comment")) if kind in of), ""
        )  # fmt: skip
        yield start, value, said


def textmate(text: str) -> Iterator[tuple[int, str, str]]:
    """The grammar as an editor runs it: at each place the first pattern that matches there, or the nearest one."""
    patterns = [(re.compile(each.get("match") or each["begin"]), each) for each in GRAMMAR["patterns"]]
    offset = 0
    for line in text.split("\n"):
        at = 0
        while at < len(line):
            found = [(match, rule) for pattern, rule in patterns if (match := pattern.search(line, at))]
            if not found:
                break
            match, rule = min(found, key=lambda each: each[0].start())
            end = match.end()
            if "begin" in rule:
                closing = re.compile(rule["end"]).search(line, end)
                end = closing.end() if closing is not None else len(line)
            for start, stop, scope in scopes(match, rule, end):
                yield offset + start, line[start:stop], scope
            at = max(end, at + 1)
        offset += len(line) + 1


def scopes(match: re.Match[str], rule: dict[str, Any], end: int) -> Iterator[tuple[int, int, str]]:
    named = rule.get("captures")
    for number, scope in ((int(key), value["name"]) for key, value in named.items()) if named else [(0, rule["name"])]:
        start, stop = match.span(number)
        kind = scope.split(".")[0]
        word = {"storage": "keyword", "keyword": "keyword", "entity": "name", "variable": "name", "support": "name",
                "string": "string", "comment": "comment"}.get(kind, "")  # fmt: skip
        if kind == "constant":
            word = "number" if "numeric" in scope else "keyword"
        if kind == "keyword" and ".operator" in scope:
            word = ""
        yield start, end if number == 0 and "begin" in rule else stop, word


@pytest.mark.parametrize("read", [pygments, textmate])
@pytest.mark.parametrize("name", [*TEXTS, "strange"])
def test_words_are_what_the_language_says(name: str, read: Any) -> None:
    text = TEXTS.get(name, STRANGE)
    known = {start: kind for start, _, kind in read(text)}
    wrong = {start: (kind, known.get(start)) for start, kind in truth(text).items()}
    lines = text.split("\n")
    shown = []
    for start, (kind, said) in wrong.items():
        types = ("name", "keyword") if said == "keyword" and text[start:].startswith(TYPES) else (kind,)
        if said not in types and "MODULE" not in kind and not lines[text[:start].count("\n")].startswith("use "):
            shown.append((text[start : start + 20], kind, said))
    assert shown == []


TYPES = ("float", "int", "bool", "complex", "f16", "bf16", "f32", "f64", "i32", "i64")


def test_pygments_finds_the_lexer_by_its_entry_point() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert data["project"]["entry-points"]["pygments.lexers"]["ogive"] == "ogive.highlighting:OgiveLexer"


def test_the_extension_names_files_that_are_there_and_commands_of_the_server() -> None:
    data = json.loads((EDITOR / "package.json").read_text(encoding="utf-8"))
    named = [data["main"], *(each["path"] for each in data["contributes"]["grammars"])]
    named += [each["configuration"] for each in data["contributes"]["languages"]]
    assert all((EDITOR / each).is_file() for each in named)
    script = (EDITOR / "extension.js").read_text(encoding="utf-8")
    for each in data["contributes"]["commands"]:
        assert f'"{each["command"]}"' in script
    assert '"ogive.drawing"' in script
    assert 'command("ogive.drawing")' in (ROOT / "src" / "ogive" / "lsp" / "start.py").read_text(encoding="utf-8")
    for each in re.findall(r'get\("([\w.]+)"\)', script):
        assert f"ogive.{each}" in data["contributes"]["configuration"]["properties"]
