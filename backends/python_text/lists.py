"""Lists of modules, written once where they are alike: in turn, in runs, over a table."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from ogive.backends.python_text.expr import (
    Code,
    binary,
    call,
    conditional,
    each_of,
    function_of,
    list_of,
    name,
    starred,
    with_parts,
)
from ogive.backends.python_text.handed_values import literal_of
from ogive.backends.python_text.runs import in_runs
from ogive.backends.python_text.sections import locals_of
from ogive.backends.python_text.statements import Class, FunctionDef, Statement
from ogive.backends.python_text.tables import Signatures, SizeArguments, is_list, items_of, tabulated
from ogive.backends.python_text.wrap import STEP, laid

MOST_KINDS = 3  # so many kinds of modules that come in turn are told by a condition
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
    turns, runs = _in_turn(plain), in_runs(plain)
    arguments = [turns or (runs[0] if len(runs) == 1 < len(items) else list_of(runs))]
    if not turns and len(items) > 1:
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


def _in_turn(modules: Sequence[Code]) -> Code | None:
    """`Local(d) if i % 2 == 0 else Global(d) for i in range(6)`: modules that come again in the same order."""
    for count in range(1, min(MOST_KINDS, (len(modules) - 1) // 2) + 1):
        if all(made == modules[number % count] for number, made in enumerate(modules)):
            chosen = modules[count - 1]
            for number in reversed(range(count - 1)):
                test = binary(binary(name("i"), "%", count), "==", number)
                chosen = conditional(modules[number], test, chosen)
            free = all("i" not in made.names for made in modules)
            return each_of(chosen, "i" if count > 1 else "_", call("range", len(modules))) if free else None
    return None
