"""Every row of the table of mistakes recognizes its examples, and says one thing about each."""

from __future__ import annotations

import pytest

from ogive.grammar import tables
from ogive.grammar.build import reducer
from ogive.grammar.builder import TreeBuilder
from ogive.grammar.chunks import cut
from ogive.grammar.engine import Engine, Stack
from ogive.grammar.lexer import lex
from ogive.grammar.mistakes import BODY, MISTAKES, Mistake
from ogive.grammar.parser import parse
from ogive.grammar.scene import Scene
from ogive.grammar.source import Chunk

EXAMPLES = [(row, text) for row in MISTAKES for text in row.examples]


def first_scene(text: str) -> Scene:
    """Where the parser first stumbles."""
    scenes: list[Scene] = []
    for part, _ in cut(text):
        chunk = Chunk(part)
        tokens = lex(chunk)

        def fault(i: int, stack: Stack, chunk: Chunk = chunk, tokens: object = tokens) -> None:
            copy = Stack(list(stack.states), list(stack.values), list(stack.starts))
            scenes.append(Scene(chunk, tokens, i, copy, tables.load()))  # type: ignore[arg-type]

        Engine(tables.load(), tokens.items, reducer(TreeBuilder(chunk)), fault).run()
    return scenes[0]


@pytest.mark.parametrize(("row", "text"), EXAMPLES, ids=[f"{row.recognize.__name__}-{text}" for row, text in EXAMPLES])
def test_its_row_is_the_first_to_recognize_an_example(row: Mistake, text: str) -> None:
    scene = first_scene(text)
    first = next(other for other in MISTAKES if other.recognize(scene))
    assert first is row
    assert len(parse(text).diagnostics) == 1


@pytest.mark.parametrize(
    ("line", "help_"),
    [
        ("return x + x |> norm", "write `x + (x |> norm)` or `(x + x) |> norm`"),
        ("return not x |> f", "write `not (x |> f)` or `(not x) |> f`"),
        ("y = f(x)[0] * g(-y) |> h[1]", "write `f(x)[0] * (g(-y) |> h[1])` or `(f(x)[0] * g(-y)) |> h[1]`"),
        ("y = f(a, b |> g - c)", "write `b |> (g - c)` or `(b |> g) - c`"),
        ("require 1 < b < 4 and c > 2", "write `1 < b and b < 4 and c > 2`"),
        ("skips.append(relu(x))", "write `skips = skips + [relu(x)]`"),
        ("x += 2*y", "write `x = x + (2*y)`"),
        ("self.lin = f", "write `lin = ...`"),
        ("y = a && b", "write `and`"),
        ("y = True", "write `true`"),
        ("require d not in {1, 2}", "write `not (d in {1, 2})`"),
    ],
)  # fmt: skip
def test_the_help_says_what_to_write(line: str, help_: str) -> None:
    (diagnostic,) = parse(f"{BODY}{line}\n    return x\n").diagnostics
    assert diagnostic.help == help_
    assert diagnostic.span.begin()[0] == 2


@pytest.mark.parametrize(
    "text", ["x + (x |> norm)", "(x + x) |> norm", "F >> (G |> H)", "a if c else (b |> f)", "-(x |> f)"]
)
def test_what_the_help_says_is_legal(text: str) -> None:
    assert parse(f"{BODY}return {text}\n").diagnostics == ()
