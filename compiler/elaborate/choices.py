"""Choices that are made when the model runs: `if training:`, `if given(mask):`. Both arms stay, as regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ogive.compiler.elaborate.builder import Builder
from ogive.compiler.elaborate.frame import Frame
from ogive.compiler.elaborate.regions import bound_in, same_type
from ogive.compiler.elaborate.values import BROKEN, Absent, Choice, Fault, Instance, Tensor, kind_of
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

AGREE = "both paths are kept: they must agree in type"


def branch(
    frame: Frame, choice: Choice, then: Sequence[syntax.Stmt], orelse: Sequence[syntax.Stmt], span: Span
) -> None:
    """`if training:`, `if given(mask):`: both arms stay, and must agree in type. Where one returns, so must the other,
    at the latest at the end of the block: what follows the `if` is then a part of that arm.
    """
    if choice.negated:
        then, orelse = orelse, then
    arms = [_arm(frame, index == 0, arm, choice) for index, arm in enumerate((then, orelse))]
    if any(arm.returned is not None for arm in arms):
        frame.returned, frame.returned_at = (), span  # where something is wrong, nothing more is said
        if not any(arm.returned == () for arm in arms):
            for arm in (arm for arm in arms if arm.returned is None):
                _go_on(frame, arm, span)
            frame.returned = _returned(frame, choice, arms, span)
        return
    names = [n for n in dict.fromkeys((*bound_in(then), *bound_in(orelse)))]
    outputs = _agree(frame, names, arms, span)
    made = _close_choice(frame, choice, arms, list(outputs.values()), tuple(outputs), span)
    frame.variables.update(zip(outputs, made, strict=True))
    for name in names:
        if name not in outputs and name not in frame.variables:
            frame.variables[name] = Absent(name, span)


@dataclass
class _Arm:
    inner: Builder
    variables: dict[str, Any]
    returned: tuple[Any, ...] | None = None  # values with their places, as a frame has them


def _arm(frame: Frame, present: bool, body: Sequence[syntax.Stmt], choice: Choice) -> _Arm:
    with frame.region() as inner:
        _know(frame, present, choice)
        frame.execute(tuple(body))
        arm = _Arm(inner, dict(frame.variables), frame.returned)
    frame.returned = None
    return arm


# --- arms that return -------------------------------------------------------------------------------------------------


def _go_on(frame: Frame, arm: _Arm, span: Span) -> None:
    """Run what follows the choice in an arm that did not return. It may be run twice, but allocates once."""
    saved = frame.after
    taken, again, frame.returned = len(frame.taken), False, None
    with frame.region(arm.inner):
        frame.variables = arm.variables
        while frame.after and frame.returned is None:
            rest, frame.after = frame.after[-1], frame.after[:-1]
            again = again or not frame.gone_on.isdisjoint(rest.keys)
            frame.gone_on.update(rest.keys)
            try:
                with frame.back_at(rest.depth):
                    rest.run()
            except Fault:  # in a turn, which has said it
                frame.lost, frame.returned = True, ()
        arm.returned = frame.returned
    frame.after = saved
    frame.returned = ()
    if again and len(frame.taken) > taken:
        raise _unbuilt(frame, "before what allocates weights on two paths", span)
    if arm.returned is None:
        if not frame.lost:
            frame.report("E0601", "one path of this choice returns, the other does not", span)
        arm.returned = ()


def _unbuilt(frame: Frame, where: str, span: Span) -> Fault:
    text = f"a `return` on one path of a choice that is made when the model runs, {where}, is not built yet"
    return frame.fail("E0702", text, span, help="bind the value on each path, and return it after the `if`")


def _returned(frame: Frame, choice: Choice, arms: Sequence[_Arm], span: Span) -> tuple[Any, ...]:
    """What the block returns: each value from the arm that runs."""
    sides = [_spread(arm.returned or ()) for arm in arms]
    if not all(sides) or any(value is BROKEN for side in sides for value, _ in side):
        return ()
    if len(sides[0]) != len(sides[1]):
        counts = " and ".join(str(len(side)) for side in sides)
        raise frame.fail("E0302", f"both paths return the same number of values, here are {counts}", span)
    pairs: list[tuple[Tensor, Tensor]] = []
    places: list[int] = []
    for at, ((a, first), (b, second)) in enumerate(zip(*sides, strict=True)):
        if isinstance(a, Absent) and isinstance(b, Absent):
            continue
        labels = (Label(first, "one path returns this"), Label(second, "the other this"))
        if not isinstance(a, Tensor) or not isinstance(b, Tensor):
            text = f"both paths return a tensor or neither, here are {kind_of(a)} and {kind_of(b)}"
            raise frame.fail("E0302", text, span, labels=labels)
        if not same_type(frame, a.type, b.type):
            text = f"what is returned is {a.type} on one path and {b.type} on the other"
            raise frame.fail("E0302", text, span, labels=labels, help=AGREE)
        pairs.append((a, b))
        places.append(at)
    made = dict(zip(places, _close_choice(frame, choice, arms, pairs, ("",) * len(pairs), span), strict=True))
    return tuple((made.get(at, a), place) for at, (a, place) in enumerate(sides[0]))


def _spread(returned: tuple[Any, ...]) -> tuple[Any, ...]:
    """`return f(x)` of several outputs, as single values."""
    if len(returned) == 1 and isinstance(returned[0][0], tuple):
        return tuple((value, returned[0][1]) for value in returned[0][0])
    return returned


# --- names ------------------------------------------------------------------------------------------------------------


def _know(frame: Frame, present: bool, choice: Choice) -> None:
    """In its own arm an optional input is there; in the other it is absent."""
    if choice.kind != "given":
        return
    for name, value in list(frame.variables.items()):
        if isinstance(value, Tensor) and value.maybe == choice.name:
            known = Tensor(value.name, value.type, value.home, value.born)
            frame.variables[name] = known if present else Absent(choice.name, value.born)


def _agree(frame: Frame, names: Sequence[str], arms: Sequence[_Arm], span: Span) -> dict[str, tuple[Tensor, Tensor]]:
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for name in names:
        a, b = (arm.variables.get(name) for arm in arms)
        if a is BROKEN or b is BROKEN:
            frame.variables[name] = BROKEN
        elif isinstance(a, Tensor) and isinstance(b, Tensor):
            if not same_type(frame, a.type, b.type):
                frame.report(
                    "E0302",
                    f"`{name}` is {a.type} on one path and {b.type} on the other",
                    span,
                    help=AGREE,
                )
                frame.variables[name] = BROKEN
            else:
                found[name] = (a, b)
        elif isinstance(a, Tensor) or isinstance(b, Tensor):
            known = a if isinstance(a, Tensor) else b
            frame.variables[name] = Absent(name, known.born if isinstance(known, Tensor) else span)
        else:
            value = a if a is not None and not isinstance(a, Absent) else b
            if isinstance(value, Instance) or value is not None:
                frame.variables[name] = value
    return found


def _close_choice(
    frame: Frame,
    choice: Choice,
    arms: Sequence[_Arm],
    outputs: Sequence[tuple[Tensor, Tensor]],
    hints: tuple[str, ...],
    span: Span,
) -> tuple[Tensor, ...]:
    """Both arms as regions with the same inputs; the values that they give."""
    for index, arm in enumerate(arms):
        for pair in outputs:
            arm.inner.use(pair[index])
    outer: dict[str, Tensor] = {}
    for arm in arms:
        outer.update({n: t for n, (t, _) in arm.inner.captures.items()})
    for arm in arms:
        for tensor in outer.values():
            arm.inner.use(tensor)
        arm.inner.captures = {n: arm.inner.captures[n] for n in outer}
    graphs = tuple(
        arm.inner.finish(tuple(arm.inner.use(pair[index]) for pair in outputs)) for index, arm in enumerate(arms)
    )
    if not outputs and not any(g.nodes for g in graphs):
        return ()
    op, attrs = ("phase", ()) if choice.kind == "training" else ("given", (("input", choice.name),))
    made = frame.builder.node(
        op,
        tuple(frame.builder.use(t) for t in outer.values()),
        tuple(a.type for a, _ in outputs),
        attrs=attrs,
        regions=graphs,
        span=span,
        hints=hints,
    )
    return tuple(made)


def choose(frame: Frame, choice: Choice, tree: syntax.Conditional) -> Any:
    """`a if training else b` as an expression."""
    then, orelse = (tree.orelse, tree.then) if choice.negated else (tree.then, tree.orelse)
    arms: list[_Arm] = []
    values: list[Any] = []
    for index, expression in enumerate((then, orelse)):
        with frame.region() as inner:
            _know(frame, index == 0, choice)
            values.append(frame.evaluate(expression))
            arms.append(_Arm(inner, {}))
    a, b = values
    if a is BROKEN or b is BROKEN:
        return BROKEN
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        raise frame.fail("E0404", f"both paths give a tensor, here are {kind_of(a)} and {kind_of(b)}", tree.span)
    if not same_type(frame, a.type, b.type):
        raise frame.fail(
            "E0302",
            f"this is {a.type} on one path and {b.type} on the other",
            tree.span,
            help=AGREE,
        )
    return _close_choice(frame, choice, arms, [(a, b)], ("",), tree.span)[0]
