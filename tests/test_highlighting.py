"""Colours: the lexer for Pygments and the grammar for editors say of each word what the language's own lexer says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
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


def scoped(text: str) -> Iterator[tuple[int, int, str]]:
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
            for start, stop, scope in scopes(match, rule, line, end):
                yield offset + start, offset + stop, scope
            at = max(end, at + 1)
        offset += len(line) + 1


def scopes(match: re.Match[str], rule: dict[str, Any], line: str, end: int) -> Iterator[tuple[int, int, str]]:
    """What the parts of a match are: its groups, or what stands between begin and end and what that holds."""
    if "begin" in rule:
        inner, at = [(re.compile(each["match"]), each["name"]) for each in rule.get("patterns", ())], match.end()
        yield *match.span(), rule["name"]
        while at < end:
            found = [(each, name) for pattern, name in inner if (each := pattern.search(line, at, end))]
            first = min(found, key=lambda each: each[0].start(), default=None)
            if first is None:
                yield at, end, rule["name"]
                break
            yield at, first[0].start(), rule["name"]
            yield *first[0].span(), first[1]
            at = first[0].end()
    elif "captures" not in rule:
        yield *match.span(), rule["name"]
    else:
        for key, value in rule["captures"].items():
            if match.start(int(key)) >= 0:
                yield *match.span(int(key)), value["name"]


def textmate(text: str) -> Iterator[tuple[int, str, str]]:
    for start, stop, scope in scoped(text):
        kind = scope.split(".")[0]
        word = {"storage": "keyword", "keyword": "keyword", "entity": "name", "variable": "name", "support": "name",
                "string": "string", "comment": "comment"}.get(kind, "")  # fmt: skip
        if kind == "constant":
            word = "number" if "numeric" in scope else "keyword"
        if kind == "keyword" and ".operator" in scope:
            word = ""
        yield start, text[start:stop], word


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


def snapshot(tokens: Iterable[tuple[int, int, str]], text: str) -> str:
    """Each line, and under it what each of its words is."""
    found: list[tuple[int, int, str]] = []
    for first, last, scope in sorted(tokens):
        if found and found[-1][1:] == (first, scope):
            found[-1] = found[-1][0], last, scope
        elif last > first:
            found.append((first, last, scope))
    rows, start = [], 0
    for line in text.split("\n"):
        rows.append(f">{line}")
        inside = (each for each in found if start <= each[0] < start + len(line))
        rows += (f" {' ' * (first - start)}{'^' * (last - first)} {scope}" for first, last, scope in inside)
        start += len(line) + 1
    return "\n".join(rows) + "\n"


SNAPSHOT = ROOT / "tests" / "golden" / "highlighting" / "textmate.txt"
SHOWN = TEXTS["gpt2"] + STRANGE


def test_the_colours_of_an_example_are_those_that_were_looked_at(rewrite: bool) -> None:
    made = snapshot(scoped(SHOWN), SHOWN)
    if rewrite:
        SNAPSHOT.write_text(made, encoding="utf-8")
    assert made == SNAPSHOT.read_text(encoding="utf-8")


ENGINE = """
const fs = require("fs"), textmate = require("vscode-textmate"), onig = require("vscode-oniguruma");
const [, , path, file] = process.argv;
const binary = fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer;
const library = onig.loadWASM(binary).then(() => ({
  createOnigScanner: (patterns) => new onig.OnigScanner(patterns),
  createOnigString: (text) => new onig.OnigString(text),
}));
const loadGrammar = async () => textmate.parseRawGrammar(fs.readFileSync(path, "utf8"), path);
new textmate.Registry({ onigLib: library, loadGrammar }).loadGrammar("source.ogive").then((grammar) => {
  let start = 0, stack = textmate.INITIAL;
  const found = [];
  for (const line of fs.readFileSync(file, "utf8").split("\\n")) {
    const read = grammar.tokenizeLine(line, stack);
    stack = read.ruleStack;
    for (const { startIndex, endIndex, scopes } of read.tokens)
      if (scopes.length > 1)
        found.push([start + startIndex, start + Math.min(endIndex, line.length), scopes.at(-1)]);
    start += line.length + 1;
  }
  console.log(JSON.stringify(found));
});
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node")
def test_the_engine_of_editors_sees_the_same_and_the_extension_packs(tmp_path: Path) -> None:
    """With vscode-textmate, which Visual Studio Code uses; and with vsce, as docs/editors.md says."""

    def run(*command: str, folder: Path) -> str:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout

    quiet = ("--no-audit", "--no-fund", "--silent")
    run("npm", "install", *quiet, "vscode-textmate@9", "vscode-oniguruma@2", folder=tmp_path)
    (tmp_path / "engine.cjs").write_text(ENGINE)
    (tmp_path / "shown.arch").write_text(SHOWN)
    path = EDITOR / "syntaxes" / "ogive.tmLanguage.json"
    found = json.loads(run("node", "engine.cjs", str(path), "shown.arch", folder=tmp_path))
    assert snapshot(map(tuple, found), SHOWN) == SNAPSHOT.read_text(encoding="utf-8")
    folder = tmp_path / "extension"
    shutil.copytree(EDITOR, folder, ignore=shutil.ignore_patterns("node_modules", "*.vsix"))
    run("npm", "install", *quiet, folder=folder)
    (page,) = re.findall(r"npx (@vscode/vsce@\d+ package [^&]*?) &&", (ROOT / "docs" / "editors.md").read_text())
    run("npx", "-y", *page.split(), folder=folder)
    with zipfile.ZipFile(next(folder.glob("*.vsix"))) as packed:
        names = set(packed.namelist())
    inside = {path.relative_to(EDITOR).as_posix() for path in EDITOR.rglob("*") if path.is_file()}
    assert {f"extension/{name}" for name in inside if not name.startswith((".", "README", "node_modules"))} <= names
    assert "extension/node_modules/vscode-languageclient/package.json" in names


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
