"""Sizes, numbers, types, recipes and other attributes of the IR as text, and back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from types import MappingProxyType
from typing import Any

from ogive.compiler.ir.model import Const, Scalar
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Part, Side
from ogive.compiler.sizes import (
    FALSE,
    TRUE,
    Condition,
    Size,
    Unknown,
    all_of,
    any_of,
    compare,
    member,
    size,
)
from ogive.compiler.sizes.arithmetic import CALLS

RESERVED = frozenset(("min", "max", "size", "scalar", "recipe", "unknown", "where", "opaque", "float", "axis"))
OPERATORS = MappingProxyType(
    {"+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floordiv", "%": "mod", "**": "pow"}
)
SIGNS = MappingProxyType({name: sign for sign, name in OPERATORS.items()})
COMPARISONS: Mapping[type[ast.cmpop], str] = MappingProxyType(
    {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
)


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is known by its text alone, such as a block that was handed over as a static."""

    text: str

    def __str__(self) -> str:
        return self.text


class Labels:
    """One name for each unknown of a definition, though two unknowns may share their source name."""

    def __init__(self, unknowns: Iterable[Unknown]) -> None:
        self.names: dict[Unknown, str] = {}
        self.sizes: dict[Unknown, Size] = {}
        taken: set[str] = set()
        for unknown in sorted(unknowns, key=lambda u: u.serial):
            base = re.sub(r"\W", "_", unknown.name) or "u"
            label, number = base, 2
            while label in taken or label in RESERVED or iskeyword(label):
                label, number = f"{base}_{number}", number + 1
            taken.add(label)
            self.names[unknown] = label
            self.sizes[unknown] = size(Unknown(label, unknown.low, unknown.kind))

    def size(self, value: Size) -> str:
        """A size in the labels."""
        return str(value.subs(self.sizes))

    def condition(self, condition: Condition) -> str:
        """A condition in the labels."""
        return str(condition.subs(self.sizes))

    def type(self, type: TensorType) -> str:
        """`int[b, n]`; a pack is `*b`."""
        axes = ", ".join(f"*{self.size(a.size)}" if a.pack is not None else self.size(a.size) for a in type.axes)
        return f"[{axes}]" if type.elem == "float" else f"{type.elem}[{axes}]"

    def value(self, value: Any) -> str:
        """Any attribute."""
        match value:
            case Const(value=inner):
                return self.value(inner)
            case Size():
                return f"size({value})" if value.is_number else self.size(value)
            case Scalar(fn=fn, args=args):
                return f"scalar.{OPERATORS.get(fn, fn)}({', '.join(map(self.value, args))})"
            case AxisPattern():
                return self.recipe(value)
            case Unknown():
                return f"unknown({self.names[value]})"
            case Condition():
                return f"where({self.condition(value)!r})"
            case tuple():
                return f"({', '.join(map(self.value, value))}{',' if len(value) == 1 else ''})"
            case None | bool() | int() | float() | str():
                return f"float({str(value)!r})" if value in (float("inf"), float("-inf")) else repr(value)
            case _:
                return f"opaque({str(value)!r})"

    def recipe(self, recipe: AxisPattern) -> str:
        """`recipe('b n -> n b', b=b, n=n)`: names in quotes where they are no identifiers."""
        atoms: dict[str, Atom] = {}
        for side in (*recipe.inputs, *recipe.outputs):
            atoms.update((atom.name, atom) for place in side for part in place.parts for atom in part)
        names = {name: name if name.isidentifier() and not iskeyword(name) else f"a{i}" for i, name in enumerate(atoms)}
        halves = (", ".join(_side(side, names) for side in half) for half in (recipe.inputs, recipe.outputs))
        sizes = [f"{names[name]}={self._atom(atom, names)}" for name, atom in atoms.items()]
        return f"recipe({', '.join([repr(' -> '.join(halves)), *sizes])})"

    def _atom(self, atom: Atom, names: Mapping[str, str]) -> str:
        pack = f", pack={atom.pack!r}" if atom.pack is not None else ""
        name = f", name={atom.name!r}" if names[atom.name] != atom.name else ""
        text = self.value(atom.size)
        return f"axis({text}{pack}{name})" if pack or name else text


def _side(side: Side, names: Mapping[str, str]) -> str:
    return " ".join(("*" if place.pack else "") + _place(place, names) for place in side)


def _place(place: AxisGroup, names: Mapping[str, str]) -> str:
    if place.joined:
        return f"({' + '.join(_part(part, names) for part in place.parts)})"
    return _part(place.parts[0], names)


def _part(part: Part, names: Mapping[str, str]) -> str:
    text = " ".join(names[atom.name] for atom in part)
    return text if len(part) == 1 else f"({text})" if part else "1"


# --- back -------------------------------------------------------------------------------------------------------------


class UnknownNames:
    """The unknowns of a definition by label: reads what `Labels` writes."""

    def __init__(self, unknowns: Mapping[str, Unknown]) -> None:
        self.unknowns = unknowns

    def size(self, text: str) -> Size:
        """A size from its text."""
        return self._size(_parsed(text))

    def _size(self, node: ast.expr) -> Size:
        match node:
            case ast.Constant(value=int() as number):
                return size(number)
            case ast.Name(id=name):
                return size(self.unknowns[name])
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._size(inner)
            case ast.BinOp(left=left, op=op, right=right):
                return _binary(op, self._size(left), self._size(right))
            case ast.Call(func=ast.Name(id=name), args=args) if name in CALLS:
                return CALLS[name](*map(self._size, args))
            case ast.Call(func=ast.Name(id="size"), args=[inner]):
                return self._size(inner)
            case _:
                raise ValueError(f"not a size: {ast.unparse(node)}")

    def condition(self, text: str) -> Condition:
        """A condition from its text."""
        return self._condition(_parsed(text))

    def _condition(self, node: ast.expr) -> Condition:
        match node:
            case ast.Constant(value=bool() as value):
                return TRUE if value else FALSE
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Set(elts=items)]):
                return member(self._size(left), [self._size(item).number for item in items])
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return compare(COMPARISONS[type(op)], self._size(left), self._size(right))
            case ast.BoolOp(op=op, values=values):
                return (all_of if isinstance(op, ast.And) else any_of)(*map(self._condition, values))
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return self._condition(inner).negate()
            case _:
                raise ValueError(f"not a condition: {ast.unparse(node)}")

    def type(self, text: str) -> TensorType:
        """A type from its text."""
        elem, _, inner = text.strip().partition("[")
        axes = [axis.strip() for axis in split_top(inner.rstrip()[:-1])]
        return TensorType(elem or "float", tuple(self._axis(axis) for axis in axes))

    def _axis(self, text: str) -> Axis:
        return Axis(self.size(text[1:]), None, text[1:]) if text.startswith("*") else Axis(self.size(text))

    def value(self, text: str) -> Any:
        """An attribute from its text."""
        return self._value(_parsed(text))

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.Tuple(elts=items):
                return tuple(map(self._value, items))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="scalar"), attr=fn), args=args):
                return Scalar(SIGNS.get(fn, fn), tuple(map(self._value, args)))
            case ast.Call(func=ast.Name(id="recipe"), args=[ast.Constant(value=str() as pattern)], keywords=keywords):
                return self._recipe(pattern, {str(k.arg): k.value for k in keywords})
            case ast.Call(func=ast.Name(id="where"), args=[ast.Constant(value=str() as text)]):
                return self.condition(text)
            case ast.Call(func=ast.Name(id="unknown"), args=[ast.Name(id=label)]):
                return self.unknowns[label]
            case ast.Call(func=ast.Name(id="opaque"), args=[ast.Constant(value=str() as text)]):
                return Opaque(text)
            case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str() as text)]):
                return float(text)
            case _:
                return self._size(node)

    def _recipe(self, pattern: str, sizes: Mapping[str, ast.expr]) -> AxisPattern:
        atoms = {name: self._atom(name, node) for name, node in sizes.items()}
        left, _, right = pattern.partition("->")
        halves = [tuple(_read_side(side, atoms) for side in split_top(half) or [""]) for half in (left, right)]
        return AxisPattern(halves[0], halves[1])

    def _atom(self, name: str, node: ast.expr) -> Atom:
        match node:
            case ast.Call(func=ast.Name(id="axis"), args=[inner], keywords=keywords):
                more = {str(k.arg): self._value(k.value) for k in keywords}
                return Atom(more.get("name", name), self._size(inner), more.get("pack"))
            case _:
                return Atom(name, self._size(node))


def _parsed(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def _binary(op: ast.operator, left: Size, right: Size) -> Size:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return left // right
        case ast.Mod():
            return left % right
        case ast.Pow():
            return left**right
        case _:
            raise ValueError(f"not an operator of sizes: {op}")


def _read_side(text: str, atoms: Mapping[str, Atom]) -> Side:
    places: list[AxisGroup] = []
    for token in re.findall(r"\*?\([^)]*\)|[^\s()]+|\((?:[^()]|\([^)]*\))*\)", text):
        places.append(_read_place(token, atoms))
    return tuple(places)


def _read_place(token: str, atoms: Mapping[str, Atom]) -> AxisGroup:
    pack, body = token.startswith("*"), token.removeprefix("*")
    if body == "1":
        return AxisGroup(((),), pack)
    inner = body[1:-1] if body.startswith("(") else body
    parts = [part.replace("(", " ").replace(")", " ").split() for part in inner.split("+")]
    return AxisGroup(tuple(tuple(atoms[name] for name in part if name != "1") for part in parts), pack)


def split_top(text: str, mark: str = ",") -> list[str]:
    """The pieces between marks that stand in no bracket and no string; none of an empty text."""
    pieces, depth, start, quote = [], 0, 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == mark and not depth:
            pieces.append(text[start:at].strip())
            start = at + 1
    last = text[start:].strip()
    return [*pieces, last] if pieces or last else []
