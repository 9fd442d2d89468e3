"""Lists of modules, written once where they are alike: in turn, in runs, over a table."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from ogive.backends.python_text.expr import (
    Code,
    call,
    conditional,
    each_of,
    function_of,
    list_of,
    starred,
    with_parts,
)
from ogive.backends.python_text.handed_values import literal_of
from ogive.backends.python_text.runs import in_runs
from ogive.backends.python_text.sections import locals_of
from ogive.backends.python_text.statements import Class, FunctionDef, Statement
from ogive.backends.python_text.tables import Signatures, SizeArguments, grown, is_list, items_of, tabulated
from ogive.backends.python_text.turns import tests_of
from ogive.backends.python_text.wrap import STEP, laid

INDENT = 2 * STEP  # of the statements of a method


def with_short_lists(statement: Statement, signatures: Signatures) -> Statement:
    """A class whose constructor writes what is alike in its lists of modules once."""
    if not isinstance(statement, Class):
        return statement
    return statement.but(body=tuple(_constructor(each, signatures) for each in statement.body))


def _constructor(statement: Statement, signatures: Signatures) -> Statement:
    if not isinstance(statement, FunctionDef) or statement.name != "__init__":
        return statement
    taken = locals_of(statement)

    def change(node: ast.expr) -> ast.expr | None:
        return _short(Code(node), signatures, taken).node if is_list(node) else None

    return statement.changed(lambda code: with_parts(code, change))


def signatures_of(statements: Sequence[Statement]) -> dict[str, SizeArguments]:
    """What the arguments of the constructors of classes are called."""
    found: dict[str, SizeArguments] = {}
    for each in statements:
        if not isinstance(each, Class):
            continue
        for inner in each.body:
            if isinstance(inner, FunctionDef) and inner.name == "__init__":
                given = inner.parameters[1:]
                defaults = {one.name: literal_of(one.default.node) for one in given if one.default is not None}
                known = {key: value for key, value in defaults.items() if value is not None}
                found[each.name] = SizeArguments([one.name for one in given], known)
    return found


def _short(made: Code, signatures: Signatures, taken: frozenset[str]) -> Code:
    """A list of modules in the fewest lines."""
    items = [Code(item) for item in items_of(made.node)]

    def inside(node: ast.expr) -> ast.expr | None:
        return _short(Code(node), signatures, taken).node if is_list(node) else None

    plain = [with_parts(item, inside) for item in items]
    turns, runs = _in_turn(plain, signatures), in_runs(plain)
    whole = len(runs) == 1 < len(items)
    arguments = [runs[0]] if whole else [turns, list_of(runs)] if turns else [list_of(runs)]
    if len(items) > 1:
        arguments += [each for each in _tables(items, signatures, taken, inside) if each is not None]
    forms = [call(function_of(made), each) for each in arguments]
    return min(forms, key=_lines)


def _tables(
    items: Sequence[Code], signatures: Signatures, taken: frozenset[str], inside: Callable[[ast.expr], ast.expr | None]
) -> Iterator[Code | None]:
    """A table of all items, or of all but the first or the last."""
    yield tabulated(items, signatures, taken)
    if len(items) > 2:
        first, rest = with_parts(items[0], inside), tabulated(items[1:], signatures, taken)
        yield rest and list_of([first, starred(rest)])
        last, rest = with_parts(items[-1], inside), tabulated(items[:-1], signatures, taken)
        yield rest and list_of([starred(rest), last])


def _lines(code: Code) -> int:
    return len(laid(code.node, "self.layers = ", "", INDENT))


def _in_turn(modules: Sequence[Code], signatures: Signatures) -> Code | None:
    """`Local(d) if i % 2 == 0 else Global(d) for i in range(6)`: modules that come again in the same order.

    Those of a kind may differ in sizes that grow from one to the next.
    """
    variable = "i"
    if any(variable in made.names for made in modules):
        return None
    for period in _periods(modules):
        kinds = [grown([made.node for made in modules[at::period]], at, period, signatures) for at in range(period)]
        if any(kind is None for kind in kinds):
            continue
        turns = [Code(kind) for kind in kinds if kind is not None]
        tests = tests_of(turns, variable)
        chosen = turns[tests[-1][0]]
        for at, test in reversed(tests[:-1]):
            assert test is not None
            chosen = conditional(turns[at], test, chosen)
        return each_of(chosen, variable if variable in chosen.names else "_", call("range", len(modules)))
    return None


def _periods(modules: Sequence[Code]) -> Iterator[int]:
    """After how many modules the same functions are called again; each at least twice, and one once more."""
    called = [function_of(made).text for made in modules]
    for period in range(1, (len(modules) - 1) // 2 + 1):
        if all(each == called[at % period] for at, each in enumerate(called)):
            yield period
