"""Names that some paths bind only: what they are where we are, and what two paths make of one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import GraphBuilder, Tensor
from ogive.compiler.elaborate.state.values import BROKEN, Absent, Choice, Gone, Partly, as_written
from ogive.compiler.ir.model import Const
from ogive.compiler.ir.presence import ALWAYS, NEVER, TRAINING, Presence, atom
from ogive.compiler.ir.types import TensorType
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

AGREE = "both paths are kept: they must agree in type"


def seen(frame: Frame, value: Any) -> Any:
    """A value as it is where we are: what its name stands for, absent, or still open."""
    if not isinstance(value, Partly):
        return value
    left = tuple((when, each) for when, each in value.cases if not frame.flow.path.excludes(when))
    if not left:
        return Absent(value.name, value.span)
    if len(left) == 1 and frame.flow.path.implies(left[0][0]):
        return left[0][1]
    return value if len(left) == len(value.cases) else Partly(value.name, left, value.span)


def gone(value: Any) -> bool:
    """Whether a value, as it is seen, is of the iterations of a loop behind us, on one path at least."""
    return isinstance(value, Gone) or (isinstance(value, Partly) and any(isinstance(v, Gone) for _, v in value.cases))


def lost(value: Any) -> bool:
    """Whether a value, as it is seen, is of the iterations of a loop behind us, or of none, on every path."""
    parts = [each for _, each in value.cases] if isinstance(value, Partly) else [value]
    return all(isinstance(each, Gone) for each in parts)


def kept(value: Any) -> Any:
    """A value, as it is seen, without what the iterations of a loop behind us had, if there is more."""
    if not isinstance(value, Partly) or lost(value):
        return value
    return Partly(value.name, tuple(case for case in value.cases if not isinstance(case[1], Gone)), value.span)


def is_there(frame: Frame, value: Any) -> Any:
    """`given(name)`, for the value of the name: known here, or a choice of run time."""
    match seen(frame, value):
        case Absent():
            return False
        case Partly() as partly if not frame.flow.path.implies(partly.when):
            return Choice(partly.when, partly.tensor)
        case found if found is BROKEN:
            return BROKEN
        case _:
            return True


def trains(frame: Frame) -> bool | Choice:
    """`training`: known inside of `if training:`, else a choice of run time."""
    phase = atom(TRAINING)
    if frame.flow.path.implies(phase):
        return True
    return False if frame.flow.path.excludes(phase) else Choice(phase)


def joined_choice(frame: Frame, op: str, sides: Sequence[bool | Choice]) -> bool | Choice:
    """`and` and `or` of choices of run time: one choice, unless it is known here."""
    a, b = map(_when, sides)
    when = a & b if op == "and" else a | b
    if frame.flow.path.implies(when):
        return True
    if frame.flow.path.excludes(when):
        return False
    alone = next((side for side in sides if isinstance(side, Choice) and _when(side) == when), None)
    return alone or Choice(when)


def _when(side: bool | Choice) -> Presence:
    if isinstance(side, bool):
        return ALWAYS if side else NEVER
    return ~side.when if side.negated else side.when


def partly(frame: Frame, name: str, cases: Sequence[tuple[Presence, Any]], span: Span | None) -> Any:
    """What a name stands for under some conditions, as it is where we are."""
    return seen(frame, Partly(name, tuple(cases), span)) if cases else Absent(name, span)


def operand(value: Any) -> Tensor | None:
    """A value as an operand of what takes optional inputs; None where it is no tensor."""
    if isinstance(value, Partly):
        return value.tensor
    return value if isinstance(value, Tensor) else None


def region_input(inner: GraphBuilder, name: str, tensor: Tensor, type: TensorType) -> Any:
    """An input of a region for an operand: it is there where that is."""
    made = inner.input(name, type, tensor.introduced)
    return made if tensor.when == ALWAYS else Partly(name, ((tensor.when, made),), tensor.introduced)


@dataclass(frozen=True, slots=True)
class ResultSlot:
    """A result of the choice that is not made yet, by its number."""

    number: int


@dataclass(slots=True)
class Joined:
    """What both arms of a choice make of names. Tensors become results of the choice: pairs of a value from each arm,
    None where an arm has none.
    """

    frame: Frame
    when: Presence  # the condition of the first arm
    span: Span
    pairs: list[tuple[Tensor | Const | None, Tensor | Const | None]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def value(self, name: str, sides: tuple[Any, Any], what: str = "", labels: tuple[Label, ...] = ()) -> Any:
        """What a name stands for after the choice, with slots in the place of results; `what` it is in a message."""
        if any(side is BROKEN for side in sides):
            return BROKEN
        tensors: list[tuple[Presence, Tensor] | None] = [None, None]
        lists: list[tuple[Presence, tuple[Any, ...]] | None] = [None, None]
        others: list[tuple[Presence, Any]] = []
        for at, (side, arm) in enumerate(zip(sides, (self.when, ~self.when), strict=True)):
            for when, value in _cases(side, arm):
                if isinstance(value, Tensor):
                    tensors[at] = when, value
                elif isinstance(value, tuple) and any(isinstance(each, (Tensor, Partly, tuple)) for each in value):
                    lists[at] = when, value
                else:
                    _add(others, when, value)
        cases = [*self._tensor(name, tensors, what or f"`{name}`", labels), *self._list(name, lists), *others]
        if any(value is BROKEN for _, value in cases):
            return BROKEN
        return partly(self.frame, name, cases, self.frame.scope.bound_at.get(name, self.span))

    def _tensor(
        self, name: str, found: Sequence[tuple[Presence, Tensor] | None], what: str, labels: tuple[Label, ...]
    ) -> list[tuple[Presence, Any]]:
        there = [each for each in found if each is not None]
        if not there:
            return []
        when, tensor = there[0]
        if len(there) == 2:
            when, other = when | there[1][0], there[1][1]
            if not same_type(self.frame, tensor.type, other.type):
                text = f"{what} is {tensor.type} on one path and {other.type} on the other"
                self.frame.report("E0302", text, self.span, help=AGREE, labels=labels)
                return [(when, BROKEN)]
            if tensor.name == other.name:
                return [(when, tensor)]
        first, second = (None if each is None else each[1] for each in found)
        self.pairs.append((first, second))
        self.hints.append(name)
        return [(when, ResultSlot(len(self.pairs) - 1))]

    def _list(self, name: str, found: Sequence[tuple[Presence, tuple[Any, ...]] | None]) -> list[tuple[Presence, Any]]:
        """Lists of one length entry by entry; each of two other ones for itself."""
        there = [each for each in found if each is not None]
        if len(there) == 2 and len(there[0][1]) == len(there[1][1]):
            pairs = zip(there[0][1], there[1][1], strict=True)
            return [(there[0][0] | there[1][0], tuple(self.value(name, pair) for pair in pairs))]
        cases: list[tuple[Presence, Any]] = []
        for at, each in enumerate(found):
            if each is not None:
                cases.append((each[0], tuple(self._entry(name, value, at) for value in each[1])))
        return cases

    def _entry(self, name: str, value: Any, arm: int) -> Any:
        """An entry of a list of one arm: the list itself is there on its path alone."""
        inside = isinstance(value, (Tensor, Partly, tuple))
        return self.value(name, (value, None) if arm == 0 else (None, value)) if inside else value


def _cases(value: Any, arm: Presence) -> list[tuple[Presence, Any]]:
    match value:
        case None | Absent():
            return []
        case Partly(cases=cases):
            found = ((arm & when, each) for when, each in cases)
            return [(when, each) for when, each in found if when != NEVER]
        case _:
            return [(arm, value)]


def _add(cases: list[tuple[Presence, Any]], when: Presence, value: Any) -> None:
    """A value that is no tensor: equal ones are one case."""
    for at, (known, each) in enumerate(cases):
        if each is value or (type(each) is type(value) and each == value and as_written(each) == as_written(value)):
            cases[at] = (known | when, each)
            return
    cases.append((when, value))


def filled(value: Any, made: Sequence[Tensor]) -> Any:
    """A value with the results of the choice in the place of slots."""
    match value:
        case ResultSlot(number=number):
            return made[number]
        case tuple():
            return tuple(filled(each, made) for each in value)
        case Partly(name=name, cases=cases, span=span):
            return Partly(name, tuple((when, filled(each, made)) for when, each in cases), span)
        case _:
            return value


def same_type(frame: Frame, a: TensorType, b: TensorType) -> bool:
    """Whether two types are proved equal."""
    return (
        a.elem == b.elem
        and len(a.axes) == len(b.axes)
        and all((x.pack is None) == (y.pack is None) for x, y in zip(a.axes, b.axes, strict=True))
        and all(frame.proof.facts.equal(x.size, y.size) for x, y in zip(a.axes, b.axes, strict=True))
    )
