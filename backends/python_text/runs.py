"""Runs in a list: items that are equal, or differ in one number that grows evenly, are written once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from ogive.backends.python_text.expr import Code, call, each_of, name, starred

LEAST = 3  # so many items are a run
VARIABLES = "ijklmn"


def in_runs(items: Sequence[Code]) -> list[Code]:
    """`[A(d), B(d), B(d), B(d), C(d), C(2 * d), C(3 * d)]` as `A(d), *(B(d) for _ in range(3)), ...`.

    A list that is one run is the run alone, without a star.
    """
    found: list[Code] = []
    at = 0
    while at < len(items):
        count, run = _run(items[at:])
        whole = run is not None and count == len(items)
        found.append(items[at] if run is None else run if whole else starred(run))
        at += count
    return found


def _run(items: Sequence[Code]) -> tuple[int, Code | None]:
    """How many of the first items are one run, and the generator of them."""
    count = next((n for n, item in enumerate(items) if item != items[0]), len(items))
    if count >= LEAST:
        return count, each_of(items[0], "_", call("range", count))
    if len(items) < LEAST:
        return 1, None
    first, second = _parts(items[0].node), _parts(items[1].node)
    places = [n for n, (a, b) in enumerate(zip(first[1], second[1], strict=False)) if a != b]
    if first[0] != second[0] or not places:
        return 1, None
    start, step = first[1][places[0]], second[1][places[0]] - first[1][places[0]]

    def wanted(number: int) -> tuple[object, tuple[int, ...]]:
        now = start + number * step
        return first[0], tuple(now if n in places else value for n, value in enumerate(first[1]))

    count = next((n for n, item in enumerate(items) if _parts(item.node) != wanted(n)), len(items))
    taken = {each.id for each in ast.walk(items[0].node) if isinstance(each, ast.Name)}
    variable = next((each for each in VARIABLES if each not in taken), None)
    if count < LEAST or step < 0 or variable is None:
        return 1, None
    item = Code(_numbered(items[0].node, set(places), variable))
    bounds = (start, start + count * step, step)
    numbers = bounds if step > 1 else bounds[:2] if start else bounds[1:2]
    return count, each_of(item, variable, call("range", *numbers))


def _parts(node: ast.AST) -> tuple[object, tuple[int, ...]]:
    """An expression without its whole numbers, and these in order."""
    numbers: list[int] = []

    def seen(constant: ast.Constant) -> Any:
        assert isinstance(constant.value, int)
        numbers.append(constant.value)
        return int

    return _rebuilt(node, seen, lambda node, parts: (type(node), *parts)), tuple(numbers)


def _numbered(node: ast.expr, places: set[int], variable: str) -> ast.expr:
    """An expression with a variable in place of some of its whole numbers."""
    met = -1

    def seen(constant: ast.Constant) -> Any:
        nonlocal met
        met += 1
        return name(variable).node if met in places else constant

    made: ast.expr = _rebuilt(node, seen, lambda node, parts: type(node)(*parts))
    return made


def _rebuilt(value: Any, seen: Callable[[ast.Constant], Any], make: Callable[[ast.AST, list[Any]], Any]) -> Any:
    if isinstance(value, ast.Constant) and type(value.value) is int:
        return seen(value)
    if isinstance(value, ast.AST):
        return make(value, [_rebuilt(part, seen, make) for _, part in ast.iter_fields(value)])
    if isinstance(value, list):
        return [_rebuilt(part, seen, make) for part in value]
    return value
