"""Sizes that the source names have these names in functions that compute them more than once."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from ogive.backends.python_text.expr import Code, name, parts_of, with_parts
from ogive.backends.python_text.names import fresh
from ogive.backends.python_text.pretty import flat
from ogive.backends.python_text.statements import Assign, Body, FunctionDef, Statement, used

Named = tuple[str, Code]  # a name of the source, and how the size is computed


def with_names(function: FunctionDef, sizes: Iterable[Named]) -> FunctionDef:
    """The function with a variable for each size that it computes twice or more, made before the first of these."""
    body = function.body
    taken = {*(each.name for each in function.parameters), *used(body)}
    taken = taken.union(*(each.definitions for each in body))
    for wanted, code in sizes:
        if isinstance(code.node, ast.BinOp | ast.Call) and _count(body, code) > 1:
            variable = fresh(wanted, taken)
            taken.add(variable)
            body = _named(body, variable, code)
    return function.but(body=body)


def _named(body: Body, variable: str, code: Code) -> Body:
    first = next(at for at, each in enumerate(body) if _count((each,), code))
    start = body[first]
    if isinstance(start, Assign) and start.value == code:
        return body  # it has a variable of its own already
    wanted, made = code.text, name(variable)

    def change(node: ast.expr) -> ast.expr | None:
        return made.node if type(node) is type(code.node) and flat(node) == wanted else None

    rest = tuple(each.changed(lambda found: with_parts(found, change)) for each in body[first:])
    return (*body[:first], Assign(made, code), *rest)


def _count(body: Sequence[Statement], code: Code) -> int:
    """How often statements compute a size."""
    found, wanted = 0, code.text

    def look(each: Code) -> Code:
        nonlocal found
        waiting: list[ast.AST] = [each.node] if code.names <= each.names else []
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.expr) and type(node) is type(code.node) and flat(node) == wanted:
                found += 1
            else:
                waiting += parts_of(node)
        return each

    for statement in body:
        statement.changed(look)
    return found
