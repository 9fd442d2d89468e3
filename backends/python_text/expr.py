"""Expressions of Python: nodes of the standard library's `ast`, made by functions that say what they make.

Nothing here takes text but names and literals. How tightly an expression binds follows from its node, so that it comes
out with the fewest parentheses (`pretty.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ogive.backends.python_text.pretty import BINARY, COMPARISONS, flat

LOAD = ast.Load()
BINARIES: MappingProxyType[str, ast.operator] = MappingProxyType({sign: op() for op, (sign, _) in BINARY.items()})
COMPARED: MappingProxyType[str, ast.cmpop] = MappingProxyType({sign: op() for op, sign in COMPARISONS.items()})
PREFIXED: MappingProxyType[str, ast.unaryop] = MappingProxyType(
    {"-": ast.USub(), "~": ast.Invert(), "not": ast.Not()},
)


class Code:
    """An expression. Whatever holds the expression shares its node, which is never changed."""

    __slots__ = ("_names", "_text", "node")

    def __init__(self, node: ast.expr) -> None:
        self.node = node
        self._text: str | None = None
        self._names: frozenset[str] | None = None

    @property
    def text(self) -> str:
        """The expression on one line."""
        if self._text is None:
            self._text = flat(self.node)
        return self._text

    @property
    def names(self) -> frozenset[str]:
        """The variables that it reads."""
        if self._names is None:
            self._names = frozenset(names_in(self.node))
        return self._names

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{self.text}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


Argument = Code | int | float  # a number, or a truth value, stands for itself


def names_in(node: ast.AST) -> set[str]:
    """The variables that an expression reads, but for those that it binds itself."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Name(id=variable):
                found.add(variable)
            case ast.Attribute(value=base):
                waiting.append(base)
            case ast.GeneratorExp() | ast.ListComp() | ast.DictComp():
                bound = set().union(*(names_in(loop.target) for loop in node.generators))
                found |= set().union(*map(names_in, parts_of(node))) - bound
            case ast.Constant():
                pass
            case _:
                waiting += parts_of(node)
    return found


def parts_of(node: ast.AST) -> Iterator[ast.AST]:
    """What an expression is made of."""
    for field in node._fields:
        found = getattr(node, field, None)
        if isinstance(found, list):
            yield from (each for each in found if each is not None)
        elif isinstance(found, ast.AST):
            yield found


def node_of(part: Argument) -> ast.expr:
    """The node of an expression or of a number."""
    return part.node if isinstance(part, Code) else literal(part).node


def literal(value: float | str | None) -> Code:
    """A number, a truth value, a text or None; infinity is `float("inf")`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Code(ast.Constant(value))
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return call("float", literal(str(value)))
    if value < 0:
        return Code(ast.UnaryOp(PREFIXED["-"], ast.Constant(-value)))
    return Code(ast.Constant(value))


@lru_cache(4096)
def name(dotted: str) -> Code:
    """A variable, or what stands below one: `x`, `torch.float`, `self.heads`."""
    first, *rest = dotted.split(".")
    assert all(part.isidentifier() for part in (first, *rest)), dotted
    node: ast.expr = ast.Name(first, LOAD)
    for part in rest:
        node = ast.Attribute(node, part, LOAD)
    return Code(node)


NONE, TRUE, FALSE = (Code(ast.Constant(value)) for value in (None, True, False))
DOTS = Code(ast.Constant(...))


def attribute(base: Code, *names: str) -> Code:
    """`base.name`."""
    node = base.node
    for each in names:
        node = ast.Attribute(node, each, LOAD)
    return Code(node)


def call(function: Code | str, /, *args: Argument | None, **settings: Argument | None) -> Code:
    """`function(args, name=setting)`; None leaves an argument out."""
    return applied(function, args, settings.items())


def applied(
    function: Code | str, args: Sequence[Argument | None], settings: Iterable[tuple[str | None, Argument | None]] = ()
) -> Code:
    """The same with settings as pairs; one without a name is a dict of settings, `**more`."""
    base = name(function) if isinstance(function, str) else function
    keywords = [ast.keyword(key, node_of(value)) for key, value in settings if value is not None]
    return Code(ast.Call(base.node, [node_of(arg) for arg in args if arg is not None], keywords))


def method(base: Code, method: str, /, *args: Argument | None, **settings: Argument | None) -> Code:
    """`base.method(args)`."""
    return applied(attribute(base, method), args, settings.items())


def binary(left: Argument, sign: str, right: Argument) -> Code:
    """`left sign right`, a comparison too."""
    if sign in COMPARED:
        return Code(ast.Compare(node_of(left), [COMPARED[sign]], [node_of(right)]))
    return Code(ast.BinOp(node_of(left), BINARIES[sign], node_of(right)))


def prefix(sign: str, part: Argument) -> Code:
    """`-x`, `~x`, `not x`."""
    return Code(ast.UnaryOp(PREFIXED[sign], node_of(part)))


def both(*parts: Code) -> Code:
    """`a and b and c`."""
    return _joined(ast.And, parts)


def either(*parts: Code) -> Code:
    """`a or b or c`."""
    return _joined(ast.Or, parts)


def _joined(kind: type[ast.And | ast.Or], parts: Sequence[Code]) -> Code:
    found: list[ast.expr] = []
    for part in parts:
        node = part.node
        found += node.values if isinstance(node, ast.BoolOp) and isinstance(node.op, kind) else [node]
    return Code(found[0] if len(found) == 1 else ast.BoolOp(kind(), found))


def is_given(part: Code) -> Code:
    """`x is not None`."""
    return binary(part, "is not", NONE)


def conditional(then: Argument, test: Argument, other: Argument) -> Code:
    """`then if test else other`."""
    return Code(ast.IfExp(node_of(test), node_of(then), node_of(other)))


def subscript(base: Code, *items: Argument) -> Code:
    """`base[items]`."""
    nodes = [node_of(each) for each in items]
    return Code(ast.Subscript(base.node, nodes[0] if len(nodes) == 1 else ast.Tuple(nodes, LOAD), LOAD))


def cut(low: Argument | None = None, high: Argument | None = None, step: Argument | None = None) -> Code:
    """`low:high:step`, in a subscript."""
    bounds = [None if each is None else node_of(each) for each in (low, high, step)]
    return Code(ast.Slice(*bounds))


ALL = cut()


def tuple_of(items: Sequence[Argument]) -> Code:
    """`(a, b)`, `(a,)`."""
    return Code(ast.Tuple([node_of(each) for each in items], LOAD))


def list_of(items: Sequence[Argument]) -> Code:
    """`[a, b]`."""
    return Code(ast.List([node_of(each) for each in items], LOAD))


def set_of(items: Sequence[Argument]) -> Code:
    """`{a, b}`."""
    return Code(ast.Set([node_of(each) for each in items]))


def dict_of(items: Sequence[tuple[Code | None, Argument]]) -> Code:
    """`{key: value}`; one without a key is itself a dict, `**more`."""
    keys = [None if key is None else key.node for key, _ in items]
    return Code(ast.Dict(keys, [node_of(value) for _, value in items]))


def starred(part: Code) -> Code:
    """`*x`, among arguments."""
    return Code(ast.Starred(part.node, LOAD))


def counts(parts: Sequence[Argument]) -> Sequence[Argument]:
    """Sizes as arguments; as one, a tuple, where there may be none of them: `x.reshape((*b_shape,))`."""
    some = any(not isinstance(part, Code) or not isinstance(part.node, ast.Starred) for part in parts)
    return parts if some else (tuple_of(parts),)


def unstarred(part: Code) -> Code:
    """`x` of `*x`."""
    assert isinstance(part.node, ast.Starred), part
    return Code(part.node.value)


def each_of(item: Code, variable: str, source: Code) -> Code:
    """`item for variable in source`, the lone argument of a call."""
    return Code(ast.GeneratorExp(item.node, _loop(variable, source)))


def list_of_each(item: Code, variable: str, source: Code) -> Code:
    """`[item for variable in source]`."""
    return Code(ast.ListComp(item.node, _loop(variable, source)))


def dict_of_each(key: Code, value: Code, variable: str, source: Code) -> Code:
    """`{key: value for variable in source}`."""
    return Code(ast.DictComp(key.node, value.node, _loop(variable, source)))


def _loop(variable: str, source: Code) -> list[ast.comprehension]:
    return [ast.comprehension(name(variable).node, source.node, [], 0)]


def formatted(parts: Sequence[str | Code]) -> Code:
    """A text that holds expressions: an f-string, or a plain literal where there are none."""
    if all(isinstance(part, str) for part in parts):
        return literal("".join(map(str, parts)))
    values = [
        ast.Constant(part) if isinstance(part, str) else ast.FormattedValue(part.node, -1) for part in parts if part
    ]
    return Code(ast.JoinedStr(list(values)))


def with_parts(code: Code, change: Callable[[ast.expr], ast.expr | None]) -> Code:
    """The expression with other ones in the place of those inside of it for which `change` gives one."""
    node = _rebuilt(code.node, change)
    return code if node is code.node else Code(node)


def _rebuilt(node: ast.expr, change: Callable[[ast.expr], ast.expr | None]) -> ast.expr:
    found = change(node)
    if found is not None or isinstance(node, ast.Name | ast.Constant):
        return found or node
    fields = {field: getattr(node, field) for field in node._fields}
    parts = {field: _rebuilt_field(value, change) for field, value in fields.items()}
    return node if all(parts[field] is value for field, value in fields.items()) else type(node)(**parts)


def _rebuilt_field(value: Any, change: Callable[[ast.expr], ast.expr | None]) -> Any:
    if isinstance(value, list):
        parts = [_rebuilt_field(each, change) for each in value]
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    if isinstance(value, ast.keyword | ast.comprehension):
        return _rebuilt(value, change)  # type: ignore[arg-type]
    return _rebuilt(value, change) if isinstance(value, ast.expr) else value


def renamed(code: Code, names: Mapping[str, str]) -> Code:
    """The expression with other names for variables."""
    if not code.names & names.keys():
        return code

    def change(node: ast.expr) -> ast.expr | None:
        return ast.Name(names[node.id], LOAD) if isinstance(node, ast.Name) and node.id in names else None

    return with_parts(code, change)


def is_place(code: Code) -> bool:
    """Whether an expression costs nothing: a variable, and what stands below one, `self.h[0].weight`."""
    node = code.node
    while True:
        match node:
            case ast.Attribute(value=base):
                node = base
            case ast.Subscript(value=base, slice=ast.Constant(value=int())):
                node = base
            case _:
                return isinstance(node, ast.Name) or (
                    isinstance(node, ast.Constant) and isinstance(node.value, bool | None)
                )


def function_of(made: Code) -> Code:
    """What is called in a call."""
    assert isinstance(made.node, ast.Call), made
    return Code(made.node.func)


def with_function(made: Code, function: str) -> Code:
    """The same call of another function."""
    assert isinstance(made.node, ast.Call), made
    return Code(ast.Call(name(function).node, made.node.args, made.node.keywords))


def starts_with(code: Code, first: str) -> bool:
    """Whether an expression is a variable of that name, or stands below it."""
    node = code.node
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id == first
