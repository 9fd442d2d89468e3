"""What an unexpected token means: a table of mistakes, each with a recognizer and examples that it must recognize."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.engine import Stack
from ogive.grammar.lexer import Tokens
from ogive.grammar.mistakes_expr import (
    adjacent,
    chained_comparison,
    compared_by_binding,
    dictionary,
    double_star,
    empty_parentheses,
    formatted_string,
    is_comparison,
    keyword_as_name,
    lambda_block,
    missing_else,
    missing_operand,
    mixed_pipe,
    not_in,
    star_in_list,
    stray_as,
    unary_plus,
)
from ogive.grammar.mistakes_foreign import (
    angle_brackets,
    arrow,
    arrow_in_body,
    bar,
    braces_of_body,
    colon_of_input,
    dots,
    input_default,
    model_call,
    param_as_value,
    question,
    repeat_words,
    top_level,
    type_in_parentheses,
    unfinished_where,
    walrus,
    where_function,
    where_in_body,
    where_nothing,
)
from ogive.grammar.mistakes_line import (
    binding_words,
    body_missing,
    chained_binding,
    colon_missing,
    else_alone,
    else_if,
    foreign_word,
    input_without_type,
    misplaced_word,
    named_single_output,
    nested_unpacking,
    no_declaration,
    odd_indent,
    outputs_missing,
    return_nothing,
    several_outputs,
    type_without_brackets,
    typed_without_value,
    unclosed,
    use_forms,
    weight_without_type,
    without_along,
)
from ogive.grammar.scene import Scene, show
from ogive.grammar.source import Chunk
from ogive.grammar.tables import Tables

BODY = "block A(x: [b, d]) -> [b, d]:\n    "


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake that people make. The first row of the table that recognizes a place explains it."""

    recognize: Callable[[Scene], Diagnostic | None]
    examples: tuple[str, ...]


MISTAKES: tuple[Mistake, ...] = (
    Mistake(unclosed, (BODY + "y = relu(x\n        z.append(y)\n    return y", BODY + "y = [x, f(x\n        print(y)")),
    Mistake(lambda_block, (BODY + "f = lambda x: x", BODY + "y = over[b, lambda x, y: x](x)")),
    Mistake(
        foreign_word,
        (
            "def f(x):\n    return x",
            "class A(Module):\n    pass",
            "import torch",
            "from torch import nn",
            "@jit",
            BODY + "while x > 0:\n        x = x - 1",
            BODY + "with no_grad():\n        y = x",
            BODY + "assert n > 3",
            BODY + "try:\n        y = x\n",
            BODY + "del x",
            BODY + "def g(x):\n        return x\n    return g(x)",
        ),
    ),
    Mistake(top_level, ("x = 3", "model = A[]", "Block A(x: [b]) -> [b]:\n    return x")),
    Mistake(no_declaration, ("return 3", "42")),
    Mistake(where_function, (BODY + "y = where(c, x, 0)", BODY + "y = torch.where(c, x, 0)")),
    Mistake(where_in_body, (BODY + "where b > 2\n    return x", BODY.rstrip() + "\nwhere b > 2:\n    return x")),
    Mistake(where_nothing, ("block A(x: [b]) -> [b]\nwhere:\n    return x",)),
    Mistake(unfinished_where, ("block A(x: [b]) -> [b]\nwhere b > 2,\n      b < 9:\n    return x",)),
    Mistake(type_in_parentheses, ("block A(x: (b, d)) -> [b]:\n    return x",)),
    Mistake(arrow, ("block A(x: [b]) => [b]:\n    return x", "block A(x: [b]) [b]:\n    return x")),
    Mistake(input_default, ("block A(x: [b] = none) -> [b]:\n    return x",)),
    Mistake(colon_of_input, ("block A(x [b]) -> [b]:\n    return x",)),
    Mistake(angle_brackets, ("block A<d>(x: [b, d]) -> [b]:\n    return x",)),
    Mistake(braces_of_body, ("block A(x: [b]) -> [b] {\n    return x\n}", BODY + "if b > 2 {\n        y = x\n    }")),
    Mistake(model_call, ("model M(d=3)", "model M[d=3]")),
    Mistake(param_as_value, (BODY + "w = param[d]", BODY + "y = f(param, x)")),
    Mistake(dots, (BODY + "for i in 0..3:\n        x = x",)),
    Mistake(
        repeat_words,
        (
            BODY + "repeat 3 times:\n        x = x",
            BODY + "if d > 3 then:\n        x = x",
        ),
    ),
    Mistake(bar, (BODY + "y = x | relu", BODY + "if d > 1 || d < 3:\n        y = x")),
    Mistake(question, (BODY + "y = d > 3 ? x : 2",)),
    Mistake(arrow_in_body, (BODY + "y = x -> relu",)),
    Mistake(walrus, (BODY + "y := x",)),
    Mistake(
        misplaced_word,
        (
            BODY + "use std.nn (Linear)",
            BODY + "block B(x: [b]) -> [b]:\n        return x",
            BODY + "if d > 1: if d > 2: y = x",
        ),
    ),
    Mistake(use_forms, ("use std.nn", "use std.nn import Linear", "use std.nn Linear", "use std.nn (*)")),
    Mistake(
        outputs_missing,
        ("block A(x: [b, d]):\n    return x", "block A[d]:\n    return x", "block A(x: [d])\n    return x"),
    ),
    Mistake(several_outputs, ("block A(x: [b]) -> [b], [b]:\n    return x, x",)),
    Mistake(named_single_output, ("block A(x: [b]) -> y: [b]:\n    return x",)),
    Mistake(input_without_type, ("block A(x) -> [b]:\n    return x", "block A(self, x: [b]) -> [b]:\n    return x")),
    Mistake(
        type_without_brackets,
        ("block A(x: Tensor) -> [b]:\n    return x", BODY + "y: int = x", BODY + "param w: d = zeros"),
    ),
    Mistake(weight_without_type, (BODY + "param w = zeros", BODY + "state m = zeros[d]")),
    Mistake(typed_without_value, (BODY + "y: [b, d]\n    return y",)),
    Mistake(without_along, (BODY + "scan h in x:\n        y = h",)),
    Mistake(
        colon_missing,
        (
            "block A(x: [b, d]) -> [b, d]\n    return x",
            "block A(x: [b, d]) -> [b, d]\nwhere b > 2\n    return x",
            BODY + "if b > 2\n        y = x",
            BODY + "repeat 3\n        x = x",
            BODY + "for c in cs as stages\n        x = x",
        ),
    ),
    Mistake(
        body_missing,
        (
            "block A(x: [b, d]) -> [b, d]:",
            "block A(x: [b, d]) -> [b, d]:\nreturn x",
            BODY + "repeat 3:\n    x = f(x)\n    return x",
        ),
    ),
    Mistake(odd_indent, (BODY + "y = x\n        return y",)),
    Mistake(else_if, (BODY + "if d > 1:\n        y = x\n    else if d > 2:\n        y = x",)),
    Mistake(else_alone, (BODY + "y = x\n    else:\n        y = x", BODY + "elif b > 2:\n        y = x")),
    Mistake(
        nested_unpacking,
        (BODY + "for i, (a, b) in pairs:\n        x = a", BODY + "for (a, b) in pairs:\n        x = a"),
    ),
    Mistake(return_nothing, (BODY + "return", BODY + "if d > 1:\n        return\n    return x")),
    Mistake(binding_words, (BODY + "yield x", BODY + "tap softmax(x)", BODY + "update m + 1")),
    Mistake(
        compared_by_binding,
        (BODY + "if d = 3:\n        y = x", "model M = A[] where n = 3", BODY + "y = x if d = 3 else 2*x"),
    ),
    Mistake(chained_binding, (BODY + "a = b = x",)),
    Mistake(
        mixed_pipe,
        (
            BODY + "return x + x |> norm",
            BODY + "y = x |> norm + x",
            BODY + "y = F >> G |> H",
            BODY + "y = -x |> f",
            BODY + "y = a if c else b |> f",
            BODY + "y = x |> F >> G",
        ),
    ),
    Mistake(chained_comparison, (BODY + "require 1 < b < 4", BODY + "if 1 <= d + 1 <= 4:\n        y = x")),
    Mistake(not_in, (BODY + "require d not in {1, 2}",)),
    Mistake(is_comparison, (BODY + "if x is none:\n        y = x",)),
    Mistake(dictionary, (BODY + "y = {}", BODY + "y = {'a': 1}", BODY + "y = f({1, 2})")),
    Mistake(double_star, (BODY + "y = f(x, **kwargs)", BODY + "y = F[**options](x)")),
    Mistake(star_in_list, (BODY + "y = [*xs, x]", BODY + "a, *rest = x")),
    Mistake(unary_plus, (BODY + "y = +x",)),
    Mistake(formatted_string, (BODY + 'y = f"{x}"',)),
    Mistake(
        stray_as,
        (
            BODY + "y = Linear[d, d](x) as lin",
            BODY + "return f(x as y)",
            BODY + "repeat 3 with i in range(3) as h:\n        x = i * x",
        ),
    ),
    Mistake(missing_else, (BODY + "y = x if d > 1",)),
    Mistake(empty_parentheses, (BODY + "y = ()",)),
    Mistake(
        missing_operand,
        (BODY + "y = x +", BODY + "y = (x *)", BODY + "y =", "const a =", BODY + "y = x |>", BODY + "return x,"),
    ),
    Mistake(
        keyword_as_name,
        (BODY + "in = x", BODY + "y = x.block", BODY + "y = F[for=3](x)", "block if(x: [b]) -> [b]:\n    return x"),
    ),
    Mistake(adjacent, (BODY + "y = x y", BODY + "y = f(x y)", BODY + "y = 2 x", BODY + "y = 'a' 'b'")),
)


def explain(chunk: Chunk, found: Tokens, i: int, stack: Stack, tables: Tables) -> Diagnostic:
    """Why token `i` cannot stand where it stands."""
    kind, start, _ = found.items[i]
    scene = Scene(chunk, found, i, stack, tables)
    if kind == "ERROR":
        return found.faults[start]
    for mistake in MISTAKES:
        if diagnostic := mistake.recognize(scene):
            return diagnostic
    return unexpected(scene)


def unexpected(scene: Scene) -> Diagnostic:
    """The last resort: what stands here, and what could."""
    what = f"`{scene.text(scene.i)}`" if scene.text(scene.i).strip() else show(scene.kind)
    expected = [show(kind) for kind in scene.expected if kind not in ("_DEDENT", "$END")]
    if len(expected) > 4:
        return scene.fault(f"unexpected {what}")
    return scene.fault(f"expected {' or '.join(expected)}, found {what}")
