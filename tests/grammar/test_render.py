"""Excerpts: carets stand under what they mean, whatever stands before it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ogive.grammar.diagnostics import Diagnostic, Label
from ogive.grammar.render import render, to_json
from ogive.grammar.source import Chunk, Span

plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.lists(plain, min_size=1, max_size=5), st.data())
def test_carets_stand_under_the_span(lines: list[str], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(lines) - 1))
    start = data.draw(st.integers(0, len(lines[row])))
    stop = data.draw(st.integers(start, len(lines[row])))
    offset = sum(len(line) + 1 for line in lines[:row])
    chunk = Chunk("\n".join(lines), "a.arch", line=data.draw(st.integers(1, 2000)))
    text = render([Diagnostic("E0101", "wrong", Span(chunk, offset + start, offset + stop), note="here")])
    source, carets = text.split("\n")[3:5]
    found = re.search(r"\^+(?= here$)", carets)
    assert found is not None
    gutter = source.index("|") + 2
    assert found.start() == gutter + start
    assert len(found[0]) == max(1, stop - start)
    assert source[gutter + start : gutter + stop].rstrip() == lines[row][start:stop].rstrip()
    assert source.split("|")[0].strip() == str(chunk.line + row)


def test_wide_characters_and_tabs_move_carets() -> None:
    chunk = Chunk("\ta = '深い' + b")
    source, carets = render([Diagnostic("E0101", "wrong", Span(chunk, 12, 13))]).split("\n")[3:5]
    assert (source, carets) == ("1 |     a = '深い' + b", "  |                  ^")


def test_a_long_line_is_cut_around_its_mark() -> None:
    chunk = Chunk("x + " * 200 + "bad + " + "y + " * 200)
    text = render([Diagnostic("E0101", "wrong", Span(chunk, 800, 803))], width=60)
    source, carets = text.split("\n")[3:5]
    assert len(source) <= 64
    assert source[carets.index("^") :].startswith("bad")


def test_all_parts() -> None:
    chunk = Chunk("a = 1\nb = 2\nc = a + b\nd = 4\ne = 5\nf = c\n", "one.arch")
    other = Chunk("block A:\n", "two.arch", line=9)
    diagnostic = Diagnostic(
        "W0901",
        "sizes disagree",
        Span(chunk, 16, 17),
        note="here",
        labels=(
            Label(Span(chunk, 0, 1), "born here"),
            Label(Span(chunk, 38, 39), "used here"),
            Label(Span(other, 6, 7), "block"),
        ),
        help="write `b`",
        details=("smallest counterexample: h = 3", "legal sizes: 2, 4"),
    )  # fmt: skip
    assert render([diagnostic]) == (
        "warning[W0901]: sizes disagree\n"
        " --> one.arch:3:5\n"
        "  |\n"
        "1 | a = 1\n"
        "  | - born here\n"
        "2 | b = 2\n"
        "3 | c = a + b\n"
        "  |     ^ here\n"
        "...\n"
        "6 | f = c\n"
        "  |     - used here\n"
        " ::: two.arch:9:7\n"
        "  |\n"
        "9 | block A:\n"
        "  |       - block\n"
        "  |\n"
        "  = help: write `b`\n"
        "  = note: smallest counterexample: h = 3\n"
        "  = note: legal sizes: 2, 4"
    )
    colored = render([diagnostic], color=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render([diagnostic])
    assert colored != render([diagnostic])
    assert to_json(diagnostic) == {
        "code": "W0901", "severity": "warning", "message": "sizes disagree", "file": "one.arch", "line": 3, "column": 5,
        "end_line": 3, "end_column": 6, "help": "write `b`", "note": diagnostic.note, "notes": list(diagnostic.details),
        "labels": [
            {"file": label.span.path, "line": label.span.begin()[0], "column": label.span.begin()[1],
             "end_line": label.span.finish()[0], "end_column": label.span.finish()[1], "text": label.text}
            for label in diagnostic.labels
        ],
        "counterexamples": [], "edits": [],
    }  # fmt: skip


def test_control_characters_do_not_reach_the_terminal() -> None:
    chunk = Chunk("relu('\x1b[31m')")
    text = render([Diagnostic("E0101", "\x1b[2J", Span(chunk, 0, 4), note="\x07", help="\x1b[2J")])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
