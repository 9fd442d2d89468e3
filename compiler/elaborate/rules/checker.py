"""What shape rules may ask, answered by a frame; and operations put into the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.modules.advice import cast_of
from ogive.compiler.elaborate.modules.peer_settings import plain
from ogive.compiler.elaborate.rules.placement import Meeting
from ogive.compiler.elaborate.rules.size_equalities import is_unknown
from ogive.compiler.elaborate.state import pattern_names
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.control import StatementFailed, UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.proof import Constraint, Oddity
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Composite,
    InstanceValue,
    OpTemplate,
    Partly,
    Template,
    UnknownStatic,
    is_number,
    kind_of,
)
from ogive.compiler.ir.model import Const, Operand
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import OpSpec, Pattern, ShapeError
from ogive.compiler.sizes import Condition, Size, Unknown, eq, ge, size
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

TERMS = 20_000  # of a size, those of its minima, maxima and quotients counted
NAMED = "an input of this size gives it a name: split the block in two"


@dataclass
class RuleChecker:
    """The checker of one operation at one place."""

    frame: Frame
    what: str
    span: Span
    types: Sequence[Any] = ()
    spans: Sequence[Span | None] = ()
    labels: tuple[Label, ...] = ()
    name: str = ""  # of the operation, which may stand in the source as a sign
    failed: bool = field(default=False)

    def equal(self, a: Size, b: Size, text: str, operand: int | None = None) -> None:
        """Require a == b."""
        if a is not b:
            self.require(eq(a, b), text, operand)

    @property
    def _met(self) -> Meeting:
        return Meeting(self.name, self.types, self.frame.proof.facts, self.frame.scope.variables)

    def require(self, condition: Condition, text: str, operand: int | None = None, odd: Oddity | None = None) -> None:
        """Require a condition."""
        if self.failed or self.frame.proof.facts.holds(condition):
            return  # what is proved needs no words
        labels = (*self._operands(operand), *introductions(self.frame, condition, self.span))
        constraint = Constraint(condition, self.said(text), self.span, labels, odd=odd)
        self.failed = not self.frame.require(constraint)

    def inside(self, condition: Condition, text: str) -> None:
        """Require that a slice or an index lies inside."""
        if not self.failed:
            constraint = Constraint(
                condition, text, self.span, introductions(self.frame, condition, self.span), "E0304"
            )
            self.failed = not self.frame.require(constraint)

    def positive(self, size: Size, text: str) -> None:
        """A derived size must be at least 1."""
        if self.failed:
            return
        if self.frame.proof.infer(ge(size, 1), self.span, text):
            self.frame.proof.derived.append(size)
            return
        self.failed = True
        self.frame.report("E0304", f"{text}: a size is at least 1", self.span, labels=self._operands(None))

    def proves(self, condition: Condition) -> bool:
        """Whether the condition is known to hold."""
        return self.frame.proof.facts.holds(condition)

    def meet(self, a: Axis, b: Axis, text: str, operand: int | None = None) -> Axis:
        """Two axes meet in one place."""
        if a.label != b.label and a.label and b.label and not self.failed and self._met.transposed(a, b):
            if self.frame.proof.facts.equal(a.size, b.size):
                self.failed = True
                odd = self._met.placed("", self.spans)
                order = odd.help or "bring the axes into one order with `rearrange`"
                self.frame.report(
                    "E0305",
                    f"axis `{a.label}` meets axis `{b.label}`: an operand looks transposed",
                    self.span,
                    labels=self._operands(operand, named=True),
                    help=f"{order}, or relabel on purpose: `y: [...] = e`",
                    edits=odd.edits,
                )
                return a
        if (a.pack is None) != (b.pack is None):
            self.failed = True
            one, other = (a, b) if a.pack else (b, a)
            self.frame.report(
                "E0301",
                f"{text}: the pack `{one}` meets `{other.size}`",
                self.span,
                labels=self._operands(operand),
            )
            return a
        if a.size is not b.size:
            same = eq(a.size, b.size)
            if not self.frame.proof.facts.holds(same):  # what is proved needs no words
                self.require(same, text, operand, self._met.oddity(a, b, self.spans))
        return a if a.label else a.labelled(b.label)

    def said(self, text: str) -> str:
        """What a shape rule says, with the operation in front as it stands in the source."""
        if not self.what:
            return text
        for own in (f"`{self.name}` ", f"`{self.what}` "):
            if text.startswith(own):
                return f"`{self.what}` {text.removeprefix(own)}"
        return f"`{self.what}`: {text}"

    def _operands(self, operand: int | None, named: bool = False) -> tuple[Label, ...]:
        shown = range(len(self.types)) if operand is None or len(self.types) == 2 else (operand,)
        found = []
        for index in shown:
            span = self.spans[index] if index < len(self.spans) else None
            if span is not None and index < len(self.types) and isinstance(self.types[index], TensorType):
                type = self.types[index]
                found.append(Label(span, f"this is {type.named if named else type}"))
        return (*self.labels, *(found if len(found) < 5 else ()))


def introductions(frame: Frame, condition: Condition, near: Span) -> tuple[Label, ...]:
    """Where the sizes of a condition were introduced."""
    found: dict[tuple[int, int], Label] = {}
    for unknown in sorted(condition.unknowns, key=lambda u: u.serial):
        introduced = frame.session.introduced.get(unknown, unknown.introduced)
        if isinstance(introduced, Span) and introduced.chunk is near.chunk and unknown.kind == "size":
            found.setdefault(
                (introduced.start, introduced.end), Label(introduced, f"`{unknown.name}` is introduced here")
            )
    return tuple(found.values())


def operate(
    frame: Frame,
    spec: OpSpec,
    statics: Mapping[str, Any],
    operands: Sequence[Tensor | Const | None],
    span: Span,
    *,
    spans: Sequence[Span | None] = (),
    pattern: Span | None = None,
    what: str | None = None,
) -> Any:
    """Run the shape rule of an operation, and put it into the graph: its result, a tuple of results, or BROKEN."""
    types = [x.type if isinstance(x, Tensor) else x for x in operands]
    checker = RuleChecker(frame, spec.name if what is None else what, span, types, spans, name=spec.name)
    try:
        results, attrs = spec.rule(checker, statics, types)
    except ShapeError as error:
        report_shape_error(frame, error, checker, pattern)
        return BROKEN
    for type in results:
        for axis in type.axes:
            within_terms(frame, axis.size, span)
    if checker.failed or not _large_enough(frame, spec, statics, span):
        return BROKEN
    if frame.proof.loop_indices and any(a.size.unknowns & frame.proof.loop_indices for t in results for a in t.axes):
        raise frame.fail(
            "E0407",
            "the index of an iteration is a value or a setting, not a size",
            span,
            help="`for` unrolls: there sizes may change from iteration to iteration",
        )
    for value in statics.values():
        if isinstance(value, Pattern):
            pattern_names.hint(frame, value, types, pattern)
    inputs: list[Operand] = [frame.builder.use(x) if isinstance(x, Tensor) else x for x in operands]
    made = frame.builder.node(spec.name, tuple(inputs), tuple(results), attrs=tuple(attrs.items()), span=span)
    return made[0] if len(made) == 1 and spec.outputs >= 0 else made


def within_terms(frame: Frame, given: Size, span: Span) -> None:
    """Refuse a size whose text would fill pages: what is asked of it takes as long."""
    if given.weight > TERMS:
        raise frame.fail("E0701", f"a size of more than {TERMS:,} terms", span, help=NAMED)


def _large_enough(frame: Frame, spec: OpSpec, statics: Mapping[str, Any], span: Span) -> bool:
    """Whether what stands in brackets is as large as the operation takes it to be."""
    for static in spec.statics:
        value = statics.get(static.name)
        for item in value if isinstance(value, (tuple, list)) else (value,):
            given = item.size if isinstance(item, Axis) else item
            if static.least is None or not isinstance(given, Size):
                continue
            which = "an axis" if static.kind == "sizes" else f"`{static.name}`"
            if static.axis and not length(frame, given, f"{which} of `{spec.name}`", span):
                return False
            if (
                not static.axis
                and not given.is_number
                and not at_least(frame, given, static.least, f"{which} of `{spec.name}`", span)
            ):
                return False
    return True


def length(frame: Frame, given: Size, which: str, span: Span) -> bool:
    """Whether an axis may be so long: empty where a name in it may be 0 (`k: nat`, a cache at the first step)."""
    if given.range[0] is not None and given.range[0] >= 1:
        return True
    low = 0 if given.is_number or _empty_on_purpose(frame, given) else 1
    if low == 1 and not frame.proof.facts.holds(ge(given, 1)):
        frame.proof.derived.append(given)
    return at_least(frame, given, low, which, span)


def _empty_on_purpose(frame: Frame, given: Size) -> bool:
    """Whether a size is 0 only where a name in it is that may be 0."""
    facts = frame.proof.facts
    for unknown in given.unknowns:
        if unknown.low != 1:
            facts = facts.assume(ge(size(unknown), 1))
    return is_unknown(given) or (
        facts is not frame.proof.facts and frame.proof.facts.holds(ge(given, 0)) and facts.holds(ge(given, 1))
    )


def at_least(frame: Frame, given: Size, low: int, which: str, span: Span) -> bool:
    """A size is as large as what takes it demands: where that is not proved, the condition flows up to the user."""
    if given.range[0] is not None and given.range[0] >= low:
        return True
    if frame.proof.infer(ge(given, low), span, f"{which} is at least {low}"):
        return True
    frame.report("E0304", f"{which} is at least {low}, here it is `{given}`", span)
    return False


def operation(
    frame: Frame,
    name: str,
    operands: Sequence[Any],
    span: Span,
    *,
    statics: Mapping[str, Any] | None = None,
    spans: Sequence[Span | None] = (),
    what: str | None = None,
) -> Any:
    """Apply a primitive operation by name to values: tensors, numbers (where it takes them), absent optional inputs."""
    spec = OPS[name]
    if any(operand is BROKEN for operand in operands):
        return BROKEN
    ready = [operand_of(frame, spec, value, _at(spans, i) or span, what=what) for i, value in enumerate(operands)]
    settings = {s.name: s.default for s in spec.statics} | dict(statics or {})
    return operate(frame, spec, settings, ready, span, spans=spans, what=what)


def _at(spans: Sequence[Span | None], index: int) -> Span | None:
    return spans[index] if index < len(spans) else None


def operand_of(
    frame: Frame, spec: OpSpec, value: Any, span: Span, optional: bool = False, what: str | None = None
) -> Tensor | Const | None:
    """A value as an operand of an operation."""
    name, value = what or spec.name, seen(frame, value)
    match value:
        case Tensor():
            return value
        case None | Absent() if optional:
            return None
        case Partly(tensor=Tensor() as tensor) if optional:
            return tensor
        case Absent() | Partly():
            raise absent(frame, value, span)
        case UnknownStatic():
            raise UnresolvedChoice(value.name, span)
        case bool() if spec.literals:
            return Const(value)
        case _ if is_number(value):
            if not spec.literals:
                raise frame.fail(
                    "E0405",
                    f"`{spec.name}` takes tensors in parentheses, this is {kind_of(value)}",
                    span,
                    help="" if what else f"sizes and settings stand in brackets: `{spec.name}[...](x)`",
                )
            return Const(value)
        case _:
            help_ = f"apply it to a tensor: `{plain(span.text)}(x)`" if callable_kind(value) else ""
            raise frame.fail("E0405", f"`{name}` takes tensors, this is {kind_of(value)}", span, help=help_)


def callable_kind(value: object) -> bool:
    """Whether a value is applied to tensors rather than being one."""
    return isinstance(value, (BlockRef, Template, InstanceValue, Composite, OpTemplate))


def present(frame: Frame, value: Any, span: Span) -> Any:
    """A value that must be there where we are."""
    value = seen(frame, value)
    if isinstance(value, (Absent, Partly)):
        raise absent(frame, value, span)
    return value


def absent(frame: Frame, value: Absent | Partly, span: Span) -> StatementFailed:
    """A name is used on a path on which it is not bound, or which it shares with another value of that name."""
    if isinstance(value, Partly) and frame.flow.path.implies(value.when):
        kinds = list(dict.fromkeys(_shown(each) for _, each in value.cases))
        shown = (
            f"it is {' and '.join(kinds)} on different paths" if kinds[1:] else f"each path has {kinds[0]} of its own"
        )
        text = f"`{value.name}` is not one value here: {shown}"
        labels = (Label(value.span, "bound here"),) if value.span else ()
        return frame.fail("E0302", text, span, labels=labels, help="use it on the path that binds it")
    inputs = frame.block.tree.inputs if frame.block is not None else ()
    if any(each.name == value.name for each in inputs):
        what, help_ = "an optional input", f"use it under `if given({value.name}):`, or hand it to an optional input"
    else:
        what, help_ = "bound here, on another path only", "bind it on every path, or hand it to an optional input"
    labels = (Label(value.span, what),) if value.span else ()
    told = isinstance(value, Partly) and value.when.nodes[1:]
    details = (f"it is there where {value.when}",) if isinstance(value, Partly) and told else ()
    return frame.fail("E0502", f"`{value.name}` may be absent here", span, labels=labels, help=help_, details=details)


def _shown(value: object) -> str:
    return str(value) if is_number(value) or isinstance(value, (bool, str)) else kind_of(value)


def report_shape_error(frame: Frame, error: ShapeError, checker: RuleChecker, pattern: Span | None) -> None:
    """Turn a fact about shapes into a finding with places."""
    span = checker.span
    if error.inside is not None and pattern is not None:
        span = pattern.inner(1 + error.inside[0], 1 + max(error.inside[1], error.inside[0] + 1))
    labels = checker._operands(error.operand)
    blamed = checker.spans[error.operand] if error.operand is not None and error.operand < len(checker.spans) else None
    told = cast_of(error.help, blamed)
    bound = frame.scope.variables.get(error.axis) if isinstance(error.axis, str) else None
    if isinstance(bound, Size) and bound.is_number:
        told = {"help": f"a name here is a label; `{error.axis} + 0` is the axis of that number"}
    frame.report(error.code, checker.said(error.text), span, labels=labels, **told)
    if error.axis is not None:
        frame.missing_axis(error.axis)


def unknown_size(name: str, introduced: Span | None) -> Size:
    """A size that nothing determines (what a broken or recursive part would give)."""
    return size(Unknown(name, 1, "size", introduced))
