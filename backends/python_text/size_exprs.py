"""Sizes, numbers that depend on sizes, and conditions as Python expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from ogive.backends.python_text.expr import Code, binary, call, literal, prefix
from ogive.backends.python_text.pretty import parse
from ogive.compiler.ir.model import Scalar
from ogive.compiler.sizes import Condition, Size, Unknown, size

Names = Callable[[Unknown], Code]  # the expression of an unknown, a variable or an attribute
OPERATORS = ("+", "-", "*", "/", "//", "%", "**")


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node)


def _placed(unknowns: Iterable[Unknown], names: Names) -> tuple[dict[Unknown, Size], dict[str, ast.expr]]:
    """Unknowns of distinct plain names in the place of these: two unknowns may have one source name."""
    places: dict[Unknown, Size] = {}
    texts: dict[str, ast.expr] = {}
    for at, unknown in enumerate(sorted(unknowns, key=lambda u: u.serial)):
        places[unknown] = size(Unknown(f"u{at}_", unknown.low, unknown.kind))
        texts[f"u{at}_"] = names(unknown).node
    return places, texts


def _code(text: str, texts: dict[str, ast.expr]) -> Code:
    tree = _Renamed(texts).visit(parse(text))
    return Code(tree)


def size_code(value: Size | int, names: Names) -> Code:
    """A size as an int expression."""
    if isinstance(value, int) or value.is_number:
        number = value if isinstance(value, int) else value.number
        return literal(number)
    places, texts = _placed(value.unknowns, names)
    return _code(str(value.subs(places)), texts)


def condition_code(condition: Condition, names: Names) -> Code:
    """A condition as a bool expression."""
    places, texts = _placed(condition.unknowns, names)
    return _code(str(condition.subs(places)), texts)


def scalar_code(value: object, names: Names) -> Code:
    """A number as an expression."""
    match value:
        case Scalar(fn=fn, args=args):
            parts = [scalar_code(arg, names) for arg in args]
            if fn in OPERATORS and len(parts) == 2:
                return binary(parts[0], fn, parts[1])
            if fn in ("neg", "-"):
                return prefix("-", parts[0])
            if fn in ("min", "max"):
                return call(fn, *parts)
            return call(f"math.{fn}", *parts)
        case float() | int():
            return literal(value)
        case Size():
            return size_code(value, names)
        case _:
            raise AssertionError(f"not a number: {value}")


def unknowns_of(value: object) -> frozenset[Unknown]:
    """The unknowns of a size or of a number that depends on sizes."""
    match value:
        case Size() | Condition():
            return value.unknowns
        case Scalar(args=args):
            return frozenset[Unknown]().union(*map(unknowns_of, args))
        case _:
            return frozenset()
