"""Words, numbers, strings and layout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogive.grammar import syntax as s
from ogive.grammar.lexer import HARD, SOFT, lex
from ogive.grammar.parser import parse
from ogive.grammar.source import Chunk


def kinds(text: str) -> list[str]:
    return [kind for kind, _, _ in lex(Chunk(text)).items]


def body(text: str) -> tuple[s.Stmt, ...]:
    parsed = parse("block A(x: [b]) -> [b]:\n" + "".join(f"    {line}\n" for line in text.split("\n")))
    assert parsed.diagnostics == ()
    (block,) = parsed.file.declarations
    assert isinstance(block, s.Block)
    return block.body


@pytest.mark.parametrize("word", sorted(SOFT))
def test_a_soft_keyword_is_a_name_where_it_is_not_in_its_place(word: str) -> None:
    text = "W = x\nW, y = x\nW: [b] = x\ny = W + W(x)[W, W=W].W\nreturn W".replace("W", word)
    assert [type(stmt) for stmt in body(text)] == [s.Assign] * 4 + [s.Return]


@pytest.mark.parametrize("word", sorted(HARD))
def test_a_hard_keyword_is_never_a_name(word: str) -> None:
    (diagnostic,) = parse(f"block A(x: [b]) -> [b]:\n    {word} = x\n").diagnostics
    assert diagnostic.code == "E0101"


@pytest.mark.parametrize("word", sorted(SOFT | HARD))
def test_a_prime_makes_any_word_a_name(word: str) -> None:
    assert isinstance(body(f"{word}' = x")[0], s.Assign)


def test_every_soft_keyword_in_its_place_beside_itself_as_a_name() -> None:
    text = """scan along in x, carry in y along along reverse carry carry = carry, reverse: [b] = reverse as scan:
    yield scan = along
repeat repeat as with with with in with:
    y = x
repeat (n):
    y = x
repeat(n):
    y = x
param keep: [keep] = keep keep keep
keep keep = keep
init init.init = init
update update = update
tap tap = tap
state state: [state]
require require > 1
require(a or b) and c
require -n < 3
assume assume"""
    found = [type(stmt) for stmt in body(text)]
    assert found == [
        s.Scan, s.Repeat, s.Repeat, s.Repeat, s.ParamStmt, s.KeepStmt, s.InitStmt, s.UpdateStmt, s.Tap, s.ParamStmt,
        s.Require, s.Require, s.Require, s.Assume,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["y = f(x,\n     z)", "y = [\nx\n]", "y = x\n  |> f\n# note\n\n      |> g", "y = F\n>> G"]
)
def test_lines_that_go_on(text: str) -> None:
    assert len(body(text)) == 1


def test_a_where_may_stand_on_lines_of_its_own() -> None:
    for where in (" where n > 1, n < 4", "\nwhere n > 1, n < 4", "\n  where n > 1\n# why\nwhere n < 4"):
        (block,) = parse(f"block A(x: [n])\n  -> [n]{where}:\n    return x\n").file.declarations
        assert isinstance(block, s.Block)
        assert len(block.where) == 2


@pytest.mark.parametrize("text", ["block A -> []:\n\treturn x", "block A -> []:\n    y = x\n  \t  return y"])
def test_a_tab_in_indentation_is_one_error(text: str) -> None:
    (diagnostic,) = parse(text).diagnostics
    assert diagnostic.code == "E0102"
    assert "\t" in diagnostic.span.text


def test_tabs_elsewhere_are_blanks() -> None:
    assert parse("block A(x: [b])\t-> [b]:\t# why\n\t# note\n    return f(x,\n\t\tx)\t\n").diagnostics == ()


def test_a_line_between_two_levels_is_an_error() -> None:
    (diagnostic,) = parse("block A -> []:\n    if a:\n        y = x\n      z = x\n    return y\n").diagnostics
    assert (diagnostic.code, diagnostic.span.begin()) == ("E0102", (4, 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("10_000", 10_000), ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e-3", 1e-3), ("2.5E+2", 250.0)],
)  # fmt: skip
def test_numbers(text: str, value: float) -> None:
    (stmt,) = body(f"y = {text}")
    assert isinstance(stmt, s.Assign)
    assert stmt.value == s.Number(span=stmt.span, value=value)


@pytest.mark.parametrize("text", ["3d", "1.5.2x", "0x10", "9" * 500, "1e5000x"])
def test_no_numbers(text: str) -> None:
    (diagnostic,) = parse(f"const a = {text}").diagnostics
    assert diagnostic.code == "E0101"


@given(st.text(st.characters(exclude_characters="\n'\"")))
def test_a_string_holds_any_text_and_knows_where_it_stands(text: str) -> None:
    (stmt,) = body(f"y = '{text}'")
    assert isinstance(stmt, s.Assign)
    assert isinstance(stmt.value, s.String)
    assert stmt.value.value == text
    assert stmt.value.span.text[1:-1] == text


@pytest.mark.parametrize("text", ["'abc", '"abc', "'abc\"", "'''abc'''", '"""a\nb"""'])
def test_unfinished_strings(text: str) -> None:
    diagnostics = parse(f"block A -> []:\n    y = {text}\n    return x\n").diagnostics
    assert [(d.code, d.span.begin()[0]) for d in diagnostics] == [("E0103", 2)]


def test_layout_tokens() -> None:
    assert kinds("block A -> []:\n    if a:\n        y = x\n\n  # note\n    return y\n") == [
        "block", "NAME", "->", "[", "]", ":", "_NEWLINE", "_INDENT", "if", "NAME", ":", "_NEWLINE", "_INDENT", "NAME",
        "=", "NAME", "_NEWLINE", "_DEDENT", "return", "NAME", "_NEWLINE", "_DEDENT", "$END",
    ]  # fmt: skip


@given(st.text(st.sampled_from("ab(){}[]'\"#\n\t .|>:=0é\0"), max_size=60))
def test_tokens_stand_in_order_and_blocks_close(text: str) -> None:
    tokens = lex(Chunk(text)).items
    places = [place for _, start, end in tokens for place in (start, end)]
    assert places == sorted(places)
    depth = 0
    for kind, _, _ in tokens:
        depth += (kind == "_INDENT") - (kind == "_DEDENT")
        assert depth >= 0
    assert depth == 0
    assert tokens[-1][0] == "$END"


@pytest.mark.parametrize("char", ["\u202a", "\u202e", "\u202c", "\u2066", "\u2069"])
def test_no_text_is_shown_in_another_order_than_it_is_read(char: str) -> None:
    """In comments and strings too, where other characters are free ("Trojan Source", arXiv:2111.00169)."""
    program = 'block A(x: [b]) -> [b]:\n    # note\n    return x |> rearrange["b -> b"]  # end\n'
    for text in ("# note\n", "## note\n" + program, program):
        for at in range(0, len(text), 7):
            (fault,) = parse(text[:at] + char + text[at:]).diagnostics
            assert fault.code == "E0101"
            assert fault.span.text == char
    assert not parse("# \u05d0\u200f, \u4e2d\n" + program).diagnostics
