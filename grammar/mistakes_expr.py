"""Mistakes inside expressions. Each recognizer explains a place, or passes it on with None."""

from __future__ import annotations

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.lexer import HARD
from ogive.grammar.scene import (
    ARITHMETIC,
    COMPARISONS,
    LAYOUT,
    OPERAND_END,
    OPERAND_START,
    OPERATORS,
    Scene,
    show,
)

_WIDE = 90


def mixed_pipe(scene: Scene) -> Diagnostic | None:
    """`x + x |> f`, `x |> f + y`, `F >> G |> x`: two readings, both shown."""
    kind = scene.kind
    if kind not in OPERATORS or scene.previous not in OPERAND_END:
        return None
    start, stop = scene.extent()
    arrow = kind in ("|>", ">>")
    others = OPERATORS - {kind} if arrow else frozenset(["|>", ">>"])
    at = scene.last(others, start)
    if at is None:
        return None
    left, op = scene.between(start, at), scene.text(at)
    middle, rest = scene.between(at + 1, scene.i), scene.between(scene.i, stop)
    inner, outer = f"{left} {op} ({middle} {rest})", f"({left} {op} {middle}) {rest}"
    if not left:
        op += " " * op.isalpha()
        inner, outer = f"{op}({middle} {rest})", f"({op}{middle}) {rest}"
    if arrow < any(token[0] == "as" for token in scene.tokens[at : scene.i]):
        inner = outer
    pipe, other = (kind, scene.text(at)) if arrow else (op, kind)
    other = "if ... else" if other in ("if", "else") else other
    message = f"`{pipe}` beside `{other}` can be read in two ways"
    if scene.text(at) == "|>" and kind in ARITHMETIC and scene.i == at + 2 and scene.tokens[at + 1][0] == "NUMBER":
        wanted = f"{middle} {kind} ({left} |> {scene.between(scene.i + 1, stop)})"  # a number is no stage
        return scene.fault(message, f"write `{wanted}`", edits=scene.edit(start, stop, wanted))
    short = max(len(inner), len(outer)) < _WIDE
    help_ = f"write `{inner}` or `{outer}`" if inner != outer else f"write `{outer}`"
    help_ = help_ if short else f"put the part that belongs to `{pipe}` in parentheses"
    return scene.fault(message, help_)


def chained_comparison(scene: Scene) -> Diagnostic | None:
    """`a < b < c`."""
    start, stop = scene.extent()
    first = scene.last(COMPARISONS, start)
    if scene.kind not in COMPARISONS or first is None or scene.previous not in OPERAND_END:
        return None
    joint = scene.last(frozenset(["and", "or", "not"]), start)
    begin = start if joint is None else joint + 1
    middle = scene.between(first + 1, scene.i)
    help_ = f"write `{scene.between(begin, scene.i)} and {middle} {scene.between(scene.i, stop)}`"
    return scene.fault("comparisons do not chain", help_)


def compared_by_binding(scene: Scene) -> Diagnostic | None:
    """`if a = b:`."""
    if scene.kind != "=" or scene.previous not in OPERAND_END:
        return None
    words = [kind for kind, _, _ in scene.tokens[scene.line : scene.i]]
    if not any(word in ("if", "elif", "where", "require", "assume") for word in words):
        return None
    return scene.fault("`=` binds a name", "to compare, write `==`")


def not_in(scene: Scene) -> Diagnostic | None:
    """`a not in {...}`."""
    if scene.kind != "not" or scene.tokens[scene.i + 1][0] != "in":
        return None
    start, stop = scene.extent()
    left, right = scene.between(start, scene.i), scene.between(scene.i + 2, stop)
    return scene.fault("there is no `not in`", f"write `not ({left} in {right})`")


def is_comparison(scene: Scene) -> Diagnostic | None:
    """`x is none`."""
    if scene.kind != "NAME" or scene.text(scene.i) != "is" or scene.previous not in OPERAND_END:
        return None
    start, _ = scene.extent()
    choice = scene.last(frozenset(["if", "not", "and", "or"]), start)
    first = start if choice is None else choice + 1
    left, negated = scene.between(first, scene.i), scene.text(scene.i + 1) == "not"
    last = scene.i + 1 + negated
    text = f"given({left})" if negated else f"not given({left})"
    plain = scene.i - first == 1 and last < len(scene.tokens) and scene.tokens[last][0] == "none"
    edits = scene.edit(first, last + 1, text) if plain else ()
    if negated:
        help_ = f"write `{text}` for an optional input, `{left} != ...` for values"
        return scene.fault("there is no `is not`", help_, edits=edits)
    help_ = f"write `{text}` for an absent input, `{left} == ...` for values"
    return scene.fault("there is no `is`", help_, edits=edits)


def dictionary(scene: Scene) -> Diagnostic | None:
    """`{...}` other than on the right of `in`."""
    if scene.kind != "{":
        return None
    return scene.fault("braces hold a set, on the right of `in` only", "write a list, `[a, b]`")


def double_star(scene: Scene) -> Diagnostic | None:
    """`f(**kwargs)`."""
    if scene.kind != "**" or scene.previous not in ("(", "[", ","):
        return None
    return scene.fault("there are no `**` arguments", "write each out: `name = value`; `*list` hands on a list")


def star_in_list(scene: Scene) -> Diagnostic | None:
    """`[*xs, x]` and `a, *rest = xs`."""
    if scene.kind != "*" or scene.previous in OPERAND_END or scene.tokens[scene.i + 1][0] != "NAME":
        return None
    name = scene.text(scene.i + 1)
    if scene.lead in ("block", "extern"):
        help_ = f"many tensors of one shape are one tensor with an axis more: `{name}: [k, b, d]`"
        return scene.fault("inputs are written out, each with its type", help_)
    if scene.open_brackets():
        return scene.fault("a list is not spliced into another", f"add lists: `{name} + [x]`")
    return scene.fault("a star unpacks nothing here", f"write `{name} = xs[1:]`")


def unary_plus(scene: Scene) -> Diagnostic | None:
    """`+x`."""
    if scene.kind != "+" or scene.previous in OPERAND_END or not scene.can("-"):
        return None
    return scene.fault("there is no `+` before a value", "leave it out")


def lambda_block(scene: Scene) -> Diagnostic | None:
    """`lambda x: x`."""
    if scene.i == 0 or scene.text(scene.i - 1) != "lambda":
        return None
    help_ = "write a `block` with a name; `f >> g` composes, and a bare name hands a block on"
    return scene.fault("there is no `lambda`", help_, span=scene.at(scene.i - 1))


def formatted_string(scene: Scene) -> Diagnostic | None:
    """`f"..."`."""
    if scene.kind != "STRING" or scene.previous != "NAME" or scene.tokens[scene.i - 1][2] != scene.tokens[scene.i][1]:
        return None
    prefix = scene.text(scene.i - 1)
    if prefix.lower() not in ("f", "r", "b", "u", "rb", "br", "fr", "rf"):
        return None
    help_ = 'sizes reach a pattern by keyword: `rearrange["b (h e) -> b h e", h=heads]`'
    span = scene.at(scene.i - 1).to(scene.at(scene.i))
    plain = scene.text(scene.i)
    edits = scene.edit(scene.i - 1, scene.i, "") if "{" not in plain and "\\" not in plain else ()
    help_ = f"leave the prefix out: `{plain}`" if edits else help_
    return scene.fault(f"strings have no prefix `{prefix}`", help_, span=span, edits=edits)


def stray_as(scene: Scene) -> Diagnostic | None:
    """`as` other than after a stage."""
    if scene.kind != "as":
        return None
    clause = scene.last(frozenset(["with"]), scene.line)
    if scene.lead == "repeat" and clause is not None and scene.tokens[scene.i + 1][0] == "NAME":
        head, rest = scene.between(scene.line, clause), scene.between(clause, scene.i)
        wanted = f"{head} as {scene.text(scene.i + 1)} {rest}"
        edits = scene.edit(scene.line, scene.i + 2, wanted)
        return scene.fault("the name of a loop stands before `with`", f"write `{wanted}`", edits=edits)
    return scene.fault(
        "`as` names a stage of a pipeline", "write `x |> Block[...] as name`, or bind it: `name = Block[...]`"
    )


def missing_else(scene: Scene) -> Diagnostic | None:
    """`a if c`."""
    start, _ = scene.extent()
    if not scene.can("else") or scene.kind in OPERAND_START or scene.can("_DEDENT"):
        return None
    if scene.last(frozenset(["if"]), start) is None:
        return None
    return scene.fault("a value is missing where the condition is false", "write `a if c else b`")


def empty_parentheses(scene: Scene) -> Diagnostic | None:
    """`()`."""
    if scene.kind != ")" or scene.previous != "(":
        return None
    return scene.fault("nothing stands in the parentheses", "write a value; a missing one is `none`")


def missing_operand(scene: Scene) -> Diagnostic | None:
    """An operator, `=` or a comma, and then nothing."""
    before = scene.previous
    if before not in OPERATORS | {"=", ",", "("} or not scene.can("NAME"):
        return None
    if scene.kind in HARD and scene.kind not in ("and", "or", "in", "if", "else", "for", "as", "where"):
        return None
    if before == "," and scene.kind in LAYOUT and scene.lead in ("return", scene.text(scene.line)):
        comma = scene.edit(scene.i - 1, scene.i, "")
        help_ = "leave the comma out; a line goes on inside brackets, or where the next one begins with `|>`"
        return scene.fault(f"a value is missing after `{before}`", help_, edits=comma)
    help_ = "a line goes on inside brackets, or where the next one begins with `|>`" if scene.kind in LAYOUT else ""
    return scene.fault(f"a value is missing after `{before}`", help_)


def keyword_as_name(scene: Scene) -> Diagnostic | None:
    """A word of the language where a name belongs."""
    if scene.kind not in HARD or not scene.can("NAME"):
        return None
    word = scene.kind
    return scene.fault(
        f"`{word}` is a word of the language", f"choose another name, such as `{word}_`", span=scene.at(scene.i)
    )


def adjacent(scene: Scene) -> Diagnostic | None:
    """Two values side by side."""
    if scene.previous not in OPERAND_END or scene.kind not in OPERAND_START | {"(", "["} or not scene.can("+"):
        return None
    message = f"an operator or a comma is missing before {show(scene.kind)}"
    if scene.kind != "STRING":
        message = f"an operator or a comma is missing before `{scene.text(scene.i)}`"
    help_ = ""
    if scene.previous == "NUMBER" and scene.kind == "NAME":
        help_ = f"a product is `{scene.text(scene.i - 1)}*{scene.text(scene.i)}`"
    elif scene.previous == scene.kind == "NAME" and not scene.open_brackets():
        help_ = f"a block is applied by parentheses: `{scene.text(scene.i - 1)}({scene.text(scene.i)})`"
    elif scene.previous == scene.kind == "NAME" and scene.tokens[scene.open_brackets()[-1]][0] == "[":
        help_ = 'sizes and settings are separated by commas; a pattern is a string: `rearrange["b n -> n b"]`'
    elif scene.previous == scene.kind == "STRING":
        help_ = "write one string"
    return scene.fault(message, help_)
