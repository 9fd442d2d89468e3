"""Sizes, numbers that depend on sizes, and conditions as Python expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from ogive.backends.python_text.expr import Code, binary, both, call, either, literal, prefix, set_of
from ogive.compiler.ir.model import Scalar
from ogive.compiler.sizes import Condition, Size, Unknown, size
from ogive.compiler.sizes.atoms import SizeOperation, SizeTree
from ogive.compiler.sizes.condition import AllOf, AnyOf, Member, Not, SizeComparison, Truth

Names = Callable[[Unknown], Code]  # the expression of an unknown, a variable or an attribute
OPERATORS = ("+", "-", "*", "/", "//", "%", "**")


def size_code(value: Size | int, names: Names) -> Code:
    """A size as an int expression."""
    whole = size(value)
    found = _found(whole.unknowns, names)
    return _tree(whole.text.tree, found)


def _found(unknowns: Iterable[Unknown], names: Names) -> dict[Unknown, Code]:
    """The expressions of unknowns, asked for in the order in which these were introduced."""
    return {unknown: names(unknown) for unknown in sorted(unknowns, key=lambda u: u.serial)}


def _tree(tree: SizeTree, found: Mapping[Unknown, Code]) -> Code:
    match tree:
        case Unknown():
            return found[tree]
        case int():
            return literal(tree)
        case SizeOperation(name="-", parts=(part,)):
            return prefix("-", _tree(part, found))
        case SizeOperation(name=name, parts=parts):
            codes = [_tree(part, found) for part in parts]
            return binary(codes[0], name, codes[1]) if name in OPERATORS else call(name, *codes)
        case _:
            assert_never(tree)


def condition_code(condition: Condition, names: Names) -> Code:
    """A condition as a bool expression."""
    return _condition(condition, _found(condition.unknowns, names))


def _condition(condition: Condition, found: Mapping[Unknown, Code]) -> Code:
    match condition:
        case Truth(value=value):
            return literal(value)
        case SizeComparison(op=sign, left=left, right=right):
            return binary(_tree(left.text.tree, found), sign, _tree(right.text.tree, found))
        case Member(of=of, values=values):
            return binary(_tree(of.text.tree, found), "in", set_of(sorted(values)))
        case AllOf(parts=parts):
            return both(*(_condition(part, found) for part in parts))
        case AnyOf(parts=parts):
            return either(*(_condition(part, found) for part in parts))
        case Not(part=part):
            return prefix("not", _condition(part, found))
        case _:
            raise AssertionError(f"not a condition: {condition}")


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
