"""The names that statements bind, seen in the text alone."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.grammar import syntax


def bound_in(body: Sequence[syntax.Stmt]) -> tuple[str, ...]:
    """The names that statements bind, in order; those of inner loops' own variables left out."""
    found: dict[str, None] = {}
    for statement in body:
        match statement:
            case syntax.Assign(targets=targets):
                found.update((t.name, None) for t in targets)
            case syntax.ParamStmt(target=target) | syntax.Tap(target=target):
                found[target.name] = None
            case syntax.If(branches=branches, orelse=orelse):
                for _, arm in branches:
                    found.update((n, None) for n in bound_in(arm))
                found.update((n, None) for n in bound_in(orelse or ()))
            case syntax.For(body=inner):
                found.update((n, None) for n in bound_in(inner))
            case syntax.Repeat(body=inner):
                found.update((n, None) for n in (*bound_in(inner), *yielded_in(inner)))
            case syntax.Scan(body=inner, carries=carries):
                found.update((c.target.name, None) for c in carries)
                found.update((n, None) for n in (*bound_in(inner), *yielded_in(inner)))
            case _:
                pass
    return tuple(found)


def yielded_in(body: Sequence[syntax.Stmt]) -> tuple[str, ...]:
    """The names that the body of a loop collects."""
    found: dict[str, None] = {}
    for statement in body:
        match statement:
            case syntax.Yield(target=target):
                found[target.name] = None
            case syntax.If(branches=branches, orelse=orelse):
                for arm in (*(arm for _, arm in branches), orelse or ()):
                    found.update(dict.fromkeys(yielded_in(arm)))
            case syntax.For(body=inner):
                found.update(dict.fromkeys(yielded_in(inner)))
            case _:
                pass
    return tuple(found)


def lost_in(body: Sequence[syntax.Stmt]) -> tuple[str, ...]:
    """The names that are not known behind broken statements: what they bind, and what their loops collect."""
    found = dict.fromkeys(bound_in(body))
    for statement in body:
        match statement:
            case syntax.Yield(target=target):
                found[target.name] = None
            case syntax.For(body=inner) | syntax.Repeat(body=inner) | syntax.Scan(body=inner):
                found.update(dict.fromkeys(lost_in(inner)))
            case syntax.If(branches=branches, orelse=orelse):
                for arm in (*(arm for _, arm in branches), orelse or ()):
                    found.update(dict.fromkeys(lost_in(arm)))
            case _:
                pass
    return tuple(found)
