"""The grammar as railroad diagrams: every rule of `grammar/arch.lark` drawn, each name a link to its rule.

A rule becomes a tree of tuples first: ("word", text), ("rule", name), ("row", parts), ("choice", parts),
("maybe", part), and ("many", part, between) for one or more with something between them. Rules that begin with
themselves, as LALR wants them, become loops; what all alternatives begin or end with stands once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

import railroad
from lark import Lark, Token, Tree

GRAMMAR = Path(__file__).parents[2] / "grammar" / "arch.lark"
PART = re.compile(r"(?m)^// --- ([^-]+?) -*$")
TOKENS = {
    "NAME": "a name: letters, digits, `_`, not a digit first",
    "NUMBER": "a number: `12`, `3.5`, `1e-5`",
    "STRING": 'a string: `"b n d -> b d"`',
    "MODULE": "the name of a file: `std.nn`",
    "AUGMENTED": "`+=` and its like, which are read so that a diagnostic can say what to write",
    "_NEWLINE": "the end of a line",
    "_INDENT": "four more spaces",
    "_DEDENT": "the end of what is indented",
}
SHOWN = {"_NEWLINE": "end of line", "_INDENT": "indent", "_DEDENT": "dedent"}

Node = tuple[Any, ...]
EMPTY: Node = ("row", ())


@cache
def rules() -> dict[str, Node]:
    """The rules by name, in the order of the file; helpers of the grammar are written out where they are used."""
    text = GRAMMAR.read_text(encoding="utf-8").replace("\n?!", "\n!?")  # which lark's own grammar does not know
    tree = Lark.open_from_package("lark", "lark.lark", ("grammars",), parser="lalr").parse(text)
    found = {_name(each.children[0]): each for each in tree.children if isinstance(each, Tree) and each.data == "rule"}
    helpers = {name: each for name, each in found.items() if name.startswith("_")}
    return {name: _rule(name, each, helpers) for name, each in found.items() if name not in helpers}


def parts() -> Iterator[tuple[str, list[str]]]:
    """The headings of the grammar, with the names of the rules below each."""
    head, *pieces = PART.split(GRAMMAR.read_text(encoding="utf-8"))
    for title, text in zip(pieces[::2], pieces[1::2], strict=True):
        names = re.findall(r"(?m)^[!?]*([a-z]\w*)(?=:)", head + text)
        yield title.strip(), [name for name in names if name in rules()]
        head = ""


def _name(token: Any) -> str:
    return str(token).lstrip("!?")


def _rule(name: str, tree: Tree[Token], helpers: dict[str, Tree[Token]]) -> Node:
    node = _node(tree.children[-1], helpers, {})
    arms = list(node[1]) if node[0] == "choice" else [node]
    own = [arm for arm in arms if _row(arm)[:1] == (("rule", name),)]
    if not own:
        return _choice(arms)
    first = _choice([arm for arm in arms if arm not in own])
    rest = [_row(arm)[1:] for arm in own]
    if all(row[-1] == first for row in rest):  # a + a + a
        return ("many", first, _choice([_joined(row[:-1]) for row in rest]))
    return _joined([first, ("maybe", ("many", _choice([_joined(row) for row in rest]), EMPTY))])


def _row(node: Node) -> tuple[Node, ...]:
    return node[1] if node[0] == "row" else (node,)


def _joined(given: Sequence[Node]) -> Node:
    """Parts one after the other; `x` and then any number of `, x` is a loop."""
    row: list[Node] = []
    for part in (each for node in given for each in _row(node)):
        loop = part[1] if part[0] == "maybe" and part[1][0] == "many" else None
        if loop and row and _row(loop[1])[-1] == row[-1] and loop[2] == EMPTY:
            row[-1] = ("many", row[-1], _joined(_row(loop[1])[:-1]))
        else:
            row.append(part)
    return row[0] if len(row) == 1 else ("row", tuple(row))


def _choice(arms: Sequence[Node]) -> Node:
    """One of several; what all begin or end with is taken out."""
    rows = [_row(arm) for arm in dict.fromkeys(arms)]
    if len(rows) == 1:
        return _joined(rows[0])
    before = 0
    while all(len(row) > before and row[before] == rows[0][before] for row in rows):
        before += 1
    rests, after = [row[before:] for row in rows], 0
    while all(len(row) > after and row[-1 - after] == rests[0][-1 - after] for row in rests):
        after += 1
    inner = [_joined(row[: len(row) - after]) for row in rests]
    full = [node for node in inner if node != EMPTY]
    made: Node = ("choice", tuple(full)) if len(full) > 1 else full[0]
    if len(full) < len(inner):
        made = ("maybe", made)
    return _joined([*rows[0][:before], made, *(rests[0][len(rests[0]) - after :] if after else ())])


def _node(tree: Any, helpers: dict[str, Tree[Token]], given: dict[str, Node]) -> Node:
    """A part of the grammar; `given` are the parts that a helper is used with."""
    kids = [each for each in tree.children if each is not None]
    if tree.data == "expansions":
        return ("choice", tuple(_node(each, helpers, given) for each in kids))
    if tree.data == "alias":
        return _node(kids[0], helpers, given)
    if tree.data == "expansion":
        return _joined([_node(each, helpers, given) for each in kids])
    if tree.data == "expr":
        inner, sign = _node(kids[0], helpers, given), str(kids[1]) if len(kids) > 1 else ""
        many: Node = ("many", inner, EMPTY)
        return {"": inner, "?": ("maybe", inner), "*": ("maybe", many), "+": many}[sign]
    if tree.data == "maybe":
        inner = _node(kids[0], helpers, given)
        return ("maybe", _choice(inner[1]) if inner[0] == "choice" else inner)
    if tree.data == "literal":
        return ("word", str(kids[0]).strip('"'))
    if tree.data == "template_usage":
        used = helpers[_name(kids[0].children[0])]
        (parameter,) = used.children[1].children
        return _node(used.children[-1], helpers, {_name(parameter): _node(kids[1], helpers, given)})
    if tree.data in ("name", "value"):
        found = kids[0]
        if isinstance(found, Tree):
            return _node(found, helpers, given)
        return given.get(_name(found), ("rule", _name(found)))
    raise AssertionError(tree.data)


def _drawn(node: Node) -> Any:
    """A node for the package that draws."""
    match node:
        case ("word", text):
            return railroad.Terminal(text)
        case ("rule", name):
            return railroad.NonTerminal(SHOWN.get(name, name), href=f"#{'tokens' if name in TOKENS else name}")
        case ("row", parts_):
            return railroad.Sequence(*map(_drawn, parts_)) if parts_ else railroad.Skip()
        case ("choice", parts_):
            return railroad.Choice(0, *map(_drawn, parts_))
        case ("maybe", part):
            return railroad.Optional(_drawn(part))
        case ("many", part, between):
            return railroad.OneOrMore(_drawn(part), None if between == EMPTY else _drawn(between))
        case _:
            raise AssertionError(node)


def words(node: Node) -> str:
    """A rule in a line, for those who hear the page."""
    match node:
        case ("word", text):
            return f'"{text}"'
        case ("rule", name):
            return str(SHOWN.get(name, name))
        case ("row", parts_):
            return " ".join(map(words, parts_))
        case ("choice", parts_):
            return f"({' | '.join(map(words, parts_))})"
        case ("maybe", part):
            return f"[{words(part)}]"
        case ("many", part, between):
            return f"{{{words(part)}}}" if between == EMPTY else f"{{{words(part)} / {words(between)}}}"
        case _:
            raise AssertionError(node)


def drawing(name: str) -> str:
    """The SVG of a rule."""
    out, node = StringIO(), rules()[name]
    railroad.Diagram(_drawn(node), css=None).writeSvg(out.write)
    label = escape(f"{name}: {words(node)}", quote=True)
    return out.getvalue().replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1).replace("\n", "")


def page() -> str:
    """All rules, as what stands in a page of Markdown."""
    found = ['<link rel="stylesheet" href="railroads.css">']
    for title, names in parts():
        found.append(f"## {title.capitalize()}")
        found += [f'### {name} {{ #{name} }}\n\n<div class="rail">{drawing(name)}</div>' for name in names]
    found.append("## Tokens { #tokens }")
    found.append("\n".join(f"- **{SHOWN.get(name, name)}**: {text}" for name, text in TOKENS.items()))
    return "\n\n".join(found) + "\n"
