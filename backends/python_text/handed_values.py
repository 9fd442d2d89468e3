"""Numbers, truth values and texts in classes and functions, and how these are handed them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ogive.backends.python_text.expr import NONE, Code, call, method, name, parts_of, with_parts
from ogive.backends.python_text.statements import Assign, Class, Evaluate, FunctionDef, Parameter, Statement

Literal = float | bool | str
KINDS = MappingProxyType({bool: name("bool"), float: name("float"), str: name("str")})


def literal_of(node: ast.AST) -> Literal | None:
    """The number with a fraction, truth value or text that stands at a place; None for all else."""
    match node:
        case ast.Constant(value=bool() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float() as value)):
            return -value
        case _:
            return None


def over_literals(code: Code, change: Callable[[ast.expr, Literal], ast.expr]) -> Code:
    """The expression with `change` applied to its literals, in one order. The parts of an f-string are none."""

    def at(node: ast.expr) -> ast.expr | None:
        if isinstance(node, ast.JoinedStr):
            return node
        value = literal_of(node)
        return None if value is None else change(node, value)

    return with_parts(code, at)


def setting_names(statement: Statement) -> dict[int, str]:
    """For the literals that are settings of a call, by their number, what the setting is called."""
    settings: dict[int, str] = {}
    found: dict[int, str] = {}
    count = 0

    def number(node: ast.expr, _: Literal) -> ast.expr:
        nonlocal count
        if id(node) in settings:
            found[count] = settings[id(node)]
        count += 1
        return node

    def look(code: Code) -> Code:
        waiting: list[ast.AST] = [code.node]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.keyword) and node.arg is not None:
                settings[id(node.value)] = node.arg
            waiting += parts_of(node)
        return over_literals(code, number)

    statement.changed(look)
    return found


def read_later(statement: Statement) -> set[int]:
    """The numbers of the literals that stand in other methods than the constructor: the class keeps them."""
    later: list[bool] = []
    for each in statement.body if isinstance(statement, Class) else ():
        method = isinstance(each, FunctionDef) and each.name != "__init__"
        found: list[Literal] = []

        def look(node: ast.expr, value: Literal, found: list[Literal] = found) -> ast.expr:
            found.append(value)
            return node

        each.changed(lambda code, look=look: over_literals(code, look))  # type: ignore[misc]
        later += [method] * len(found)
    return {at for at, method in enumerate(later) if method}


def attributes_in(statement: Statement) -> set[str]:
    """The names that stand behind a point."""
    found: set[str] = set()

    def look(code: Code) -> Code:
        waiting: list[ast.AST] = [code.node]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            waiting += parts_of(node)
        return code

    statement.changed(look)
    return found


class _Handing:
    """Puts parameters in the place of literals, by their number."""

    def __init__(self, params: Mapping[int, str]) -> None:
        self.params = params
        self.count = 0
        self.kinds: dict[str, Code] = {}
        self.stored: dict[str, None] = {}  # what methods read

    def function(self, function: FunctionDef, *, stored: bool) -> FunctionDef:
        def change(node: ast.expr, value: Literal) -> ast.expr:
            param, self.count = self.params.get(self.count), self.count + 1
            if param is None:
                return node
            self.kinds[param] = KINDS[type(value)]
            if stored:
                self.stored[param] = None
            return name(f"self.{param}" if stored else param).node

        return function.changed(lambda code: over_literals(code, change))


def handed(statement: Statement, params: Mapping[int, str]) -> Statement:
    """A class or a function that is handed some of its literals, given by their number."""
    handing = _Handing(params)
    if isinstance(statement, FunctionDef):
        made = handing.function(statement, stored=False)
        return made.but(parameters=_with(made.parameters, handing.kinds))
    assert isinstance(statement, Class), statement
    body: list[Statement] = []
    for each in statement.body:
        if isinstance(each, FunctionDef):
            body.append(handing.function(each, stored=each.name != "__init__"))
        else:
            body.append(each)
    if not any(isinstance(each, FunctionDef) and each.name == "__init__" for each in body):
        first = next(at for at, each in enumerate(body) if isinstance(each, FunctionDef))
        started = Evaluate(method(call("super"), "__init__"))
        body.insert(first, FunctionDef("__init__", (Parameter("self"),), NONE, (started,)))
    return statement.but(body=tuple(_storing(each, handing) for each in body))


def _storing(statement: Statement, handing: _Handing) -> Statement:
    if not isinstance(statement, FunctionDef) or statement.name != "__init__":
        return statement
    first, *rest = statement.body
    stored = [Assign(name(f"self.{param}"), name(param)) for param in handing.stored]
    order = dict.fromkeys(handing.params.values())
    parameters = _with(statement.parameters, {param: handing.kinds[param] for param in order})
    return statement.but(parameters=parameters, body=(first, *stored, *rest))


def _with(parameters: tuple[Parameter, ...], kinds: Mapping[str, Code]) -> tuple[Parameter, ...]:
    """More parameters; by name only where those before have defaults."""
    named = any(each.name == "*" for each in parameters)
    alone = not named and any(each.default is not None for each in parameters)
    more = (Parameter(param, kind) for param, kind in kinds.items())
    return (*parameters, *([Parameter("*")] if alone else []), *more)
