"""Kinds of things that come in turn: their period, the conditions that tell them apart, and loops over such modules."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise

from ogive.backends.python_text.expr import (
    LOAD,
    Code,
    binary,
    call,
    formatted,
    name,
    subscript,
    tuple_of,
    with_parts,
)
from ogive.backends.python_text.statements import Body, For, If, Statement


def period_of(kinds: Sequence[Hashable]) -> int | None:
    """After how many things the same ones come again in the same order; None where they do not come twice."""
    for period in range(1, len(kinds) // 2 + 1):
        if all(kind == kinds[at % period] for at, kind in enumerate(kinds)):
            return period
    return None


def tests_of(kinds: Sequence[Hashable], variable: str) -> list[tuple[int, Code | None]]:
    """Where in one period each kind is first, and when it is its turn: `i % 6 == 5`; the last, without a test, else."""
    places: dict[Hashable, list[int]] = {}
    for at, kind in enumerate(kinds):
        places.setdefault(kind, []).append(at)
    found = list(places.values())
    most = max(map(len, found))
    other = next(each for each in reversed(found) if len(each) == most)
    turn = binary(name(variable), "%", len(kinds))
    told: list[tuple[int, Code | None]] = []
    for each in found:
        if each is not other:
            test = binary(turn, "==", each[0]) if len(each) == 1 else binary(turn, "in", tuple_of(each))
            told.append((each[0], test))
    return [*told, (other[0], None)]


def loop_in_turn(
    statements: Sequence[Statement | None], uses: Sequence[frozenset[int | None]], modules: Code, path: Sequence[str],
    names: Callable[[], tuple[str, str]],
) -> tuple[int, int, For] | None:  # fmt: skip
    """A loop over all modules of a list whose iterations are of several kinds, which come in turn, or which hand on
    the path of the module; and which of the statements it stands for.

    `uses` has the entries of the list that each statement uses; one that is None stays where it is. `names` gives the
    variables of the number and of the module.
    """
    counted = {number for used in uses for number in used}
    count = len(counted)
    if None in counted or count < 3 or counted != set(range(count)):
        return None
    first = [next(at for at, used in enumerate(uses) if number in used) for number in range(count)]
    if any(b <= a for a, b in pairwise(first)):
        return None
    shifts = range(min(b - a for a, b in pairwise(first)))
    for starts in ([at - shift for at in first] for shift in shifts if shift <= first[0]):
        found = _from(starts, statements, uses, modules, path, names)
        if found is not None:
            return starts[0], *found
    return None


def _from(
    starts: Sequence[int], statements: Sequence[Statement | None], uses: Sequence[frozenset[int | None]],
    modules: Code, path: Sequence[str], names: Callable[[], tuple[str, str]],
) -> tuple[int, For] | None:  # fmt: skip
    """The same, where it is said with which statement each iteration begins."""
    count = len(starts)
    bodies: list[Body] = []
    for number in range(count):
        end = starts[number + 1] if number + 1 < count else len(statements)
        if any(used - {number} for used in uses[starts[number] : end]):
            return None
        body: list[Statement] = []
        for each in statements[starts[number] : end]:
            if each is None:
                break
            body.append(each.changed(lambda code, number=number: _general(code, modules, path, number)))  # type: ignore[misc]
        if len(body) < end - starts[number] and number + 1 < count:
            return None
        bodies.append(tuple(body))
    for period in range(1, count // 2 + 1):
        last = bodies[count - 1 - period]
        if any(used for used in uses[starts[-1] + len(last) :]) or bodies[-1][: len(last)] != last:
            continue
        kinds = [*bodies[:-1], last]
        if period_of(kinds) != period:
            continue
        tests = tests_of(kinds[:period], "i")
        inside = sum(len(kinds[at]) for at, _ in tests) + (len(tests) if len(tests) > 1 else 0)
        if sum(map(len, kinds)) <= inside + 1:
            return None
        return starts[-1] + len(last), _loop(kinds[:period], modules, names)
    return None


MODULE, NUMBER = ast.Name("<module>", LOAD), ast.Name("<number>", LOAD)  # no program has such names


def _general(code: Code, modules: Code, path: Sequence[str], number: int) -> Code:
    """An expression of one iteration, with what stands for its module and, in paths, for its number."""
    entry = subscript(modules, number).text
    start = [*path, str(number)]

    def change(node: ast.expr) -> ast.expr | None:
        match node:
            case ast.Subscript() if Code(node).text == entry:
                return MODULE
            case ast.Constant(value=str() as text) if (parts := text.split("."))[: len(start)] == start:
                rest = parts[len(start) :]
                return formatted([".".join([*path, ""]), Code(NUMBER), "".join(f".{each}" for each in rest)]).node
            case _:
                return None

    return with_parts(code, change)


def _loop(kinds: Sequence[Body], modules: Code, names: Callable[[], tuple[str, str]]) -> For:
    index, variable = names()
    given = {"<module>": name(variable).node, "<number>": name(index).node}

    def put(code: Code) -> Code:
        return with_parts(code, lambda node: given.get(node.id) if isinstance(node, ast.Name) else None)

    tests = tests_of(kinds, index)
    body: Body = tuple(each.changed(put) for each in kinds[tests[-1][0]])
    for at, test in reversed(tests[:-1]):
        assert test is not None
        body = (If(test, tuple(each.changed(put) for each in kinds[at]), body),)
    counts = len(tests) > 1 or any(_reads(each, "<number>") for each in kinds[0])
    if counts:
        return For(tuple_of([name(index), name(variable)]), call("enumerate", modules), body)
    return For(name(variable), modules, body)


def _reads(statement: Statement, variable: str) -> bool:
    return variable in statement.uses or any(_reads(each, variable) for body in statement.bodies for each in body)
