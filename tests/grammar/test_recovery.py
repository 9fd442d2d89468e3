"""Several mistakes are found in one run, and none that only follows from another."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ogive.grammar.parser import parse

GOOD = (
    "y = f(x)",
    "a, b = split(x)",
    "param w: [d] = zeros",
    "if d > 1:\n        y = x\n    else:\n        y = 2*x",
    "repeat 3 as layers:\n        x = f(x)",
    "y = x |> f\n          |> g",
    "y = f(x,\n    z=3)",
    "# nothing",
    "",
)
# The mistake stands on the first line of each.
BAD = (
    "y = x y",
    "y = (x",
    "y = f(x}",
    "y = 'abc",
    "y = x $ 3",
    "x.append(y)",
    "x += 1",
    "y = x + x |> f",
    "return",
    "if d = 3:\n        y = x\n    else:\n        y = y",
    "if d > 1\n        y = x\n    elif d > 0:\n        y = x",
    "repeat 3\n        y = x",
    "while x:\n        y = x",
    "y = [x",
    "in = x",
    "block B(x: [b]) -> [b]:\n        return x",
    "def f(x):\n        return x",
    "y = True",
    "for in xs:\n        y = x",
    "param w = zeros",
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*GOOD, *BAD]), min_size=1, max_size=6))
def test_each_bad_line_of_a_body_is_reported_alone(parts: list[str]) -> None:
    text, expected = "block A(x: [b, d]) -> [b, d]:\n    y = x\n", []
    for part in parts:
        if part in BAD:
            expected.append(text.count("\n") + 1)
        text += f"    {part}\n    y = f(x)\n".replace("    \n", "\n")
    parsed = parse(text + "    return y\n\nblock B(x: [b]) -> [b]:\n    return x\n")
    assert [d.span.begin()[0] for d in parsed.diagnostics] == expected, text
    assert [declaration.name for declaration in parsed.file.declarations][-1] == "B"  # type: ignore[attr-defined]
    assert parsed.broken == ({"A"} if expected else set())


BAD_DECLARATIONS = (
    "block A(x: [b, d]) -> [b, d]\n    return x\n",
    "block A(x: [b, d]):\n    return x\n",
    "block A(x: [b, d] -> [b, d]:\n    return x\n",
    "def f(x):\n    return x\n",
    "import torch\n",
    "class Net(Module):\n    x = 3\n    def f(self):\n        return 3\n",
    "model M B[]\n",
    "const = 3\n",
    "use std.nn\n",
    "block A(x: [b, d]) -> [b, d]:\n",
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*BAD_DECLARATIONS, "const k = 3\n", "model M = A[]\n"]), min_size=1, max_size=6))
def test_each_bad_declaration_is_reported_alone(parts: list[str]) -> None:
    expected, line = [], 1
    for part in parts:
        if part in BAD_DECLARATIONS:
            expected.append(line)
        line += part.count("\n")
    parsed = parse("".join(parts))
    assert [d.span.begin()[0] for d in parsed.diagnostics] == expected
    assert len(parsed.file.declarations) == len(parts) - len(expected)


def test_names_of_broken_declarations_are_known() -> None:
    text = "use std.nn (Linear, Embedding as E\nblock A(x) -> [b]:\n    return x\nconst c = = 3\nmodel M = A[\n"
    assert parse(text).broken == {"Linear", "E", "A", "c", "M"}


def test_a_bad_line_right_behind_a_block_or_another_bad_line() -> None:
    text = "block A(x: [b]) -> [b]:\n    if d > 1:\n        y = x\n    in = x\n    in = y\n    return x y\n"
    assert [d.span.begin()[0] for d in parse(text).diagnostics] == [4, 5, 6]


def test_a_declaration_survives_what_stands_behind_it() -> None:
    parsed = parse("const k = 3\ngarbage\n")
    assert [d.span.begin() for d in parsed.diagnostics] == [(2, 1)]
    assert len(parsed.file.declarations) == 1
    assert parsed.broken == set()
