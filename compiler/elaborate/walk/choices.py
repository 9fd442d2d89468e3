"""Choices that are made when the model runs: `if training:`, `if given(mask):`. Both arms stay, as regions.

What one arm alone binds is there where its condition holds: a value of the graph that is absent elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.elaborate.rules.checker import absent
from ogive.compiler.elaborate.state.arms import Arm, close, where
from ogive.compiler.elaborate.state.control import StatementFailed
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import Joined, ResultSlot, filled, operand, seen
from ogive.compiler.elaborate.state.returns import Partial, for_each_output, leaves, omitted, returns_names
from ogive.compiler.elaborate.state.values import BROKEN, Absent, Choice, Partly, kind_of
from ogive.compiler.elaborate.walk.bound import bound_in
from ogive.compiler.elaborate.walk.names import means_something
from ogive.compiler.ir.model import Const
from ogive.compiler.ir.presence import NEVER, Presence
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span


def branch(
    frame: Frame, choice: Choice, then: Sequence[syntax.Stmt], orelse: Sequence[syntax.Stmt], span: Span
) -> None:
    """`if training:`, `if given(mask):`: both arms stay, and names that both bind must agree in type. Where one
    returns, what follows the `if` is a part of the other.
    """
    if choice.negated:
        then, orelse = orelse, then
    short = returns_names(frame.flow.continuations)
    names = list(dict.fromkeys((*bound_in(then), *bound_in(orelse))))
    absent = {name: Absent(name, span) for name in names if not means_something(frame, name)}
    arms = [
        _arm(frame, choice.when, then, absent, alone=short or leaves(orelse)),
        _arm(frame, ~choice.when, orelse, absent, alone=short or leaves(then)),
    ]
    if all(arm.returned is None for arm in arms):
        _join(frame, choice, arms, names, span)
        return
    frame.flow.leave((), span)  # where something is wrong, nothing more is said
    if any(arm.returned == () for arm in arms):
        return
    waiting = [arm for arm in arms if arm.returned is None]
    again = any(isinstance(arm.returned, Partial) for arm in arms)  # the rest is a part of more than one path
    if waiting and not again:
        _go_on(frame, waiting[0], span)
    frame.flow.returned = _leave(frame, choice, arms, span)
    if isinstance(frame.flow.returned, Partial) and again:
        frame.flow.returned = _resume(frame, frame.flow.returned, span)


def choose(frame: Frame, choice: Choice, tree: syntax.Conditional) -> Any:
    """`a if training else b` as an expression: where a side may be absent, so may the result."""
    then, orelse = (tree.orelse, tree.then) if choice.negated else (tree.then, tree.orelse)
    arms: list[Arm] = []
    values: list[Any] = []
    for when, expression in ((choice.when, then), (~choice.when, orelse)):
        with frame.region() as inner, where(frame, when):
            values.append(frame.evaluate(expression))
            arms.append(Arm(inner, when, {}))
    a, b = values
    if a is BROKEN or b is BROKEN:
        return BROKEN
    for value, side in zip(values, (then, orelse), strict=True):
        if isinstance(value, Partly) and value.tensor is None:
            raise absent(frame, value, side.span)
    if any(operand(value) is None and not isinstance(value, Absent) for value in values):
        raise frame.fail("E0407", f"both paths give a tensor, here are {kind_of(a)} and {kind_of(b)}", tree.span)
    joined = Joined(frame, choice.when, tree.span)
    value = joined.value(tree.span.text, (a, b), what="this")
    if value is BROKEN:
        raise StatementFailed
    return filled(value, close(frame, choice, arms, joined.pairs, ("",) * len(joined.pairs), tree.span))


def _arm(
    frame: Frame, when: Presence, body: Sequence[syntax.Stmt], absent: Mapping[str, Absent], *, alone: bool
) -> Arm:
    """One arm. `absent` are names that one of the arms binds; `alone`: what follows the choice belongs to this one,
    since the other surely returns, or to both.
    """
    yields, frame.flow.yields = frame.flow.yields, None if frame.flow.yields is None else []
    with frame.region() as inner, where(frame, when):
        if not alone:
            frame.flow.share_continuations()
        frame.scope.variables = {**absent, **frame.scope.variables}
        frame.execute(tuple(body))
        arm = Arm(inner, when, dict(frame.scope.variables), frame.flow.returned, frame.flow.yields or [])
    frame.flow.returned, frame.flow.yields = None, yields
    return arm


def _join(frame: Frame, choice: Choice, arms: Sequence[Arm], names: Sequence[str], span: Span) -> None:
    """Bind what the arms bind, and collect what they yield."""
    joined = Joined(frame, choice.when, span)
    values = {name: joined.value(name, _sides(arms, name)) for name in names}
    yields: dict[str, Any] = {}
    for tree, _ in (entry for arm in arms for entry in arm.yields):
        name = tree.target.name
        sides = [next((value for other, value in arm.yields if other.target.name == name), None) for arm in arms]
        if name not in yields:
            yields[name] = tree, joined.value(name, (sides[0], sides[1]))
    made = close(frame, choice, arms, joined.pairs, tuple(joined.hints), span)
    frame.scope.variables.update({name: filled(value, made) for name, value in values.items()})
    if frame.flow.yields is not None:
        frame.flow.yields += [(tree, filled(value, made)) for tree, value in yields.values()]


def _sides(arms: Sequence[Arm], name: str) -> tuple[Any, Any]:
    first, second = (arm.variables.get(name) for arm in arms)
    return first, second


# --- arms that return -------------------------------------------------------------------------------------------------


def _go_on(frame: Frame, arm: Arm, span: Span) -> None:
    """Run what follows the choice in an arm that did not return: to the end of the block, or of the arm around it."""
    with frame.flow.resumed(), frame.region(arm.inner), where(frame, arm.when):
        frame.scope.variables = arm.variables
        while frame.flow.goes_on:
            rest = frame.flow.next()
            try:
                with frame.alloc.back_at(rest.depth):
                    rest.run()
            except StatementFailed:  # in an iteration, which has said it
                frame.flow.lose(returned=True)
        arm.returned, arm.variables = frame.flow.returned, dict(frame.scope.variables)
    if arm.returned is None and not frame.flow.floor:
        if not frame.flow.lost:
            frame.report("E0601", "one path of this choice returns, the other does not", span)
        arm.returned = ()


def _leave(frame: Frame, choice: Choice, arms: Sequence[Arm], span: Span) -> Any:
    """What the block returns: each value from the arm that runs. Where an arm goes on, also what it binds."""
    if any(arm.returned == () for arm in arms):
        return ()
    assert frame.block is not None, "a `return` stands in a block"
    returned = [_returned(frame, arm) for arm in arms]
    counts = [len(each) for each in returned if each is not None]
    if len(set(counts)) > 1:
        shown = " and ".join(map(str, counts))
        raise frame.fail(
            "E0302",
            f"both paths return the same number of values, here are {shown}",
            span,
            help="return the same outputs on both; one that a path lacks is optional: `-> (y: [b], h: [b]?)`",
        )
    joined = Joined(frame, choice.when, span)
    values: list[tuple[Any, Span]] = []
    for at in range(counts[0]):
        sides = [None if each is None else each[at] for each in returned]
        values.append(_output(joined, [side for side in sides if side is not None], sides))
    unnamed = len(joined.pairs)
    when = NEVER
    for arm in arms:
        when = when | (arm.when & arm.returns)
    whole = frame.flow.path.implies(when)
    left = {} if whole else {name: joined.value(name, _going_on(arms, name)) for name in _changed(frame, arms)}
    flag = None if whole else _flag(frame, joined, arms, values, when)
    hints = (*("",) * unnamed, *joined.hints[unnamed:])
    made = close(frame, choice, arms, joined.pairs, hints, span)
    found = tuple((filled(value, made), place) for value, place in values)
    if any(value is BROKEN for value, _ in found):
        return ()
    if whole:
        return found
    frame.scope.variables.update({name: filled(value, made) for name, value in left.items()})
    return Partial(when, found, filled(flag, made))


def _returned(frame: Frame, arm: Arm) -> tuple[Any, ...] | None:
    if arm.returned is None:
        return None
    if isinstance(arm.returned, Partial):
        return arm.returned.values
    assert frame.block is not None
    return for_each_output(frame.block.tree, arm.returned)


def _output(joined: Joined, there: Sequence[tuple[Any, Span]], sides: Sequence[tuple[Any, Span] | None]) -> Any:
    """One output: what the paths that return make of it, and its place."""
    first, place = there[0]
    if all(omitted(value) for value, _ in there):
        return first, place
    a, b = (None if side is None or omitted(side[0]) else side[0] for side in sides)
    labels = tuple(Label(span, text) for (_, span), text in zip(there, RETURNS, strict=False)) if there[1:] else ()
    return joined.value("what is returned", (a, b), what="what is returned", labels=labels), place


RETURNS = ("one path returns this", "the other this")


def _changed(frame: Frame, arms: Sequence[Arm]) -> list[str]:
    """The names that the paths which go on have bound."""
    found: dict[str, None] = {}
    for arm in arms:
        if not isinstance(arm.returned, tuple):
            found.update((n, None) for n, value in arm.variables.items() if frame.scope.variables.get(n) is not value)
    return list(found)


def _going_on(arms: Sequence[Arm], name: str) -> tuple[Any, Any]:
    """A name after a choice from which some paths have returned: on those it is nothing."""
    first, second = (None if isinstance(arm.returned, tuple) else arm.variables.get(name) for arm in arms)
    return first, second


def _flag(frame: Frame, joined: Joined, arms: Sequence[Arm], values: Sequence[tuple[Any, Span]], when: Presence) -> Any:
    """A value that is there exactly where the block has returned: one that it returns, or a constant."""
    for value, _ in values:
        if isinstance(value, Partly) and len(value.cases) == 1 and _same(frame, value.when, when):
            return value.cases[0][1]
    sides: list[Tensor | Const | None] = []
    for arm in arms:
        if isinstance(arm.returned, Partial):
            sides.append(arm.returned.flag)
        else:
            sides.append(None if arm.returned is None else Const(True))
    joined.pairs.append((sides[0], sides[1]))
    joined.hints.append("found")
    return ResultSlot(len(joined.pairs) - 1)


def _same(frame: Frame, a: Presence, b: Presence) -> bool:
    return (frame.flow.path & a) == (frame.flow.path & b)


def _resume(frame: Frame, partial: Partial, span: Span) -> Any:
    """Run what follows a choice from which some paths have returned, where none has."""
    choice = Choice(partial.when, partial.flag)
    arms = []
    for when in (partial.when, ~partial.when):
        with frame.region() as inner, where(frame, when):
            arms.append(Arm(inner, when, dict(frame.scope.variables)))
    with where(frame, partial.when):
        arms[0].returned = tuple((seen(frame, value), place) for value, place in partial.values)
    _go_on(frame, arms[1], span)
    return _leave(frame, choice, arms, span)
