"""Sizes and conditions in canonical text, at numbers. Nothing is executed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from ogive.compiler.sizes.atoms import FUNCTIONS

BINARY: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b,
}  # fmt: skip
WORDS = frozenset(("and", "or", "not", "in", "true", "false", *FUNCTIONS))


def evaluated(text: str, sizes: Mapping[str, int]) -> int | bool | None:
    """A size or condition at these sizes; None where one is not known, or where it divides by 0."""
    try:
        found: int | bool = _value(_parsed(text), {_plain(name): number for name, number in sizes.items()})
    except (KeyError, ZeroDivisionError):
        return None
    return found


def names_in(text: str) -> list[str]:
    """The sizes that a text speaks of."""
    return [name for name in re.findall(r"[^\W\d]\w*'*", text) if name not in WORDS]


def line(text: str, sizes: Mapping[str, int]) -> tuple[str, int, int] | None:
    """The one size that is not known, the slope and the rest, where the text is `slope*size + rest`."""
    free = {name for name in names_in(text) if name not in sizes}
    if len(free) != 1:
        return None
    (name,) = free
    found = [evaluated(text, {**sizes, name: number}) for number in (0, 1, 2)]
    if None in found:
        return None
    rest, first, second = (int(number) for number in found if number is not None)
    return (name, first - rest, rest) if second - first == first - rest > 0 else None


def _parsed(text: str) -> ast.expr:
    return ast.parse(re.sub(r"\w'+", lambda name: _plain(name[0]), text), mode="eval").body


def _plain(name: str) -> str:
    """Names may end in primes, those of Python may not."""
    return name.replace("'", "_prime")


def _value(node: ast.expr, sizes: Mapping[str, int]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() as value):
            return value
        case ast.Name(id="true" | "false" as name):
            return name == "true"
        case ast.Name(id=name):
            return sizes[name]
        case ast.Set(elts=items):
            return {_value(item, sizes) for item in items}
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](_value(left, sizes), _value(right, sizes))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, sizes)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not _value(inner, sizes)
        case ast.BoolOp(op=op, values=values):
            parts = [_value(value, sizes) for value in values]
            return all(parts) if isinstance(op, ast.And) else any(parts)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARE:
            return COMPARE[type(op)](_value(left, sizes), _value(right, sizes))
        case ast.Call(func=ast.Name(id=name), args=args) if name in FUNCTIONS:
            return FUNCTIONS[name].number(*(_value(arg, sizes) for arg in args))
        case _:
            raise ValueError(f"no condition: {ast.unparse(node)}")
