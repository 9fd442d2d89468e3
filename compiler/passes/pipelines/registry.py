"""Passes by name: from Python, from a `recipe`, from the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from inspect import signature
from math import inf
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from ogive.compiler.ir.model import Model
from ogive.compiler.passes.conversion.compose import chained
from ogive.compiler.passes.conversion.graph import Conversion
from ogive.compiler.passes.conversion.result import Note, Passed, PassError, unchanged
from ogive.compiler.passes.experts.average import expert_average, merge_experts
from ogive.compiler.passes.pipelines.simple import fused, simplified, specialize
from ogive.compiler.passes.posets.pool import poset_pool
from ogive.compiler.passes.weight_folding.driver import fold
from ogive.compiler.posets.poset import Poset
from ogive.grammar import syntax
from ogive.grammar.parser import parse
from ogive.grammar.spelling import close

PASSES: Mapping[str, Callable[..., Passed]] = MappingProxyType(
    {
        "expert_average": expert_average,
        "fold": fold,
        "fuse": fused,
        "merge_experts": merge_experts,
        "poset_pool": poset_pool,
        "simplify": simplified,
        "specialize": specialize,
    }
)


@dataclass(frozen=True, slots=True)
class PassCall:
    """A pass with its options: `fold[grow=true]`."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={value}" for key, value in self.options)
        return f"{self.name}[{inside}]" if inside else self.name


@dataclass(frozen=True)
class Deployed:
    """A model after passes, with each step on the way."""

    source: Model
    steps: tuple[Passed, ...]

    @property
    def model(self) -> Model:
        """The last result."""
        return self.steps[-1].model if self.steps else self.source

    @cached_property
    def conversion(self) -> Conversion:
        """How the weights of the result come from those of the source: the conversions of the steps as one graph."""
        steps = [step.conversion for step in self.steps]
        return reduce(chained, steps) if steps else unchanged(self.source, self.source)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was done, and what was left, and why."""
        return tuple(note for step in self.steps for note in step.notes)


def run(model: Model, calls: Sequence[PassCall], after: Callable[[Model], None] = lambda _: None) -> Deployed:
    """The model after passes in turn; `after` sees each result (a verifier)."""
    steps: list[Passed] = []
    current = model
    for call in calls:
        step = made(call)(current)
        after(step.model)
        steps.append(step)
        current = step.model
    return Deployed(model, tuple(steps))


def made(call: PassCall) -> Callable[[Model], Passed]:
    """The function of a call. Raises `PassError` where there is no such pass or option."""
    function = PASSES.get(call.name)
    if function is None:
        raise PassError(
            "E0810", f"there is no pass `{call.name}`; there are {', '.join(PASSES)}", close(call.name, PASSES)
        )
    options = dict(call.options)
    parameters = signature(function).parameters.values()
    known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in options.keys() - known:
            given = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise PassError("E0810", f"`{call.name}` has no option `{name}`; {given}", close(name, known))
    kinds = get_type_hints(function)
    for name, value in options.items():
        if name in known and not _fits(value, kinds[name]):
            text = f"`{name}` of `{call.name}` is {_kind(kinds[name])}, not {_shown(value)}"
            raise PassError("E0810", text)
    return lambda model: function(model, **options)


KINDS: Mapping[Any, str] = MappingProxyType(
    {
        bool: "true or false", int: "a whole number", float: "a number", str: "a name or a text",
        tuple[str, ...]: "a list of them", Poset: "a poset",
    }
)  # fmt: skip


def _fits(value: Any, kind: Any) -> bool:
    """Whether the value of an option is of the kind that its pass declares; lists are tuples here."""
    if isinstance(kind, UnionType):
        return any(_fits(value, each) for each in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(isinstance(each, str) for each in value)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _kind(kind: Any) -> str:
    return " or ".join(KINDS[each] for each in (get_args(kind) if isinstance(kind, UnionType) else (kind,)))


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def calls_of(text: str) -> tuple[PassCall, ...]:
    """Passes as written: "fold", "specialize[b=1], fold[grow=true]"."""
    parsed = parse(f"recipe r for M: {text}\n", "<passes>")
    errors = [d for d in parsed.diagnostics if d.severity == "error"]
    recipes = [tree for tree in parsed.file.declarations if isinstance(tree, syntax.Recipe)]
    if errors or len(recipes) != 1:
        raise PassError("E0810", f"`{text}` is not a list of passes: `fold`, `specialize[b=1], fold`")
    return tuple(call_of(tree) for tree in recipes[0].passes)


def call_of(tree: syntax.Expr) -> PassCall:
    """A pass of a recipe. Raises `PassError` where it is none."""
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
