"""Actions for statements, which also refuse what arch.lark lets pass: statements without effect, odd targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ogive.grammar import syntax as s
from ogive.grammar.builder import Kids, TreeBuilder
from ogive.grammar.engine import BROKEN
from ogive.grammar.tolerated import augmented_assignment, odd_target, without_effect


@dataclass(frozen=True, slots=True)
class _Else:
    """The body under `else:`, told apart from the arms before it."""

    body: tuple[s.Stmt, ...]


def _suite(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[s.Stmt, ...]:
    return tuple(stmt for stmt in kids if stmt is not BROKEN)


def _if(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.If:
    condition, body, *rest = kids
    orelse = rest.pop().body if rest and isinstance(rest[-1], _Else) else None
    return s.If(span=b.span(start, end), branches=((condition, body), *rest), orelse=orelse)


def _elif(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[Any, ...]:
    return tuple(kids)


def _else(b: TreeBuilder, start: int, end: int, kids: Kids) -> _Else:
    return _Else(kids[0])


def _for(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.For:
    targets, iterable, label, body = kids
    return s.For(span=b.span(start, end), targets=targets, iterable=iterable, label=label, body=body)


def _repeat(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Repeat:
    count, label, *withs, body = kids
    return s.Repeat(span=b.span(start, end), count=count, label=label, withs=tuple(withs), body=body)


def _scan(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Scan:
    steps = tuple(kid for kid in kids if isinstance(kid, s.With))
    axis, reverse, *rest = kids[len(steps) :]
    *carries, label, body = rest
    return s.Scan(
        span=b.span(start, end),
        steps=steps,
        axis=axis,
        reverse=reverse,
        carries=tuple(carries),
        label=label,
        body=body,
    )


def _names(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[s.Target, ...]:
    return tuple(b.target(token) for token in kids)


def _label(b: TreeBuilder, start: int, end: int, kids: Kids) -> str | None:
    return b.optional_text(kids[0])


def _step(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.With:
    name, iterable = kids
    return s.With(span=b.span(start, end), target=b.target(name), iterable=iterable)


def _carry(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Carry:
    name, type_, value = kids
    return s.Carry(span=b.span(start, end), target=b.target(name), type=type_, value=value)


def _reverse(b: TreeBuilder, start: int, end: int, kids: Kids) -> bool:
    return bool(kids)


def _values(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[s.Expr, ...]:
    return tuple(kids)


def _path(b: TreeBuilder, start: int, end: int, kids: Kids) -> tuple[tuple[str, ...], Any]:
    return tuple(b.text(token) for token in kids), b.span(start, end)


def _assign(b: TreeBuilder, start: int, end: int, kids: Kids) -> Any:
    left, right = kids
    targets = _targets(b, left)
    if targets is None:
        return BROKEN
    return s.Assign(span=b.span(start, end), targets=targets, type=None, value=_one(right))


def _assign_typed(b: TreeBuilder, start: int, end: int, kids: Kids) -> Any:
    left, type_, right = kids
    targets = _targets(b, (left,))
    if targets is None:
        return BROKEN
    return s.Assign(span=b.span(start, end), targets=targets, type=type_, value=_one(right))


def _one(values: tuple[s.Expr, ...]) -> s.Expr:
    """`a, b` on the right of `=` is a tuple."""
    if len(values) == 1:
        return values[0]
    return s.TupleExpr(span=values[0].span.to(values[-1].span), items=values)


def _targets(b: TreeBuilder, left: tuple[s.Expr, ...]) -> tuple[s.Target, ...] | None:
    """The names on the left of `=`; `(a, b)` is `a, b`. None if something else stands there, which is reported."""
    if len(left) == 1 and isinstance(left[0], s.TupleExpr):
        left = left[0].items
    found = []
    for expr in left:
        if not isinstance(expr, s.Name):
            b.report(odd_target(expr))
            return None
        found.append(s.Target(span=expr.span, name=expr.id))
    return tuple(found)


def _bare(b: TreeBuilder, start: int, end: int, kids: Kids) -> Any:
    b.report(without_effect(kids[0], b.span(start, end)))
    return BROKEN


def _augmented(b: TreeBuilder, start: int, end: int, kids: Kids) -> Any:
    left, op, right = kids
    b.report(augmented_assignment(left, b.at(op), right))
    return BROKEN


def _weight(kind: str) -> Callable[[TreeBuilder, int, int, Kids], s.ParamStmt]:
    def build(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.ParamStmt:
        name, type_, init, keep = kids
        return s.ParamStmt(span=b.span(start, end), kind=kind, target=b.target(name), type=type_, init=init, keep=keep)

    return build


def _update(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.UpdateStmt:
    name, value = kids
    return s.UpdateStmt(span=b.span(start, end), target=b.target(name), value=value)


def _init(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.InitStmt:
    *paths, value = kids
    return s.InitStmt(
        span=b.span(start, end),
        targets=tuple(names for names, _ in paths),
        target_spans=tuple(span for _, span in paths),
        value=value,
    )


def _keep(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.KeepStmt:
    (names, span), value = kids
    return s.KeepStmt(span=b.span(start, end), target=names, target_span=span, value=value)


def _return(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Return:
    return s.Return(span=b.span(start, end), values=kids[0])


def _yield(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Yield:
    name, value = kids
    return s.Yield(span=b.span(start, end), target=b.target(name), value=value)


def _tap(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Tap:
    name, value = kids
    return s.Tap(span=b.span(start, end), target=b.target(name), value=value)


def _require(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Require:
    return s.Require(span=b.span(start, end), conditions=kids[0])


def _assume(b: TreeBuilder, start: int, end: int, kids: Kids) -> s.Assume:
    return s.Assume(span=b.span(start, end), conditions=kids[0])


STATEMENTS: dict[str, Callable[[TreeBuilder, int, int, list[Any]], Any]] = {
    "suite": _suite,
    "suite_inline": _suite,
    "if": _if,
    "elif": _elif,
    "else": _else,
    "for": _for,
    "repeat": _repeat,
    "scan": _scan,
    "names": _names,
    "label": _label,
    "step": _step,
    "carry": _carry,
    "reverse": _reverse,
    "values": _values,
    "path": _path,
    "assign": _assign,
    "assign_typed": _assign_typed,
    "bare": _bare,
    "augmented": _augmented,
    "param": _weight("param"),
    "state": _weight("state"),
    "update": _update,
    "init": _init,
    "keep": _keep,
    "return": _return,
    "yield": _yield,
    "tap": _tap,
    "require": _require,
    "assume": _assume,
}
