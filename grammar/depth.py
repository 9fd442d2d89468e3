"""Refuses trees so deep that later stages, which recurse, could not walk them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.lexer import Token
from ogive.grammar.syntax import Tree

MAX_DEPTH = 150


def too_deep(tree: Tree, tokens: Sequence[Token]) -> Diagnostic | None:
    """The first node that stands deeper than `MAX_DEPTH` in `tree`, as a diagnostic."""
    if len(tokens) <= MAX_DEPTH:
        return None
    fields: dict[type, tuple[str, ...]] = {}  # of each kind of node, those that may hold others
    stack: list[tuple[Any, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, Tree):
            if depth > MAX_DEPTH:
                help_ = "name a part of it on a line of its own"
                return Diagnostic("E0701", f"more than {MAX_DEPTH} nested expressions", node.span, help=help_)
            kind = type(node)
            if kind not in fields:
                fields[kind] = tuple(name for name in kind.__dataclass_fields__ if not name.endswith("span"))
            for name in fields[kind]:
                child = getattr(node, name)
                if isinstance(child, Tree | tuple):
                    stack.append((child, depth + 1))
        else:
            stack += [(child, depth) for child in node if isinstance(child, Tree | tuple)]
    return None
