"""Cutting, documentation, reuse, limits, and that nothing a file holds can break the parser."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.grammar import syntax as s
from ogive.grammar.chunks import cut
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.files import as_read, read_source
from ogive.grammar.generate import generate
from ogive.grammar.parser import parse
from ogive.grammar.render import render, to_json

DECLARATIONS = (
    "use std.nn (Linear)\n",
    "const k = 3\n",
    "\n",
    "## Words.\n# note\nblock A(x: [b]) -> [b]:\n    return x\n\n",
    "block B(x: [b]) -> [b]:\n    y = x +\n    return y\n",
    "model M = A[]\n",
    "garbage\n",
    "# end\n",
)
files = st.lists(st.sampled_from(DECLARATIONS), max_size=8)
WORDS = (
    "block A [ ] ( ) { } , : = == -> |> >> ... * ** + - not and or in if else elif for as repeat scan along carry with "
    "reverse param state keep init update yield tap return require where use const model x y' 3 'a' \" # ## \\ @ ; λ "
    "\0 \ufeff std.nn ./a ogive 1 += true None {1}"
)
scraps = st.sampled_from([*WORDS.split(), "\t", "\n", "\n\n", "\n\t", "\n    ", "\n        "])
PROGRAM = """use std.nn (Linear)
## Words.
block A[d, F: block](x: [b, d]?) -> (y: [b], z: [b])
where d % 2 == 0:
    param w: [d] = zeros keep relu
    if d > 1:
        y = f(x, k=[1, 2])[:, 0]
    elif d in {1, 2}:
        a, b = x |> F as f
               |> G
    else:
        scan x_t in x along n reverse carry h = e as s:
            yield hs = h
    repeat 3 as layers with p in x:
        x = (F >> G)(x) if d > 1 else -x**2
    return x, y
model M = A[d=2] where b > 1
recipe r for M: fold
"""


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A program after a few careless edits: closer to the corners than random characters."""
    text = PROGRAM
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(scraps | st.just("")) + text[at + draw(st.integers(0, 6)) :]
    return text


def test_the_program_is_sound() -> None:
    assert parse(PROGRAM).diagnostics == ()


def test_tables_are_current() -> None:
    text = (Path(__file__).parents[2] / "grammar" / "tables.json").read_text(encoding="utf-8")
    assert text == generate(), "run python -m ogive.grammar.generate"


@given(st.text() | edited() | files.map("".join))
def test_the_pieces_are_the_file(text: str) -> None:
    pieces = cut(text)
    assert "".join(piece for piece, _ in pieces) == text
    line = 1
    for piece, start in pieces:
        assert start == line
        line += piece.count("\n")


@settings(max_examples=400, deadline=None)
@given(st.text() | edited())
def test_any_text_gives_diagnostics_that_can_be_shown(text: str) -> None:
    parsed = parse(text)
    lines = text.count("\n") + 1
    for diagnostic in parsed.diagnostics:
        data = to_json(diagnostic)
        assert (1, 1) <= (data["line"], data["column"]) <= (data["end_line"], data["end_column"])
        assert data["end_line"] <= lines
        assert diagnostic.message.isprintable()
    assert list(parsed.diagnostics) == sorted(parsed.diagnostics, key=Diagnostic.order)
    assert render(parsed.diagnostics).count("-->") >= len(parsed.diagnostics)


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "any.arch"
    path.write_bytes(data)
    text = read_source(path)
    if isinstance(text, Diagnostic):
        assert text.code == "E0101"
        assert render([text])
    else:
        assert "\r" not in text
        parse(text, str(path))


def test_what_cannot_be_read_is_a_diagnostic(tmp_path: Path) -> None:
    missing = read_source(tmp_path / "missing.arch")
    assert isinstance(missing, Diagnostic)
    (tmp_path / "latin.arch").write_bytes("const a = 3\n# caf\xe9\n".encode("latin-1"))
    latin = read_source(tmp_path / "latin.arch")
    assert isinstance(latin, Diagnostic)
    assert latin.span.begin() == (2, 6)
    (tmp_path / "bom.arch").write_bytes(b"\xef\xbb\xbfconst a = 3\r\n")
    assert read_source(tmp_path / "bom.arch") == "const a = 3\n"


@settings(deadline=None)
@given(st.text())
def test_a_text_is_what_a_file_gives_that_holds_it(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "any.arch"
    path.write_bytes(text.encode())
    assert as_read(text, str(path)) == read_source(path)


def test_a_half_of_a_character_is_a_diagnostic() -> None:
    found = as_read("# a\r\n# \ud800\n", "<text>")
    assert isinstance(found, Diagnostic)
    assert (found.code, found.span.begin()) == ("E0101", (2, 3))
    assert render([found]).encode()


@settings(deadline=None)
@given(files, files)
def test_reuse_gives_what_a_fresh_parse_gives(before: list[str], after: list[str]) -> None:
    first = parse("".join(before))
    again = parse("".join(after), reuse=first.reuse)
    fresh = parse("".join(after))
    assert again.file == fresh.file
    assert list(map(to_json, again.diagnostics)) == list(map(to_json, fresh.diagnostics))


def test_reuse_keeps_chunks_and_trees_below_an_edit() -> None:
    text = "const a = 1\n\nblock B(x: [b]) -> [b]:\n    return x\n"
    first = parse(text)
    second = parse("const z = 0\nconst a = 2\n\n" + text.split("\n", 2)[2], reuse=first.reuse)
    assert second.chunks[-1] is first.chunks[-1]
    assert second.file.declarations[-1] is first.file.declarations[-1]
    assert second.file.declarations[-1].span.begin() == (4, 1)


def test_documentation_belongs_to_the_declaration_right_under_it() -> None:
    text = "## File.\n\n## A\n#  not\n##   b c \n##\nblock A -> []:\n    ## no\n    return x\n## M\nmodel M = A\n"
    declarations = parse(text).file.declarations + parse("model N = A").file.declarations
    assert [d.doc for d in declarations if isinstance(d, s.Block | s.Model)] == ["A\n  b c\n", "M", ""]


def test_editions() -> None:
    assert parse("# first\nogive 1\nconst a = 3\n").file.declarations[0] == s.Edition(
        span=parse("").file.span, number=1
    )
    for text in ("ogive 2\n", "ogive 1.5\n", "const a = 3\nogive 1\n", "ogive 1 const a = 3\n"):
        assert [d.code for d in parse(text).diagnostics] == ["E0101"]


BODY = "block A(x: [b]) -> [b]:\n    y = "


@pytest.mark.parametrize(
    "text",
    [
        BODY + "(" * 100_000,
        BODY + "(" * 1000 + "x" + ")" * 1000,
        BODY + "x + " * 10_000 + "x",
        BODY + "-" * 10_000 + "x",
        BODY + "not " * 10_000 + "x",
        BODY + "x" + "(x)" * 10_000,
        BODY + "x**" * 10_000 + "x",
        BODY + "a if b else " * 10_000 + "c",
        "block A -> []:\n" + "".join("    " * depth + "if x:\n" for depth in range(1, 500)),
    ],
    ids=["open", "nested", "sum", "minus", "not", "calls", "power", "conditional", "blocks"],
)
def test_what_is_too_deep_is_one_error(text: str) -> None:
    assert [d.code for d in parse(text).diagnostics] == ["E0701"]


@pytest.mark.parametrize(
    "text", [BODY + f"[{'1, ' * 10_000}]\n", BODY + "x\n" + "    y = x\n" * 5000, "\n" * 100_000, "# x\n" * 10_000]
)
def test_what_is_only_long_is_no_error(text: str) -> None:
    assert parse(text).diagnostics == ()


def test_the_limit_of_a_file() -> None:
    assert [d.code for d in parse("const a = 3\n" * 10, limit=100).diagnostics] == ["E0701"]
    assert parse("const a = 3\n", limit=100).diagnostics == ()


@settings(max_examples=50)
@given(st.sampled_from(DECLARATIONS[3:5]), st.integers(0, 60))
def test_a_cut_file_parses_up_to_the_cut(text: str, end: int) -> None:
    parsed = parse("const k = 3\n" + text[:end])
    assert parsed.file.declarations[0] == parse("const k = 3\n").file.declarations[0]
