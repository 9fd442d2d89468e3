"""Calls of constructors in fewer lines: lists inside of groups, strides and paddings by their place."""

from __future__ import annotations

import ast
from types import MappingProxyType

from ogive.backends.python_text.expr import Code, with_parts
from ogive.backends.python_text.pretty import flat
from ogive.backends.python_text.render import rendered
from ogive.backends.python_text.statements import Assign, Class, FunctionDef, Statement
from ogive.backends.python_text.wrap import STEP

INDENT = 2 * STEP  # of the statements of a method
# what stands behind the first three arguments, in torch's order
PLACES = MappingProxyType({f"nn.Conv{count}d": ("stride", "padding", "dilation", "groups") for count in (1, 2, 3)})


def short_calls(statement: Statement) -> Statement:
    """A class whose constructor is so."""
    if not isinstance(statement, Class):
        return statement
    return statement.but(body=tuple(map(_constructor, statement.body)))


def _constructor(statement: Statement) -> Statement:
    if not isinstance(statement, FunctionDef) or statement.name != "__init__":
        return statement
    return statement.but(body=tuple(map(_short, statement.body)))


def _short(statement: Statement) -> Statement:
    if not isinstance(statement, Assign):
        return statement
    listed = statement.changed(lambda code: with_parts(code, _in_group))
    placed = listed.changed(lambda code: with_parts(code, _by_place))
    fewer = len(rendered([placed], INDENT)) < len(rendered([listed], INDENT))
    return placed if fewer else listed


def _in_group(node: ast.expr) -> ast.expr | None:
    """`Group(layers=[...])`, which makes a list of modules of it."""
    if not isinstance(node, ast.Call) or flat(node.func) != "Group":
        return None
    named = [ast.keyword(each.arg, _plain_list(with_parts(Code(each.value), _in_group).node)) for each in node.keywords]
    return ast.Call(node.func, node.args, named)


def _plain_list(node: ast.expr) -> ast.expr:
    match node:
        case ast.Call(func=func, args=[ast.List() as items], keywords=[]) if flat(func) == "nn.ModuleList":
            return items
        case ast.Call(func=func, args=[ast.GeneratorExp(elt=item, generators=loops)], keywords=[]) if (
            flat(func) == "nn.ModuleList"
        ):
            return ast.ListComp(item, loops)
        case _:
            return node


def _by_place(node: ast.expr) -> ast.expr | None:
    """`nn.Conv2d(cin, cout, 3, stride, 1, bias=False)`."""
    if not isinstance(node, ast.Call) or flat(node.func) not in PLACES or len(node.args) != 3:
        return None
    args, left = list(node.args), list(node.keywords)
    for place in PLACES[flat(node.func)]:
        if not left or left[0].arg != place:
            break
        args.append(left.pop(0).value)
    return ast.Call(node.func, args, left)
