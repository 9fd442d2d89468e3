"""Regions: `repeat`, `scan`, and choices that are made when the model runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ogive.compiler.elaborate import places
from ogive.compiler.elaborate.checker import RuleChecker, at_least
from ogive.compiler.elaborate.frame import Frame, Place
from ogive.compiler.elaborate.typing import tensor_type
from ogive.compiler.elaborate.values import (
    BROKEN,
    Absent,
    Builtin,
    Tensor,
    Undecided,
    UnknownStatic,
    kind_of,
)
from ogive.compiler.ir import Graph, Loop
from ogive.compiler.sizes import Size, Unknown, ge, size
from ogive.compiler.types import Axis, TensorType
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span

# --- repeat and scan --------------------------------------------------------------------------------------------------


def repeat(frame: Frame, tree: syntax.Repeat) -> None:
    """`repeat n as layers:` the body once, whatever the count; carried values keep their types."""
    count = frame.evaluate(tree.count)
    if count is BROKEN:
        _lose(frame, tree.body)
        return
    if isinstance(count, UnknownStatic):
        raise Undecided(count.name, tree.count.span)
    if not isinstance(count, Size) or not frame.flow(ge(count, 0), tree.count.span, "`repeat` demands"):
        shown = count if isinstance(count, Size) else kind_of(count)
        raise frame.fail("E0404", f"`repeat` needs a number of turns, 0 or more; this is {shown}", tree.count.span)
    path = frame.path_for(tree, tree.label or "layers", None, tree.span)
    frame.add(Loop(path, count))
    turns, number = _turns(frame, tree, count)
    loop = _Loop(frame, tree.body, path + ".*", [], turns, number)
    loop.run(lambda t: TensorType(t.elem, t.axes[1:]), count, None)
    if loop.graph is None:
        return
    attrs = (("count", count), ("carry", len(loop.carried)), ("turn", len(turns)), ("index", loop.index))
    loop.close("repeat", attrs, path, tree.span)


def _turns(frame: Frame, tree: syntax.Repeat, count: Size) -> tuple[list[tuple[str, Tensor]], str | None]:
    """What each turn is given: slices along the first axis of tensors, and its number."""
    turns: list[tuple[str, Tensor]] = []
    number: str | None = None
    for each in tree.withs:
        if _is_range(frame, each.iterable):
            length = frame.evaluate(each.iterable.args[0])  # type: ignore[attr-defined]
            _same_length(frame, length, count, each.iterable.span)
            number = each.target.name
            continue
        value = frame.evaluate(each.iterable)
        if not isinstance(value, Tensor) or not value.type.axes:
            if value is BROKEN:
                continue
            raise frame.fail(
                "E0404", f"`with` takes turns of a tensor or `range(n)`, this is {kind_of(value)}", each.iterable.span
            )
        _same_length(frame, value.type.axes[0].size, count, each.iterable.span)
        turns.append((each.target.name, value))
    return turns, number


def _is_range(frame: Frame, tree: syntax.Expr) -> bool:
    match tree:
        case syntax.Call(func=syntax.Name(id="range"), args=(syntax.Expr(),)):
            return isinstance(frame.evaluate(tree.func), Builtin)
        case _:
            return False


def _same_length(frame: Frame, length: Any, count: Size, span: Span) -> None:
    if isinstance(length, Size):
        RuleChecker(frame, "", span).equal(length, count, f"`{length}` turns are given to a loop of `{count}`")


def scan(frame: Frame, tree: syntax.Scan) -> None:
    """`scan x_t in x along n carry h = e:` steps through an axis in order."""
    label = tree.axis.id if isinstance(tree.axis, syntax.Name) else None
    steps: list[tuple[str, Tensor]] = []
    positions: list[int] = []
    for each in tree.steps:
        value = frame.evaluate(each.iterable)
        if value is BROKEN:
            _lose(frame, tree.body)
            return
        if not isinstance(value, Tensor):
            raise frame.fail("E0404", f"`scan` steps through a tensor, this is {kind_of(value)}", each.iterable.span)
        positions.append(_axis(frame, value, tree.axis, label))
        steps.append((each.target.name, value))
    length = steps[0][1].type.axes[positions[0]].size
    for (_, value), position in zip(steps[1:], positions[1:], strict=True):
        _same_length(frame, value.type.axes[position].size, length, tree.axis.span)
    carried = [_carry(frame, c) for c in tree.carries]
    if any(value is BROKEN for _, value in carried):
        _lose(frame, tree.body)
        return
    prefix = frame.place.prefix
    loop = _Loop(frame, tree.body, None, carried, steps, None)
    drop = {name: position for (name, _), position in zip(steps, positions, strict=True)}
    axis = positions[0]
    loop.run(lambda t: t, length, axis, drop)
    if loop.graph is None:
        return
    attrs = (
        ("axes", tuple(positions)),
        ("axis", axis),
        ("reverse", tree.reverse),
        ("carry", len(loop.carried)),
        ("turn", len(steps)),
        ("count", length),
    )
    loop.close("scan", attrs, prefix, tree.span)


def _axis(frame: Frame, value: Tensor, tree: syntax.Expr, label: str | None) -> int:
    if label is None:
        position = frame.evaluate(tree)
        if not isinstance(position, Size) or not position.is_number:
            raise frame.fail("E0404", "an axis is a label or a position", tree.span)
        index = position.number + (len(value.type.axes) if position.number < 0 else 0)
        if not 0 <= index < len(value.type.axes):
            raise frame.fail("E0304", f"{value.type} has no axis {position}", tree.span)
        return index
    found = [i for i, axis in enumerate(value.type.axes) if axis.label == label]
    if len(found) != 1:
        many = "stands twice" if found else "is missing"
        raise frame.fail("E0305", f"the label `{label}` {many} in {value.type}", tree.span)
    return found[0]


def _carry(frame: Frame, tree: syntax.Carry) -> tuple[str, Any]:
    value = frame.evaluate(tree.value)
    if value is not BROKEN and not isinstance(value, Tensor):
        raise frame.fail("E0404", f"a carried value is a tensor, this is {kind_of(value)}", tree.value.span)
    if tree.type is not None and isinstance(value, Tensor):
        wanted = tensor_type(frame, tree.type)
        if wanted is not None and not same_type(frame, wanted, value.type):
            raise frame.fail(
                "E0301", f"`{tree.target.name}` is declared {wanted}, this is {value.type}", tree.value.span
            )
    return tree.target.name, value


class _Loop:
    """A loop whose body is elaborated once, as a region."""

    def __init__(
        self,
        frame: Frame,
        body: Sequence[syntax.Stmt],
        prefix: str | None,
        carries: list[tuple[str, Any]],
        turns: list[tuple[str, Tensor]],
        number: str | None,
    ) -> None:
        self.frame, self.body, self.prefix = frame, tuple(body), prefix
        self.turns, self.number = turns, number
        self.index: Unknown | None = None  # the number of the turn, where the body reads it
        bound = bound_in(self.body)
        known = {n for n, _ in carries}
        outer = [
            (n, frame.variables[n]) for n in bound if isinstance(frame.variables.get(n), Tensor) and n not in known
        ]
        self.carried: list[tuple[str, Tensor]] = [*carries, *outer]
        self.frozen = {n: frame.variables[n] for n in bound if n in frame.variables and n not in dict(self.carried)}
        self.graph: Graph | None = None
        self.lost: str | None = None  # the carried name whose type changed
        self.captured: tuple[Tensor, ...] = ()
        self.outputs: list[tuple[str, TensorType]] = []

    def run(
        self,
        turn: Callable[[TensorType], TensorType],
        count: Size,
        axis: int | None,
        drop: dict[str, int] | None = None,
    ) -> None:
        """Elaborate the body; afterwards `graph` is None where it is broken."""
        frame = self.frame
        failed = len(frame.diagnostics)
        names = (
            places.plan(self.body, frame.session.block_names(frame)) if self.prefix is not None else frame.place.names
        )
        place = Place(self.prefix if self.prefix is not None else frame.place.prefix, names)
        yields: list[tuple[syntax.Yield, Tensor]] = []
        saved = frame.yields
        with frame.region() as inner, frame.inside(place):
            frame.loops += 1
            frame.yields = yields
            for name, value in self.carried:
                frame.variables[name] = inner.input(name, value.type, value.born)
            for name, value in self.turns:
                kind = turn(value.type)
                if drop is not None:
                    kind = TensorType(kind.elem, tuple(a for i, a in enumerate(kind.axes) if i != drop[name]))
                frame.variables[name] = inner.input(name, kind, value.born)
            if self.number is not None:
                self.index = Unknown(self.number, 0)
                frame.turn_numbers |= {self.index}
                frame.variables[self.number] = size(self.index)
            frame.execute(self.body)
            results = self._results()
            if results is not None:
                outs = tuple(frame.builder.use(t) for t in results) + tuple(inner.use(t) for _, t in yields)
                self.graph = inner.finish(outs)
                self.captured = inner.captured()
            frame.loops -= 1
        frame.yields = saved
        if self.graph is None or any(d.severity == "error" for d in frame.diagnostics[failed:]):
            self.graph = None
            _lose(frame, self.body)
            for name, value in self.carried:  # their types are known: what follows can still be checked
                if name == self.lost:
                    continue
                frame.variables[name] = frame.builder.node("broken", (), (value.type,))[0]
            return
        self.outputs = [(n, t.type) for n, t in self.carried]
        for tree, tensor in yields:
            position = axis or 0
            axes = list(tensor.type.axes)
            if position > len(axes):
                raise frame.fail("E0303", f"`{tree.target.name}` has no axis {position} to be stacked along", tree.span)
            label = None
            if axis is not None:
                label = self.turns[0][1].type.axes[axis].label
            at_least(frame, count, 1, f"the number of turns that `{tree.target.name}` collects", tree.span)
            axes.insert(position, Axis(count, label))
            self.outputs.append((tree.target.name, TensorType(tensor.type.elem, tuple(axes))))

    def _results(self) -> list[Tensor] | None:
        """The carried values at the end of a turn; their types may not have changed."""
        frame, found = self.frame, []
        for name, before in self.carried:
            after = frame.variables.get(name)
            if after is BROKEN:
                return None
            if not isinstance(after, Tensor):
                frame.report(
                    "E0302",
                    f"`{name}` is carried: it enters the turn as {before.type} and leaves it as {kind_of(after)}",
                    frame.bound_at.get(name, self.body[-1].span),
                )
                return None
            if not same_type(frame, before.type, after.type):
                self._changed(name, before, after)
                return None
            found.append(after)
        for name, before in self.frozen.items():
            after = frame.variables.get(name)
            if (
                after is not before
                and after is not BROKEN
                and not isinstance(before, (Absent, Tensor))
                and after != before
            ):
                frame.report(
                    "E0302",
                    f"`{name}` is {kind_of(before)}: it is not carried through a loop",
                    frame.bound_at.get(name, self.body[-1].span),
                    help="`for` unrolls: there numbers, lists and types may change from turn to turn",
                )
                return None
        return found

    def _changed(self, name: str, before: Tensor, after: Tensor) -> None:
        self.lost = name
        labels = (Label(before.born, f"{before.type} enters the loop"),) if before.born else ()
        self.frame.report(
            "E0302",
            f"`{name}` changes its type in the loop, from {before.type} to {after.type}",
            self.frame.bound_at.get(name, self.body[-1].span),
            note=f"this is {after.type}",
            labels=labels,
            help="each turn must give what it takes; `for` unrolls a compile-time list, there types may change",
        )

    def close(self, op: str, attrs: tuple[tuple[str, Any], ...], path: str, span: Span) -> None:
        """Put the loop into the outer graph and bind what it leaves."""
        frame = self.frame
        assert self.graph is not None
        inputs = [frame.builder.use(t) for _, t in (*self.carried, *self.turns)]
        inputs += [frame.builder.use(t) for t in self.captured]
        made = frame.builder.node(
            op,
            tuple(inputs),
            tuple(t for _, t in self.outputs),
            attrs=attrs,
            regions=(self.graph,),
            path=path,
            span=span,
            hints=tuple(n for n, _ in self.outputs),
        )
        for (name, _), value in zip(self.outputs, made, strict=True):
            frame.variables[name] = value


def same_type(frame: Frame, a: TensorType, b: TensorType) -> bool:
    """Whether two types are proved equal."""
    return (
        a.elem == b.elem
        and len(a.axes) == len(b.axes)
        and all((x.pack is None) == (y.pack is None) for x, y in zip(a.axes, b.axes, strict=True))
        and all(frame.facts.equal(x.size, y.size) for x, y in zip(a.axes, b.axes, strict=True))
    )


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
            case syntax.For(body=inner) | syntax.Repeat(body=inner):
                found.update((n, None) for n in bound_in(inner))
            case syntax.Scan(body=inner, carries=carries):
                own = {c.target.name for c in carries}
                found.update((n, None) for n in own)
                found.update((n, None) for n in bound_in(inner))
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


def _lose(frame: Frame, body: Sequence[syntax.Stmt]) -> None:
    """Nothing that a broken body binds is known afterwards."""
    for name in lost_in(body):
        if name not in frame.fixed:
            frame.variables[name] = BROKEN
