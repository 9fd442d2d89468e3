"""Programs with something broken in them: diagnostics, never a traceback, a hang, or another answer the next time."""

from __future__ import annotations

import re
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from counted import HANG
from ogive import stdlib
from ogive.compiler.driver.workspace import CheckedProgram, Workspace, check_text
from ogive.grammar.render import render, to_json

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.arch"))
SOURCES = [path.read_text(encoding="utf-8") for path in EXAMPLES] + [stdlib.source(name) for name in stdlib.names()]
TOKEN = re.compile(r"\w+|[^\w\s]|\s+")
# without shrinking: a smaller mutant is no clearer, and each step checks a whole file
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A file with one to three mutations."""
    text = draw(st.sampled_from(SOURCES))
    for _ in range(draw(st.integers(1, 3))):
        text = draw(st.sampled_from([_tokens, _lines, _characters]))(draw, text)
    return text


def _tokens(draw: st.DrawFn, text: str) -> str:
    tokens = TOKEN.findall(text)
    words = [i for i, token in enumerate(tokens) if not token.isspace()]
    if len(words) < 2:
        return text
    i, j = draw(st.sampled_from(words)), draw(st.sampled_from(words))
    match draw(st.sampled_from(["delete", "swap", "copy", "number"])):
        case "delete":
            tokens[i] = ""
        case "swap":
            tokens[i], tokens[j] = tokens[j], tokens[i]
        case "copy":
            tokens[i] = tokens[j]
        case _:
            tokens[i] = draw(
                st.sampled_from(["0", "-1", "2**70", "0.5", "true", "none", "inf", "[]", "[1, [x]]", '""'])
            )
    return "".join(tokens)


def _lines(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    i, j = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    match draw(st.sampled_from(["delete", "double", "move", "indent"])):
        case "delete":
            del lines[i]
        case "double":
            lines.insert(i, lines[i])
        case "move":
            lines.insert(j, lines.pop(i))
        case _:
            lines[i] = "    " + lines[i]
    return "\n".join(lines)


def _characters(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text(max_size=3)) + text[at + draw(st.integers(0, 3)) :]


def said(program: CheckedProgram) -> tuple[object, ...]:
    """All that a check says."""
    found = [(to_json(d), d.note, d.details, [(label.span.begin(), label.text) for label in d.labels])
             for d in program.diagnostics]  # fmt: skip
    blocks = [(block.name, block.signature, block.conditions) for block in program.blocks]
    models = [(m.name, m.signature, m.conditions, m.parameters) for m in program.models.values()]
    return found, blocks, models


@MANY
@given(mutants())
def test_a_mutant_gives_diagnostics(text: str) -> None:
    start = time.monotonic()
    program = check_text(text, "mutant.arch")
    assert render(program.diagnostics) or not program.diagnostics
    assert time.monotonic() - start < HANG
    lines = text.count("\n") + 1
    for found in program.diagnostics:
        assert found.message
        if found.span.path == "mutant.arch":
            assert 1 <= found.span.begin()[0] <= found.span.finish()[0] <= lines
    places = [found.order()[:3] for found in program.diagnostics]
    assert places == sorted(places)


@settings(MANY, max_examples=8)
@given(mutants())
def test_a_check_says_the_same_again(text: str) -> None:
    assert said(check_text(text, "mutant.arch")) == said(check_text(text, "mutant.arch"))


@settings(MANY, max_examples=12)
@given(mutants(), mutants())
def test_a_warm_workspace_says_the_same(first: str, second: str) -> None:
    workspace = Workspace()
    for text in (first, second, first):
        assert said(workspace.check(text, "mutant.arch")) == said(check_text(text, "mutant.arch"))


@settings(MANY, max_examples=18)
@given(st.data())
def test_a_small_edit_says_the_same_as_a_whole_check(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SOURCES))
    workspace = Workspace()
    workspace.check(text, "edited.arch")
    for _ in range(3):
        text = _tokens(data.draw, text)  # type: ignore[arg-type]
        assert said(workspace.check(text, "edited.arch")) == said(check_text(text, "edited.arch"))


@settings(MANY, max_examples=100)
@given(st.text(max_size=200))
def test_any_text_gives_diagnostics(text: str) -> None:
    render(check_text(text, "text.arch").diagnostics)


@settings(MANY, max_examples=60)
@given(st.lists(st.sampled_from([*"()[]:,|>\n", "block", "F", "x", "return ", "if ", "    ", "-> ", "1", "for i in ",
                                 "[b, d]", "use std.nn (Linear)\n", "repeat ", "model M = ", "where ", "relu"]),
                max_size=40))  # fmt: skip
def test_any_tokens_give_diagnostics(tokens: list[str]) -> None:
    render(check_text("".join(tokens), "tokens.arch").diagnostics)
