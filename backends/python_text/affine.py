"""What sizes in emitted expressions have to do with each other: multiples, and steps that are the same."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from ogive.backends.python_text.expr import LOAD, literal
from ogive.backends.python_text.pretty import flat

Terms = Mapping[tuple[str, ...], int]  # by the names that are multiplied, how many of it


@dataclass(frozen=True, slots=True)
class Floored:
    """A sum of products of names, divided by a number and rounded down: `(stem + 6 * growth) // 4`."""

    terms: Terms
    divisor: int = 1

    @property
    def number(self) -> int | None:
        """The number that it is, if it has no names."""
        return None if any(self.terms) else self.terms.get((), 0) // self.divisor


def floored(node: ast.expr) -> Floored | None:
    """What an expression says; None for what is not of this form."""
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return Floored({(): number} if number else {})
        case ast.Name(id=variable):
            return Floored({(variable,): 1})
        case ast.BinOp(left=left, op=op, right=right):
            a, b = floored(left), floored(right)
            return None if a is None or b is None else _of_two(a, op, b)
        case _:
            return None


def _of_two(a: Floored, op: ast.operator, b: Floored) -> Floored | None:
    match op:
        case ast.Add() | ast.Sub() if b.divisor == 1 or (a.divisor == 1 and isinstance(op, ast.Add)):
            divisor, sign = max(a.divisor, b.divisor), -1 if isinstance(op, ast.Sub) else 1
            return Floored(_sum(a.terms, divisor // a.divisor, b.terms, sign * divisor // b.divisor), divisor)
        case ast.Mult() if a.divisor == b.divisor == 1:
            found: Counter[tuple[str, ...]] = Counter()
            for names, count in a.terms.items():
                for more, times in b.terms.items():
                    found[tuple(sorted((*names, *more)))] += count * times
            return Floored({names: count for names, count in found.items() if count})
        case ast.FloorDiv() if (b.number or 0) > 0 and b.divisor == 1:
            return Floored(a.terms, a.divisor * (b.number or 1))
        case _:
            return None


def _sum(a: Terms, times: int, b: Terms, more: int) -> Terms:
    found = {names: times * a.get(names, 0) + more * b.get(names, 0) for names in {**a, **b}}
    return {names: count for names, count in found.items() if count}


def step_of(lists: Sequence[Sequence[ast.expr]]) -> ast.expr | None:
    """How much each entry of lists is more than the one before, where this is the same in all of them."""
    steps: set[tuple[tuple[tuple[str, ...], int], ...]] = set()
    for entries in lists:
        values = [floored(entry) for entry in entries]
        for a, b in pairwise(values):
            if a is None or b is None or a.divisor != b.divisor:
                return None
            terms = _sum(b.terms, 1, a.terms, -1)
            if any(count % a.divisor for count in terms.values()):
                return None
            steps.add(tuple(sorted((names, count // a.divisor) for names, count in terms.items())))
    if len(steps) != 1:
        return None
    (step,) = steps
    return _product(*step[0]) if len(step) == 1 else None


def at_number(values: Sequence[ast.expr], at: int, period: int) -> ast.expr | None:
    """The value of the item `i` of a list, whose items `at`, `at + period`, ... have these values: `c + i // 2 * step`,
    or `(i + 1) * step` where it is a whole multiple. None where they do not grow evenly.
    """
    step = step_of([values])
    first = floored(values[0])
    if step is None or first is None:
        return None
    index: ast.expr = ast.Name("i", LOAD)
    ((names, count),) = cast(Floored, floored(step)).terms.items()
    each, left = divmod(count, period)
    if not left and first.divisor == 1 and set(first.terms) <= {names}:
        steps, rest = divmod(first.terms.get(names, 0) - at * each, each)
        if not rest and steps >= 0:
            index = ast.BinOp(index, ast.Add(), literal(steps).node) if steps else index
            size = cast(ast.expr, _product(names, each))
            return index if flat(size) == "1" else ast.BinOp(index, ast.Mult(), size)
    if not left and at == 0:  # as many times as much for each number
        period, step = 1, cast(ast.expr, _product(names, each))
    turn = index if period == 1 else ast.BinOp(index, ast.FloorDiv(), literal(period).node)
    grown = turn if flat(step) == "1" else ast.BinOp(turn, ast.Mult(), step)
    return grown if first.number == 0 else ast.BinOp(values[0], ast.Add(), grown)


def _product(names: tuple[str, ...], count: int) -> ast.expr | None:
    if count < 1:
        return None
    factors: list[ast.expr] = [literal(count).node] if count > 1 or not names else []
    factors += [ast.Name(each, LOAD) for each in names]
    made = factors[0]
    for factor in factors[1:]:
        made = ast.BinOp(made, ast.Mult(), factor)
    return made


def factor(values: Sequence[ast.expr], base: Sequence[ast.expr]) -> int | None:
    """How many times as much each value is as that of the base, where this is one whole number above 1."""
    found: set[int] = set()
    for value, other in zip(values, base, strict=True):
        a, b = floored(value), floored(other)
        if a is None or b is None or a.divisor != 1 or b.divisor != 1 or not b.terms:
            return None
        names, count = next(iter(b.terms.items()))
        times, left = divmod(a.terms.get(names, 0), count)
        if left or dict(a.terms) != {each: times * number for each, number in b.terms.items()}:
            return None
        found.add(times)
    return found.pop() if len(found) == 1 and min(found) > 1 else None
