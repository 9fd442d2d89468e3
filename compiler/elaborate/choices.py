"""Choices that are made when the model runs: `if training:`, `if given(mask):`. Both arms stay, as regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogive.compiler.elaborate.builder import Builder
from ogive.compiler.elaborate.frame import Frame
from ogive.compiler.elaborate.regions import bound_in, same_type
from ogive.compiler.elaborate.values import BROKEN, Absent, Choice, Instance, Tensor, kind_of
from ogive.grammar import syntax
from ogive.grammar.source import Span


def branch(
    frame: Frame,
    choice: Choice,
    tree: syntax.If,
    then: Sequence[syntax.Stmt],
    orelse: Sequence[syntax.Stmt],
    span: Span,
) -> None:
    """`if training:`, `if given(mask):`: both arms stay, and must agree in type."""
    if choice.negated:
        then, orelse = orelse, then
    names = [n for n in dict.fromkeys((*bound_in(then), *bound_in(orelse)))]
    arms = [_arm(frame, choice if index == 0 else None, arm, choice) for index, arm in enumerate((then, orelse))]
    outputs = _agree(frame, names, arms, span)
    _close_choice(frame, choice, arms, outputs, span)
    for name in names:
        if name not in outputs and name not in frame.variables:
            frame.variables[name] = Absent(name, span)
    del tree


class _Arm:
    def __init__(self, inner: Builder, variables: dict[str, Any]) -> None:
        self.inner, self.variables = inner, variables


def _arm(frame: Frame, present: Choice | None, body: Sequence[syntax.Stmt], choice: Choice) -> _Arm:
    with frame.region() as inner:
        _know(frame, present is not None, choice)
        frame.arms += 1
        frame.execute(tuple(body))
        frame.arms -= 1
        return _Arm(inner, dict(frame.variables))


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
                    help="both paths are kept: they must agree in type",
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
    frame: Frame, choice: Choice, arms: Sequence[_Arm], outputs: dict[str, tuple[Tensor, Tensor]], span: Span
) -> None:
    """Both arms as regions with the same inputs."""
    for index, arm in enumerate(arms):
        for pair in outputs.values():
            arm.inner.use(pair[index])
    outer: dict[str, Tensor] = {}
    for arm in arms:
        outer.update({n: t for n, (t, _) in arm.inner.captures.items()})
    for arm in arms:
        for tensor in outer.values():
            arm.inner.use(tensor)
        arm.inner.captures = {n: arm.inner.captures[n] for n in outer}
    graphs = tuple(
        arm.inner.finish(tuple(arm.inner.use(pair[index]) for pair in outputs.values()))
        for index, arm in enumerate(arms)
    )
    if not outputs and not any(g.nodes for g in graphs):
        return
    op, attrs = ("phase", ()) if choice.kind == "training" else ("given", (("input", choice.name),))
    made = frame.builder.node(
        op,
        tuple(frame.builder.use(t) for t in outer.values()),
        tuple(a.type for a, _ in outputs.values()),
        attrs=attrs,
        regions=graphs,
        span=span,
        hints=tuple(outputs),
    )
    for name, value in zip(outputs, made, strict=True):
        frame.variables[name] = value


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
            help="both paths are kept: they must agree in type",
        )
    saved = frame.variables.get("")
    _close_choice(frame, choice, arms, {"": (a, b)}, tree.span)
    result = frame.variables.pop("")
    if saved is not None:
        frame.variables[""] = saved
    return result
