"""Variables of one use without a name in the source: what they hold stands where it is used, if that is shorter; and
chains of methods that are too long for a line begin in one of their own, if that is.

While a function is written, lines are longer than in the end: loops over modules are found later, and inside of them
`self.stages[0].blocks[0]` is `block`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ogive.backends.python_text.expr import Code, names_in, with_parts
from ogive.backends.python_text.render import rendered
from ogive.backends.python_text.statements import Assign, Class, Evaluate, For, FunctionDef, If, Return, Statement
from ogive.backends.python_text.wrap import STEP


def inlined(statement: Statement, indent: int = 0) -> Statement:
    """A class or a function of a file without those of its variables that need no line."""
    if isinstance(statement, Class):
        return statement.but(body=tuple(inlined(each, indent + STEP) for each in statement.body))
    if not isinstance(statement, FunctionDef):
        return statement
    return statement.but(body=tuple(_inlined(list(statement.body), indent + STEP, _Later(()))))


@dataclass(frozen=True, slots=True)
class _Later:
    """The statements that may run after some, nearest first; those of a loop come again."""

    bodies: tuple[Sequence[Statement], ...]

    def reads(self, variable: str) -> bool:
        """Whether the value that a variable has now is read."""
        return _fate([each for body in self.bodies for each in body], variable) == "read"

    def behind(self, *bodies: Sequence[Statement]) -> _Later:
        """What comes later for statements before these."""
        return _Later((*bodies, *self.bodies))


def _fate(body: Sequence[Statement], variable: str) -> str:
    """What becomes of a variable first: it is "read", "lost", or neither ("")."""
    for each in body:
        if any(variable in value.names for value in each.values):
            return "read"
        if isinstance(each, Return) or (isinstance(each, Assign) and variable in each.definitions):
            return "read" if variable in each.uses else "lost"
        fates = [_fate(inner, variable) for inner in each.bodies]
        if "read" in fates or (not fates and variable in each.uses):
            return "read"
    return ""


def _inlined(body: list[Statement], indent: int, later: _Later) -> list[Statement]:
    for at in reversed(range(len(body))):
        body[at : at + 1] = _parted(body, at, later.behind(body[at + 1 :]), indent)
    for at in reversed(range(len(body))):
        each, rest = body[at], body[at + 1 :]
        if isinstance(each, For):
            inner = _inlined(list(each.body), indent + STEP, later.behind([each], rest))
            body[at] = each.but(body=tuple(inner))
        elif isinstance(each, If):
            first, other = (
                tuple(_inlined(list(arm), indent + STEP, later.behind(rest))) for arm in (each.body, each.other)
            )
            body[at] = each.but(body=first, other=other)
        elif isinstance(each, Assign) and rest:
            made = _joined(each, rest[0], later.behind(rest[1:]), indent)
            if made is not None:
                body[at : at + 2] = [made]
    return body


def _parted(body: Sequence[Statement], at: int, later: _Later, indent: int) -> list[Statement]:
    """`y = y.view(...)`, then the rest of a chain of methods on y that does not fit a line: nothing else reads y."""
    each, before = body[at], body[at - 1] if at else None
    whole = [each]
    if not isinstance(each, Assign | Return) or not isinstance(before, Assign) or not before.made_up:
        return whole
    held, (value,) = before.target.node, each.values or (None,)
    if not isinstance(held, ast.Name) or value is None or len(rendered(whole, indent)) == 1:
        return whole
    if list(_order(value.node, held.id)).count("here") != 1 or later.reads(held.id):
        return whole
    part = value.node
    while isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
        part = part.func.value
        if not isinstance(part, ast.Call) or held.id not in names_in(part):
            return whole
        cut = with_parts(value, lambda node, part=part: held if node is part else None)  # type: ignore[misc]
        made: list[Statement] = [Assign(before.target, Code(part), "", True), each.but(value=cut)]
        if len(rendered(made, indent)) < len(rendered(whole, indent)):
            return made
    return whole


def _joined(first: Assign, second: Statement, later: _Later, indent: int) -> Statement | None:
    """Two statements as one, where that is shorter and runs the same in the same order."""
    target = first.target.node
    if not first.made_up or not isinstance(target, ast.Name) or target.id not in second.uses:
        return None
    if not isinstance(second, Assign | Return | Evaluate):
        return None
    (value,) = second.values
    order = list(_order(value.node, target.id))
    if order.count("here") != 1 or order[0] != "here":
        return None
    if target.id not in second.definitions and later.reads(target.id):
        return None

    def change(node: ast.expr) -> ast.expr | None:
        return first.value.node if isinstance(node, ast.Name) and node.id == target.id else None

    made = second.but(value=with_parts(value, change))
    fewer = len(rendered([made], indent)) < len(rendered([first, second], indent))
    return made if fewer else None


def _order(node: ast.AST, variable: str) -> Iterator[str]:
    """What is computed in an expression, in the order in which it is: "here" for the variable, "more" for all else."""
    match node:
        case ast.Name(id=id):
            if id == variable:
                yield "here"
        case ast.Constant():
            pass
        case ast.Attribute(value=base) | ast.keyword(value=base) | ast.Starred(value=base):
            yield from _order(base, variable)
        case ast.Call(func=func, args=args, keywords=named):
            for part in (func, *args, *named):
                yield from _order(part, variable)
            yield "more"
        case ast.BinOp(left=left, right=right):
            yield from _order(left, variable)
            yield from _order(right, variable)
            yield "more"
        case ast.UnaryOp(operand=operand):
            yield from _order(operand, variable)
            yield "more"
        case ast.Subscript(value=base, slice=index):
            yield from _order(base, variable)
            yield from _order(index, variable)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _order(item, variable)
        case _:  # what may run in part, or several times
            yield "more"
            yield from ("here", "here") if variable in names_in(node) else ()
