"""Calls of passes and of analyses by name with options, as text and as trees: `fold[grow=true]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from math import inf
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.posets.poset import Poset
from ogive.grammar import syntax
from ogive.grammar.parser import parse
from ogive.grammar.spelling import close

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PassCall:
    """A pass with its options: `fold[grow=true]`."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={value}" for key, value in self.options)
        return f"{self.name}[{inside}]" if inside else self.name


def checked(call: PassCall, table: Mapping[str, Callable[..., T]], kind: str = "pass") -> Callable[..., T]:
    """The function of a call in a table, with its options.

    Raises `PassError` where there is no such name or option, or one that it needs is missing.
    """
    function = table.get(call.name)
    if function is None:
        known = f"there are {', '.join(table)}"
        raise PassError("E0810", f"there is no {kind} `{call.name}`; {known}", close(call.name, table))
    options = dict(call.options)
    parameters = signature(function).parameters.values()
    known_options = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in options.keys() - known_options:
            given = f"it has {', '.join(sorted(known_options))}" if known_options else "it has none"
            raise PassError("E0810", f"`{call.name}` has no option `{name}`; {given}", close(name, known_options))
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in options]
    if needed:
        shown = ", ".join(f"{name}=..." for name in needed)
        raise PassError("E0810", f"`{call.name}` needs `{'`, `'.join(needed)}`", f"write `{call.name}[{shown}]`")
    kinds = get_type_hints(function)
    for name, value in options.items():
        if name in known_options and not _fits(value, kinds[name]):
            text = f"`{name}` of `{call.name}` is {_kind(kinds[name])}, not {_shown(value)}"
            raise PassError("E0810", text)
    return partial(function, **options)


KINDS: Mapping[Any, str] = MappingProxyType(
    {
        bool: "true or false", int: "a whole number", float: "a number", str: "a name or a text",
        tuple[str, ...]: "a list of them", tuple[int, ...]: "a list of whole numbers", Poset: "a poset",
    }
)  # fmt: skip


def _fits(value: Any, kind: Any) -> bool:
    """Whether the value of an option is of the kind that its pass declares; lists are tuples here."""
    if isinstance(kind, UnionType):
        return any(_fits(value, each) for each in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_fits(each, get_args(kind)[0]) for each in value)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _kind(kind: Any) -> str:
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return " or ".join(KINDS[each] for each in kinds if each is not NoneType)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def calls_of(text: str, what: str = "passes", example: str = "specialize[b=1], fold") -> tuple[PassCall, ...]:
    """Passes, or analyses, as written: "fold", "specialize[b=1], fold[grow=true]". Raises `PassError`."""
    parsed = parse(f"recipe r for M: {text}\n", "<passes>")
    errors = [d for d in parsed.diagnostics if d.severity == "error"]
    recipes = [tree for tree in parsed.file.declarations if isinstance(tree, syntax.Recipe)]
    if errors or len(recipes) != 1:
        raise PassError("E0810", f"`{text}` is not a list of {what}: `{example}`")
    return tuple(call_of(tree) for tree in recipes[0].passes)


def call_of(tree: syntax.Expr) -> PassCall:
    """A pass of a recipe, or an analysis. Raises `PassError` where it is none."""
    match tree:
        case syntax.Name(id=name):
            return PassCall(name)
        case syntax.Brackets(base=syntax.Name(id=name)):
            return PassCall(name, tuple(_options(tree)))
        case _:
            raise PassError("E0810", f"`{tree.span.text}` is no pass: a name, with options in brackets")


def _options(tree: syntax.Brackets) -> list[tuple[str, Any]]:
    found = []
    for item in tree.items:
        if not isinstance(item, syntax.Keyword):
            raise PassError("E0810", "options of a pass have names: `share=0.3`")
        found.append((item.name, _literal(item.value)))
    return found


def _literal(tree: syntax.Expr) -> Any:
    match tree:
        case syntax.Number(value=value) | syntax.String(value=value) | syntax.Constant(value=value):
            return value
        case syntax.Name(id="inf"):
            return inf
        case syntax.ListExpr(items=items):
            return tuple(_literal(item) for item in items)
        case syntax.Unary(op="-", operand=syntax.Number() | syntax.Name(id="inf") as operand):
            return -_literal(operand)
        case _:
            return tree.span.text
