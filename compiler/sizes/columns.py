"""Sizes and conditions evaluated at many values at once, one list for each unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ogive.compiler.sizes.atoms import Atom, Compound, Floor, Size, Unknown
from ogive.compiler.sizes.condition import COMPARE, AllOf, AnyOf, Condition, Member, Not, SizeComparison, Truth

Columns = Mapping[Unknown, Sequence[int]]


class Table:
    """Columns of values, and what was computed from them. `bad` are the rows in which something has no number."""

    __slots__ = ("_done", "bad", "columns", "length")

    def __init__(self, columns: Columns, length: int) -> None:
        self.columns = columns
        self.length = length
        self.bad: set[int] = set()
        self._done: dict[Atom, Sequence[int]] = {}

    def size(self, of: Size) -> Sequence[int]:
        """The values of a size, row by row."""
        total: Sequence[int] | None = None
        for monomial, coefficient in of.terms.items():
            column: Sequence[int] = [coefficient] * self.length if not monomial else self._product(monomial)
            if monomial and coefficient != 1:
                column = [coefficient * v for v in column]
            total = column if total is None else [a + b for a, b in zip(total, column, strict=True)]
        return [0] * self.length if total is None else total

    def _product(self, monomial: tuple[tuple[Atom, int], ...]) -> Sequence[int]:
        product: Sequence[int] | None = None
        for atom, exponent in monomial:
            column = self._atom(atom)
            if exponent != 1:
                column = [v**exponent for v in column]
            product = column if product is None else [a * b for a, b in zip(product, column, strict=True)]
        assert product is not None
        return product

    def _atom(self, atom: Atom) -> Sequence[int]:
        if isinstance(atom, Unknown):
            return self.columns[atom]
        found = self._done.get(atom)
        if found is None:
            found = self._done[atom] = self._compound(atom)
        return found

    def _compound(self, atom: Compound) -> list[int]:
        if isinstance(atom, Floor) and atom.den.is_number:
            den = atom.den.number
            return [v // den for v in self.size(atom.num)]
        return self._each(atom.number, [self.size(part) for part in atom.parts])

    def _each(self, operation: Callable[..., int], parts: Sequence[Sequence[int]]) -> list[int]:
        """The operation row by row; 0 in the rows where it has no number, which are bad from then on."""
        found: list[int] = []
        for row, operands in enumerate(zip(*parts, strict=True)):
            try:
                found.append(operation(*operands))
            except ZeroDivisionError:
                self.bad.add(row)
                found.append(0)
        return found

    def condition(self, of: Condition) -> Sequence[bool]:
        """Whether a condition holds, row by row."""
        if isinstance(of, SizeComparison):
            test = COMPARE[of.op]
            if of.right.is_number:
                bound = of.right.number
                return [test(v, bound) for v in self.size(of.left)]
            return [test(a, b) for a, b in zip(self.size(of.left), self.size(of.right), strict=True)]
        if isinstance(of, Member):
            return [v in of.values for v in self.size(of.of)]
        if isinstance(of, Not):
            return [not v for v in self.condition(of.part)]
        if isinstance(of, AllOf):
            return [all(row) for row in zip(*map(self.condition, of.parts), strict=True)]
        if isinstance(of, AnyOf):
            return [any(row) for row in zip(*map(self.condition, of.parts), strict=True)]
        assert isinstance(of, Truth), of
        return [of.value] * self.length
