"""Regions: `repeat`, `scan`, and choices that are made when the model runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

from ogive.compiler.elaborate.rules.checker import RuleChecker, at_least, operation, present
from ogive.compiler.elaborate.rules.type_exprs import tensor_type
from ogive.compiler.elaborate.state import weight_paths as places
from ogive.compiler.elaborate.state.allocation import WeightScope
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.partly import kept, lost, operand, partly, region_input, same_type, seen
from ogive.compiler.elaborate.state.values import (
    BROKEN,
    Absent,
    Builtin,
    Gone,
    Partly,
    UnknownStatic,
    as_written,
    is_number,
    kind_of,
)
from ogive.compiler.elaborate.walk.bound import bound_in, lost_in, yielded_in
from ogive.compiler.elaborate.walk.names import means_something
from ogive.compiler.ir.attributes import LoopAttrs, RepeatAttrs, ScanAttrs
from ogive.compiler.ir.model import Graph, Loop
from ogive.compiler.ir.presence import ALWAYS, NEVER, Presence, given
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.empty import inhabited
from ogive.compiler.sizes import Size, Unknown, ge, size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

# --- repeat and scan --------------------------------------------------------------------------------------------------


def repeat(frame: Frame, tree: syntax.Repeat) -> None:
    """`repeat n as layers:` the body once, whatever the count; carried values keep their types."""
    if isinstance(tree.count, syntax.Compare) and tree.count.op == "in":
        help_ = f"write `repeat n with {tree.count.left.span.text} in {tree.count.right.span.text}:`"
        raise frame.fail("E0407", "`repeat` takes a number of iterations", tree.count.span, help=help_)
    count = frame.evaluate(tree.count)
    if count is BROKEN:
        _lose(frame, tree.body)
        return
    if isinstance(count, UnknownStatic):
        raise UnresolvedChoice(count.name, tree.count.span)
    if not isinstance(count, Size) or not frame.proof.infer(ge(count, 0), tree.count.span, "`repeat` demands"):
        shown = count if isinstance(count, Size) else kind_of(count)
        raise frame.fail("E0407", f"`repeat` needs a number of iterations, 0 or more; this is {shown}", tree.count.span)
    path = frame.path_for(tree, tree.label or "layers", None, tree.span)
    frame.alloc.add(Loop(path, count))
    sliced, number = _sliced(frame, tree, count)
    _one_meaning(frame, tree.withs, tree.body)
    loop = _LoopBody(frame, tree.body, path + ".*", [], sliced, number)
    loop.run(lambda t: TensorType(t.elem, t.axes[1:]), count, None)
    if loop.graph is None:
        return
    loop.close(RepeatAttrs(count, len(loop.carried), len(sliced), loop.index, path), tree.span)


def _sliced(frame: Frame, tree: syntax.Repeat, count: Size) -> tuple[list[tuple[str, Tensor]], str | None]:
    """What each iteration is given: slices along the first axis of tensors, and its number."""
    sliced: list[tuple[str, Tensor]] = []
    number: str | None = None
    for each in tree.withs:
        if _is_range(frame, each.iterable):
            length = frame.evaluate(each.iterable.args[0])  # type: ignore[attr-defined]
            _same_length(frame, length, count, each.iterable.span)
            number = each.target.name
            continue
        value = present(frame, frame.evaluate(each.iterable), each.iterable.span)
        if isinstance(value, tuple) and _numbers(value):
            value = operation(frame, "constant", (), each.iterable.span, statics={"list": value})
        if not isinstance(value, Tensor) or not value.type.axes:
            if value is BROKEN:
                continue
            text = f"`with` takes slices of a tensor, a list of numbers or `range(n)`, this is {kind_of(value)}"
            help_ = "`for c in [...]:` unrolls over a list of anything" if isinstance(value, tuple) else ""
            raise frame.fail("E0407", text, each.iterable.span, help=help_)
        _same_length(frame, value.type.axes[0].size, count, each.iterable.span)
        sliced.append((each.target.name, value))
    return sliced, number


def _numbers(value: tuple[Any, ...]) -> bool:
    """Whether a list holds numbers or truth values, or lists of them."""
    return bool(value) and all(
        _numbers(each) if isinstance(each, tuple) else isinstance(each, bool) or is_number(each) for each in value
    )


def _is_range(frame: Frame, tree: syntax.Expr) -> bool:
    match tree:
        case syntax.Call(func=syntax.Name(id="range"), args=(syntax.Expr(),)):
            return isinstance(frame.evaluate(tree.func), Builtin)
        case _:
            return False


def _same_length(frame: Frame, length: Any, count: Size, span: Span) -> None:
    if isinstance(length, Size):
        RuleChecker(frame, "", span).equal(length, count, f"`{length}` iterations are given to a loop of `{count}`")


def scan(frame: Frame, tree: syntax.Scan) -> None:
    """`scan x_t in x along n carry h = e:` steps through an axis in order."""
    label = tree.axis.id if isinstance(tree.axis, syntax.Name) else None
    steps: list[tuple[str, Tensor]] = []
    positions: list[int] = []
    for each in tree.steps:
        value = present(frame, frame.evaluate(each.iterable), each.iterable.span)
        if value is BROKEN:
            _lose(frame, tree.body)
            return
        if not isinstance(value, Tensor):
            raise frame.fail("E0407", f"`scan` steps through a tensor, this is {kind_of(value)}", each.iterable.span)
        positions.append(_axis(frame, value, tree.axis, label))
        steps.append((each.target.name, value))
    length = steps[0][1].type.axes[positions[0]].size
    for (_, value), position in zip(steps[1:], positions[1:], strict=True):
        _same_length(frame, value.type.axes[position].size, length, tree.axis.span)
    for each, (_, value) in zip(tree.steps, steps, strict=True):
        inhabited(RuleChecker(frame, "", each.iterable.span), "scan", (value.type,))
    carried = [_carry(frame, c) for c in tree.carries]
    if any(value is BROKEN for _, value in carried):
        _lose(frame, tree.body)
        return
    _one_meaning(frame, tree.steps, tree.body)
    prefix = frame.alloc.scope.prefix
    loop = _LoopBody(frame, tree.body, None, carried, steps, None)
    drop = {name: position for (name, _), position in zip(steps, positions, strict=True)}
    axis = positions[0]
    loop.run(lambda t: t, length, axis, drop)
    if loop.graph is None:
        return
    told = ScanAttrs(tuple(positions), axis, tree.reverse, len(loop.carried), len(steps), length, prefix)
    loop.close(told, tree.span)


def _axis(frame: Frame, value: Tensor, tree: syntax.Expr, label: str | None) -> int:
    if label is None:
        position = frame.evaluate(tree)
        if not isinstance(position, Size) or not position.is_number:
            raise frame.fail("E0407", "an axis is a label or a position", tree.span)
        index = position.number + (len(value.type.axes) if position.number < 0 else 0)
        if not 0 <= index < len(value.type.axes):
            raise frame.fail("E0304", f"{value.type} has no axis {position}", tree.span)
        return index
    found = [i for i, axis in enumerate(value.type.axes) if axis.label == label]
    if len(found) != 1:
        many = "appears twice" if found else "is missing"
        raise frame.fail("E0305", f"the label `{label}` {many} in {value.type}", tree.span)
    return found[0]


def _carry(frame: Frame, tree: syntax.Carry) -> tuple[str, Any]:
    value = present(frame, frame.evaluate(tree.value), tree.value.span)
    if value is not BROKEN and not isinstance(value, Tensor):
        raise frame.fail("E0407", f"a carried value is a tensor, this is {kind_of(value)}", tree.value.span)
    if tree.type is not None and isinstance(value, Tensor):
        wanted = tensor_type(frame, tree.type)
        if wanted is not None and not same_type(frame, wanted, value.type):
            raise frame.fail(
                "E0301", f"`{tree.target.name}` is declared {wanted}, this is {value.type}", tree.value.span
            )
    return tree.target.name, value


def _one_meaning(frame: Frame, head: Sequence[syntax.With], body: Sequence[syntax.Stmt]) -> None:
    """Refuse a loop whose body assigns what its head names, where the name means something outside of it too."""
    assigned, known = bound_in(body), frame.scope.variables
    for name, step in ((step.target.name, step) for step in head):
        if name not in assigned or name not in known:
            continue
        outside = kept(seen(frame, known[name]))
        if not lost(outside) and not isinstance(outside, Absent):  # which stands for what an arm may bind
            raise frame.fail(
                "E0302",
                f"the loop assigns `{name}`, which its head names and which is {kind_of(outside)} outside of it",
                step.target.span,
                help=f"which of them is meant? write another name in the head: `{name}_i in ...`",
            )


class _LoopBody:
    """A loop whose body is elaborated once, as a region."""

    def __init__(
        self,
        frame: Frame,
        body: Sequence[syntax.Stmt],
        prefix: str | None,
        carries: list[tuple[str, Any]],
        sliced: list[tuple[str, Tensor]],
        number: str | None,
    ) -> None:
        self.frame, self.body, self.prefix = frame, tuple(body), prefix
        self.sliced, self.number = sliced, number
        self.index: Unknown | None = None  # the index of the iteration, where the body reads it
        known = {n for n, _ in carries}
        bound = bound_in(self.body)
        before = {n: kept(seen(frame, frame.scope.variables[n])) for n in bound if n in frame.scope.variables}
        outer = [(n, tensor) for n, v in before.items() if n not in known and (tensor := operand(v)) is not None]
        self.carried: list[tuple[str, Tensor]] = [*carries, *outer]
        self.frozen = {n: v for n, v in before.items() if n not in dict(self.carried) and not lost(v)}
        self.fresh = [n for n in bound if n not in before or lost(before[n])]  # names that nothing binds before
        self.own: dict[str, Presence] = {}  # those that an iteration binds, for itself, and where it does
        self.graph: Graph | None = None
        self.lost: str | None = None  # the carried name whose type changed
        self.captured: tuple[Tensor, ...] = ()
        self.outputs: list[tuple[str, TensorType, Presence]] = []

    def run(
        self,
        inside: Callable[[TensorType], TensorType],
        count: Size,
        axis: int | None,
        drop: dict[str, int] | None = None,
    ) -> None:
        """Elaborate the body; afterwards `graph` is None where it is broken."""
        frame = self.frame
        failed = len(frame.diagnostics)
        place = frame.alloc.scope
        if self.prefix is not None:
            place = WeightScope(self.prefix, places.plan(self.body, frame.session.block_names(frame)))
        collected: list[tuple[syntax.Yield, Any]] = []
        with frame.region() as inner, frame.alloc.inside(place), frame.flow.loop(collected):
            for name, value in self.carried:
                frame.scope.variables[name] = region_input(inner, name, value, value.type)
            for name, value in self.sliced:
                kind = inside(value.type)
                if drop is not None:
                    kind = TensorType(kind.elem, tuple(a for i, a in enumerate(kind.axes) if i != drop[name]))
                frame.scope.variables[name] = inner.input(name, kind, value.introduced)
            if self.number is not None:
                self.index = Unknown(self.number, 0)
                frame.proof.loop_indices |= {self.index}
                frame.scope.variables[self.number] = size(self.index)
            frame.execute(self.body)
            results = self._results()
            yields = [(tree, tensor) for tree, value in collected if (tensor := operand(value)) is not None]
            if results is not None:
                outs = tuple(frame.builder.use(t) for t in results) + tuple(inner.use(t) for _, t in yields)
                self.graph = inner.finish(outs)
                self.captured = inner.captured()
        if self.graph is None or any(d.severity == "error" for d in frame.diagnostics[failed:]):
            self.graph = None
            _lose(frame, self.body)
            for name, value in self.carried:  # their types are known: what follows can still be checked
                if name == self.lost:
                    continue
                frame.scope.variables[name] = frame.builder.node("broken", (), (value.type,))[0]
            return
        self.outputs = [(n, t.type, t.when) for n, t in self.carried]
        for tree, tensor in yields:
            position = axis or 0
            axes = list(tensor.type.axes)
            if position > len(axes):
                raise frame.fail("E0303", f"`{tree.target.name}` has no axis {position} to be stacked along", tree.span)
            label = None
            if axis is not None:
                label = self.sliced[0][1].type.axes[axis].label
            at_least(frame, count, 1, f"the number of iterations that `{tree.target.name}` collects", tree.span)
            if axis is not None:
                inhabited(RuleChecker(frame, "", tree.span), "scan", (tensor.type,))
            axes.insert(position, Axis(count, label))
            self.outputs.append((tree.target.name, TensorType(tensor.type.elem, tuple(axes)), tensor.when))

    def _results(self) -> list[Tensor] | None:
        """The carried values at the end of an iteration; their types may not have changed."""
        frame, found = self.frame, []
        for name, before in self.carried:
            value = seen(frame, frame.scope.variables.get(name))
            after = operand(value)
            if value is BROKEN:
                return None
            if after is None:
                frame.report(
                    "E0302",
                    f"`{name}` is carried: it enters the iteration as {before.type} and leaves it as {kind_of(value)}",
                    frame.scope.bound_at.get(name, self.body[-1].span),
                    help=f"bind a tensor of this type to `{name}`, or give what is no tensor a name of its own",
                )
                return None
            if (frame.flow.path & before.when) != (frame.flow.path & after.when):
                self._appears(name, before.when, after.when)
                return None
            if not same_type(frame, before.type, after.type):
                self._changed(name, before, after)
                return None
            found.append(after)
        for name in self.fresh:
            self._ends(name)
        for name, was in self.frozen.items():
            now = seen(frame, frame.scope.variables.get(name))
            if isinstance(was, Absent):
                if not isinstance(now, Absent):
                    self._ends(name)
                    if given(name) in self.inputs():
                        self._appears(name, NEVER, self.own[name])
                        return None
            elif now is not BROKEN and now is not was and (now != was or as_written(now) != as_written(was)):
                frame.report(
                    "E0302",
                    f"`{name}` is {kind_of(was)}: it is not carried through a loop",
                    frame.scope.bound_at.get(name, self.body[-1].span),
                    help="`for` unrolls: there numbers, lists and types may change from iteration to iteration",
                )
                return None
        return found

    def _ends(self, name: str) -> None:
        """Note a name that nothing bound before the loop."""
        value = seen(self.frame, self.frame.scope.variables.get(name))
        if not isinstance(value, (Absent, Gone, NoneType)):
            self.own[name] = value.when if isinstance(value, Partly) else ALWAYS

    def inputs(self) -> set[str]:
        """What asks for the optional inputs of the block."""
        block = self.frame.block
        return {given(each.name) for each in (block.tree.inputs if block is not None else ()) if each.type.optional}

    def _appears(self, name: str, before: Presence, after: Presence) -> None:
        """Each iteration is the same: what is carried is there in all of them or in none."""
        self.lost = name
        self.frame.report(
            "E0302",
            f"`{name}` is carried, and whether it is there changes in the loop: before it, {_told(before)}, "
            f"and after an iteration, {_told(after)}",
            self.frame.scope.bound_at.get(name, self.body[-1].span),
            help="bind it before the loop on the same paths, or give what an iteration binds a name of its own",
        )

    def _changed(self, name: str, before: Tensor, after: Tensor) -> None:
        self.lost = name
        labels = (Label(before.introduced, f"{before.type} enters the loop"),) if before.introduced else ()
        self.frame.report(
            "E0302",
            f"`{name}` changes its type in the loop, from {before.type} to {after.type}",
            self.frame.scope.bound_at.get(name, self.body[-1].span),
            note=f"this is {after.type}",
            labels=labels,
            help="each iteration must give what it takes; `for` unrolls a compile-time list, there types may change",
        )

    def close(self, structure: LoopAttrs, span: Span) -> None:
        """Put the loop into the outer graph and bind what it leaves."""
        frame = self.frame
        assert self.graph is not None
        inputs = [frame.builder.use(t) for _, t in (*self.carried, *self.sliced)]
        inputs += [frame.builder.use(t) for t in self.captured]
        made = frame.builder.node(
            structure,
            tuple(inputs),
            tuple(t for _, t, _ in self.outputs),
            regions=(self.graph,),
            span=span,
            hints=tuple(n for n, _, _ in self.outputs),
        )
        for name, when in self.own.items():
            if means_something(frame, name):
                frame.scope.variables.pop(name, None)
            else:
                place = frame.scope.bound_at.get(name, span)
                frame.scope.variables[name] = partly(frame, name, [(when, Gone(name, place))], place)
        for name in (*self.fresh, *yielded_in(self.body)):
            if name not in frame.scope.variables and not means_something(frame, name):
                # bound or collected on paths that are never taken here
                frame.scope.variables[name] = Absent(name, span)
        for (name, _, when), value in zip(self.outputs, made, strict=True):
            frame.scope.variables[name] = partly(frame, name, [(when, value)], span)


def _told(when: Presence) -> str:
    return str(when) if when in (ALWAYS, NEVER) else f"where {when}"


def _lose(frame: Frame, body: Sequence[syntax.Stmt]) -> None:
    """Nothing that a broken body binds is known afterwards."""
    for name in lost_in(body):
        if name not in frame.scope.fixed:
            frame.scope.variables[name] = BROKEN
