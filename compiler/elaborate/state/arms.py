"""The two arms of a choice of run time, closed into one node of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import GraphBuilder, Tensor
from ogive.compiler.elaborate.state.partly import Joined, filled
from ogive.compiler.elaborate.state.returns import Partial
from ogive.compiler.elaborate.state.values import Choice
from ogive.compiler.ir.attributes import GivenAttrs, PhaseAttrs
from ogive.compiler.ir.model import Const, Operand
from ogive.compiler.ir.presence import ALWAYS, NEVER, TRAINING, Presence, atom
from ogive.compiler.ir.types import TensorType
from ogive.grammar.source import Span

FLAG = TensorType("bool", ())
Pair = tuple[Tensor | Const | None, Tensor | Const | None]


@dataclass
class Arm:
    """What one arm leaves: its graph under construction, its names, what it returns and yields."""

    inner: GraphBuilder
    when: Presence
    variables: dict[str, Any]
    returned: tuple[Any, ...] | Partial | None = None  # values with their places, as a frame has them
    yields: list[Any] = field(default_factory=list)

    @property
    def returns(self) -> Presence:
        """The condition under which it has returned."""
        if isinstance(self.returned, Partial):
            return self.returned.when
        return NEVER if self.returned is None else ALWAYS


def close(
    frame: Frame, choice: Choice, arms: Sequence[Arm], pairs: Sequence[Pair], hints: tuple[str, ...], span: Span
) -> tuple[Tensor, ...]:
    """Both arms as regions with the same inputs; the values that they give, absent where an arm has None."""
    inners = [arm.inner for arm in arms]
    if not pairs and not any(inner.nodes for inner in inners):
        return ()
    return _closed(frame, choice, inners, pairs, hints, span)


def _closed(
    frame: Frame,
    choice: Choice,
    inners: Sequence[GraphBuilder],
    pairs: Sequence[Pair],
    hints: tuple[str, ...],
    span: Span,
) -> tuple[Tensor, ...]:
    phase = choice.tested is None and choice.when == atom(TRAINING)
    tested = None if phase else choice.tested or _input(frame, choice.when) or flag(frame, choice.when, span)
    results = [[_used(inner, pair[at]) for pair in pairs] for at, inner in enumerate(inners)]
    outer: dict[str, Tensor] = {} if tested is None else {tested.name: tested}
    for inner in inners:
        outer.update({name: tensor for name, (tensor, _) in inner.captures.items()})
    for inner in inners:
        for tensor in outer.values():
            inner.use(tensor)
        inner.captures = {name: inner.captures[name] for name in outer}
    regions = tuple(inner.finish(tuple(found)) for inner, found in zip(inners, results, strict=True))
    return frame.builder.node(
        PhaseAttrs() if phase else GivenAttrs(),
        tuple(frame.builder.use(tensor) for tensor in outer.values()),
        tuple(_type(pair) for pair in pairs),
        regions=regions,
        span=span,
        hints=hints,
    )


def _input(frame: Frame, when: Presence) -> Tensor | None:
    """The optional input that is there exactly where a condition holds."""
    return next((tensor for name, tensor in frame.scope.optional.items() if when == atom(name)), None)


def _used(inner: GraphBuilder, value: Tensor | Const | None) -> Operand:
    return inner.use(value) if isinstance(value, Tensor) else value


def _type(pair: Pair) -> TensorType:
    return next((each.type for each in pair if isinstance(each, Tensor)), FLAG)


def flag(frame: Frame, when: Presence, span: Span) -> Tensor:
    """A value that is there exactly where a condition holds, for names that are no tensors."""
    found = _flag(frame, when, span)
    assert isinstance(found, Tensor), when
    return found


def _flag(frame: Frame, when: Presence, span: Span) -> Tensor | Const | None:
    if when.root < 2:
        return Const(True) if when.root else None
    name, no, yes = when.nodes[when.root - 2]
    inners: list[GraphBuilder] = []
    sides: list[Tensor | Const | None] = []
    for number in (yes, no):
        with frame.region() as inner:
            inners.append(inner)
            sides.append(_flag(frame, Presence(when.nodes, number), span))
    choice = Choice(atom(name), frame.scope.optional.get(name))
    return _closed(frame, choice, inners, [(sides[0], sides[1])], ("found",), span)[0]


def with_or_without(frame: Frame, tensor: Tensor, build: Callable[[Tensor | None], Any], span: Span) -> Any:
    """What `build` makes of a tensor where it is there, and without it where it is absent."""
    arms: list[Arm] = []
    values: list[Any] = []
    for when, given in ((tensor.when, replace(tensor, when=ALWAYS)), (~tensor.when, None)):
        with frame.region() as inner, where(frame, when):
            values.append(build(given))
            arms.append(Arm(inner, when, {}))
    joined = Joined(frame, tensor.when, span)
    value = joined.value("", (values[0], values[1]), what="the result")
    made = close(frame, Choice(tensor.when, tensor), arms, joined.pairs, ("",) * len(joined.pairs), span)
    return filled(value, made)


@contextmanager
def where(frame: Frame, when: Presence) -> Iterator[None]:
    """Elaborate where a condition holds. What is assumed there is known there alone."""
    with frame.proof.local(), frame.flow.where(when):
        yield
