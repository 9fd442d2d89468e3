"""Properties of outputs as text: "y[0] > y[1] + 0.5 and y >= -1", comparisons of affine terms; `argmax(y) == 3`.

Each becomes rows: Σ coefficients y + constant, which is above 0 (or not below) wherever the property holds.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Tensor

from ogive.compiler.passes.conversion.result import PassError

EXAMPLE = '`property="y[0, 1] > y[0, 2] + 0.5 and y >= -1"`, or `property="argmax(y) == 3"`'


@dataclass(frozen=True, slots=True)
class PropertyRow:
    """What is above 0, or not below it where it is not `strict`: Σ coefficients[name] y[name] + constant."""

    coefficients: Mapping[str, Tensor]
    constant: float
    strict: bool
    text: str

    def at(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Its value at outputs [B, *shape]."""
        found: Tensor = torch.as_tensor(self.constant, dtype=torch.float64)
        for name, rows in self.coefficients.items():
            value = outputs[name]
            found = found + (value * rows).reshape(value.shape[0], -1).sum(-1)
        return found

    def broken(self, value: Tensor) -> Tensor:
        """Where such values break it."""
        return value <= 0 if self.strict else value < 0


@dataclass(slots=True)
class Term:
    """Entries of an affine term, flat: coefficients for each output [N, *shape], constants [N]."""

    coefficients: dict[str, Tensor]
    constant: Tensor


def rows_of(text: str, shapes: Mapping[str, tuple[int, ...]]) -> list[PropertyRow]:
    """The rows of a property of outputs of these shapes. Raises PassError, which says what a property is."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise PassError("E0810", f"`{text}` is no property: {EXAMPLE}") from None
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    return [row for part in parts for row in PropertyReader(text, shapes).rows(part)]


@dataclass(frozen=True, slots=True)
class PropertyReader:
    """Reads the parts of one property."""

    text: str
    shapes: Mapping[str, tuple[int, ...]]

    def wrong(self, part: ast.AST, why: str) -> PassError:
        return PassError("E0810", f"`{ast.unparse(part)}` in a property {why}: {EXAMPLE}")

    def rows(self, part: ast.expr) -> list[PropertyRow]:
        """Of a comparison, or of a chain of some."""
        if not isinstance(part, ast.Compare):
            raise self.wrong(part, "is no comparison")
        if isinstance(part.left, ast.Call):
            return self._largest(part)
        found: list[PropertyRow] = []
        sides = [part.left, *part.comparators]
        for op, left, right in zip(part.ops, sides, sides[1:], strict=False):
            if not isinstance(op, ast.Gt | ast.GtE | ast.Lt | ast.LtE):
                raise self.wrong(part, "compares by other than <, <=, >, >=")
            high, low = (left, right) if isinstance(op, ast.Gt | ast.GtE) else (right, left)
            gap = self.sum(self.term(high), self.term(low), -1.0, part)
            found += self._rows(gap, isinstance(op, ast.Gt | ast.Lt), ast.unparse(part))
        return found

    def _rows(self, gap: Term, strict: bool, text: str) -> list[PropertyRow]:
        count = gap.constant.shape[0]
        return [
            PropertyRow(
                {name: rows[at] for name, rows in gap.coefficients.items()}, float(gap.constant[at]), strict, text
            )
            for at in range(count)
        ]

    def _largest(self, part: ast.Compare) -> list[PropertyRow]:
        """`argmax(y) == 3`: along the last axis, of each row of the output."""
        call = part.left
        assert isinstance(call, ast.Call)
        right = part.comparators[0]
        named = isinstance(call.func, ast.Name) and call.func.id == "argmax" and len(call.args) == 1
        fits = len(part.ops) == 1 and isinstance(part.ops[0], ast.Eq) and isinstance(right, ast.Constant)
        if not named or not fits or not isinstance(call.args[0], ast.Name) or not isinstance(right.value, int):  # type: ignore[attr-defined]
            raise self.wrong(part, "is no `argmax(output) == number`")
        name, chosen = call.args[0].id, right.value  # type: ignore[attr-defined]
        shape = self._shape(call.args[0], name)
        if not shape or not 0 <= chosen < shape[-1]:
            raise self.wrong(part, f"asks for one of {shape[-1] if shape else 0} entries")
        found = []
        for before in product(*map(range, shape[:-1])):
            for other in range(shape[-1]):
                if other != chosen:
                    rows = torch.zeros(shape, dtype=torch.float64)
                    rows[(*before, chosen)], rows[(*before, other)] = 1.0, -1.0
                    found.append(PropertyRow({name: rows}, 0.0, True, ast.unparse(part)))
        return found

    def _shape(self, part: ast.AST, name: str) -> tuple[int, ...]:
        if name not in self.shapes:
            raise self.wrong(part, f"is no output: there is {', '.join(self.shapes)}")
        return self.shapes[name]

    def term(self, part: ast.expr) -> Term:
        """An affine term of entries of outputs."""
        match part:
            case ast.Constant(value=int() | float() as value):
                return Term({}, torch.tensor([float(value)], dtype=torch.float64))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.scaled(self.term(inner), -1.0)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return self.sum(self.term(left), self.term(right), 1.0, part)
            case ast.BinOp(op=ast.Sub(), left=left, right=right):
                return self.sum(self.term(left), self.term(right), -1.0, part)
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                a, b = self.term(left), self.term(right)
                if a.coefficients and b.coefficients:
                    raise self.wrong(part, "is not affine")
                constant, other = (a, b) if not a.coefficients else (b, a)
                return self.scaled(other, float(constant.constant[0]))
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                b = self.term(right)
                if b.coefficients or float(b.constant[0]) == 0:
                    raise self.wrong(part, "divides by no number but 0, or by an output")
                return self.scaled(self.term(left), 1 / float(b.constant[0]))
            case ast.Name(id=name):
                return self.entries(part, name, ())
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                parts = index.elts if isinstance(index, ast.Tuple) else [index]
                return self.entries(part, name, [self.index(each) for each in parts])
            case _:
                raise self.wrong(part, "is no sum of entries of outputs and numbers")

    def index(self, part: ast.expr) -> int:
        match part:
            case ast.Constant(value=int() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
                return -value
            case _:
                raise self.wrong(part, "is no number of an entry")

    def entries(self, part: ast.AST, name: str, index: Sequence[int]) -> Term:
        """The entries of an output at an index, or all of them."""
        shape = self._shape(part, name)
        if len(index) > len(shape) or any(not -n <= at < n for at, n in zip(index, shape, strict=False)):
            raise self.wrong(part, f"lies outside of [{', '.join(map(str, shape))}]")
        count = prod(shape)
        units = torch.eye(count, dtype=torch.float64).reshape(*shape, *shape)
        chosen = units[tuple(index)].reshape(-1, *shape)
        return Term({name: chosen}, torch.zeros(chosen.shape[0], dtype=torch.float64))

    def scaled(self, term: Term, by: float) -> Term:
        return Term({name: by * rows for name, rows in term.coefficients.items()}, by * term.constant)

    def sum(self, a: Term, b: Term, sign: float, part: ast.AST) -> Term:
        """Entries meet one by one, or one meets all."""
        n, m = a.constant.shape[0], b.constant.shape[0]
        if n != m and 1 not in (n, m):
            raise self.wrong(part, f"meets {n} entries with {m}")
        found = {name: rows.expand(max(n, m), *rows.shape[1:]) for name, rows in a.coefficients.items()}
        for name, rows in b.coefficients.items():
            more = (sign * rows).expand(max(n, m), *rows.shape[1:])
            found[name] = found[name] + more if name in found else more
        return Term(found, a.constant + sign * b.constant)
