"""Arguments meet the declared inputs: names are bound to sizes, everything else must be equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.modules.statics_advice import named_statics, statics_help
from ogive.compiler.elaborate.rules import statics
from ogive.compiler.elaborate.rules.checker import introductions
from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.proof import Constraint
from ogive.compiler.elaborate.state.values import BROKEN, PackValue, UnknownStatic, whole
from ogive.compiler.ir.types import Axis, OneOf, TensorType
from ogive.compiler.sizes import Size, Unknown, divides, eq, size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span


@dataclass
class InputMatch:
    """What a use of a block binds: its statics and sizes, in the sizes of the user; packs; labels by declared name."""

    values: dict[str, Any]
    sizes: dict[str, Size] = field(default_factory=dict)
    packs: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    labels: dict[str, str | None] = field(default_factory=dict)
    failed: bool = False
    env: Frame | None = None  # the block's signature, with the user's sizes behind its names
    _first: dict[str, int] = field(default_factory=dict, repr=False)  # the input that named a size first

    def names(self) -> dict[str, Any]:
        """What the names of the block's signature mean here."""
        packs = {name: PackValue(name, axes) for name, axes in self.packs.items()}
        return {**self.values, **self.sizes, **packs}

    def label(self, name: str, label: str | None, index: int) -> None:
        """An axis of an input bears a declared name. The first one's label is that of the name, unless the same input
        has it on axes of other labels: then a result of this name may be either of them, and has no label.
        """
        first = self._first.setdefault(name, index)
        known = self.labels.setdefault(name, label)
        if known != label:
            self.labels[name] = None if known is None or first == index else OneOf(known)


@dataclass
class _Matcher:
    frame: Frame
    ref: BlockRef
    match: InputMatch
    span: Span
    env: Frame  # the names of the block's signature, with the user's sizes behind them
    pending: list[tuple[syntax.Expr, Axis, int]] = field(default_factory=list)
    operands: Sequence[Tensor | None] = ()
    spans: Sequence[Span] = ()


def match_inputs(
    frame: Frame,
    ref: BlockRef,
    given: dict[str, Any],
    operands: Sequence[Tensor | None],
    span: Span,
    spans: Sequence[Span],
) -> InputMatch:
    """Bind the statics and sizes of a block from what is given and from the types of its arguments."""
    env = frame.beside(ref, given)
    env.diagnostics = frame.diagnostics  # what is wrong with a default is said also where it ends the use
    match = InputMatch(dict(given), env=env)
    work = _Matcher(frame, ref, match, span, env, [], operands, spans)
    declared = {d.name: d for d in ref.tree.statics}
    for name, value in given.items():
        if name not in declared and isinstance(value, Size):
            match.sizes[name] = value
            del match.values[name]
    for index, (each, operand) in enumerate(zip(ref.tree.inputs, operands, strict=True)):
        if operand is not None:
            _align(work, each, operand.type, index)
        if match.failed:
            return match
    _left_out(work)
    _defaults(work, declared)
    if not match.failed:
        _check_pending(work)
    return match


def _left_out(work: _Matcher) -> None:
    """A size that only inputs have which are left out is 0, and a pack has no axes."""
    _solve_pending(work)
    for each, operand in zip(work.ref.tree.inputs, work.operands, strict=True):
        for dim in each.type.dims if operand is None else ():
            if isinstance(dim, syntax.StarDim):
                name = dim.name or "..."
                if name not in work.env.scope.variables:
                    work.match.packs[name] = ()
                    work.env.scope.variables[name] = PackValue(name, ())
                continue
            for name in statics.names_in(dim):
                if name not in work.env.scope.variables and name in statics.input_sizes(work.ref.tree):
                    if name not in work.ref.module.scope:
                        work.match.sizes[name] = work.env.scope.variables[name] = size(0)


def _align(work: _Matcher, each: syntax.Input, actual: TensorType, index: int) -> None:
    """Meet one declared input with one type: axes pair up around the pack."""
    declared = each.type
    if declared.elem != actual.elem:
        help_ = f"`cast[{declared.elem}](...)`" if declared.elem in ("float", "int", "bool") else ""
        _refuse(
            work,
            index,
            f"`{each.name}` of `{work.ref.name}` takes {declared.elem} elements, these are {actual.elem}",
            "E0501",
            help_,
        )
        return
    dims = _spliced(work, declared.dims)
    stars = [i for i, dim in enumerate(dims) if isinstance(dim, syntax.StarDim)]
    text = declared.span.text
    if (not stars and len(dims) != len(actual.axes)) or (stars and len(actual.axes) < len(dims) - 1):
        _refuse(
            work,
            index,
            f"`{each.name}` of `{work.ref.name}` is {text}: {_axes(len(dims), bool(stars))}, "
            f"this is {actual}: {_axes(len(actual.axes), False)}",
        )
        return
    before, after = (stars[0], len(dims) - stars[0] - 1) if stars else (len(dims), 0)
    if stars:
        _pack(work, dims[before], actual.axes[before : len(actual.axes) - after], index, each)
    pairs = [*zip(dims[:before], actual.axes[:before], strict=True)]
    if after:
        pairs += zip(dims[-after:], actual.axes[-after:], strict=True)
    for dim, axis in pairs:
        if axis.pack is not None:
            _refuse(
                work,
                index,
                f"`{each.name}` of `{work.ref.name}` is {text}: the pack `{axis}` of {actual} "
                "may have any number of axes",
            )
            return
        _dim(work, dim, axis, index)


def _axes(count: int, least: bool) -> str:
    return f"at least {count - 1} axes" if least else f"{count} {'axis' if count == 1 else 'axes'}"


def _spliced(work: _Matcher, dims: Sequence[Any]) -> list[Any]:
    """The dims, with compile-time lists (`*list`) replaced by their sizes."""
    found: list[Any] = []
    for dim in dims:
        value = work.env.scope.variables.get(dim.name) if isinstance(dim, syntax.StarDim) and dim.name else None
        if isinstance(value, tuple) and dim.name not in work.match.packs:
            found.extend(value)
        else:
            found.append(dim)
    return found


def _refuse(work: _Matcher, index: int, message: str, code: str = "E0301", help_: str = "") -> None:
    work.match.failed = True
    operand = work.operands[index]
    place = work.spans[index] if index < len(work.spans) else work.span
    labels = (Label(place, f"this is {operand.type}"),) if operand is not None else ()
    declared = work.ref.tree.inputs[index].span
    if not work.ref.standard:
        labels = (*labels, Label(declared, "declared here"))
    work.frame.report(code, message, work.span, labels=labels, help=help_)


def _pack(work: _Matcher, dim: syntax.StarDim, axes: tuple[Axis, ...], index: int, each: syntax.Input) -> None:
    name = dim.name or "..."
    bound = work.match.packs.get(name)
    if bound is None:
        work.match.packs[name] = axes
        work.env.scope.variables[name] = PackValue(name, axes)
        for i, axis in enumerate(axes):
            work.match.label(f"*{name}.{i}", axis.label, index)
        return
    if len(bound) != len(axes) or any((a.pack is None) != (b.pack is None) for a, b in zip(bound, axes, strict=True)):
        _refuse(
            work,
            index,
            f"`{_star(name)}` of `{work.ref.name}` is [{', '.join(map(str, bound))}] already, "
            f"`{each.name}` gives it [{', '.join(map(str, axes))}]",
        )
        return
    for i, (a, b) in enumerate(zip(bound, axes, strict=True)):
        work.match.label(f"*{name}.{i}", b.label, index)
        _equal(work, a.size, b.size, index, f"`{_star(name)}`")


def _star(name: str) -> str:
    return name if name == "..." else f"*{name}"


def _dim(work: _Matcher, dim: Any, axis: Axis, index: int) -> None:
    if isinstance(dim, Size):
        _equal(work, dim, axis.size, index, f"{dim}")
        return
    if isinstance(dim, syntax.Name) and dim.id not in work.env.scope.variables and _bindable(work, dim.id):
        work.env.scope.variables[dim.id] = axis.size
        work.match.label(dim.id, axis.label, index)
        declared = any(d.name == dim.id for d in work.ref.tree.statics)
        (work.match.values if declared else work.match.sizes)[dim.id] = axis.size
        return
    if isinstance(dim, syntax.Name):
        work.match.label(dim.id, axis.label, index)
    work.pending.append((dim, axis, index))


def _bindable(work: _Matcher, name: str) -> bool:
    """A size of the inputs, or a static without a value: one with a default keeps that."""
    decl = next((d for d in work.ref.tree.statics if d.name == name), None)
    if decl is not None:
        return decl.default is None
    return name not in work.ref.module.scope


def _defaults(work: _Matcher, declared: dict[str, syntax.StaticDecl]) -> None:
    """Give the statics that are open their defaults; solve what stands in input expressions before."""
    _solve_pending(work)
    for name, decl in declared.items():
        if name in work.match.values:
            continue
        if decl.default is None:
            work.match.failed = True
            open_ = [n for n, d in declared.items() if d.default is None and n not in work.match.values]
            text = f"{named_statics(open_)} of `{work.ref.name}` cannot be inferred"
            work.frame.report("E0402", text, work.span, **statics_help(work.ref, work.span, open_))
            return
        wanted = statics.kinds(decl, work.ref.tree)
        value = statics.static_value(work.env, name, wanted, decl.default)
        work.match.values[name] = work.env.scope.variables[name] = value
    _solve_pending(work)


def _solve_pending(work: _Matcher) -> None:
    """Input expressions with one unbound name bind it: `2*h` binds `h` to half the size."""
    for item in list(work.pending):
        dim, axis, index = item
        free = [
            n for n in dict.fromkeys(statics.names_in(dim)) if n not in work.env.scope.variables and _bindable(work, n)
        ]
        if len(free) != 1:
            continue
        name, unknown = free[0], Unknown(free[0], 1)
        work.env.scope.variables[name] = size(unknown)
        value = work.env.evaluate(dim)
        del work.env.scope.variables[name]
        if not isinstance(value, Size):
            continue
        zero = value.subs({unknown: size(0)})
        slope = value.subs({unknown: size(1)}) - zero
        if value is not slope * unknown_size(unknown) + zero or whole(slope) == 0:
            continue
        work.pending.remove(item)
        rest = axis.size - zero
        _require(
            work,
            divides(slope, rest),
            index,
            f"`{work.ref.tree.inputs[index].name}` of `{work.ref.name}` has an axis `{dim.span.text}`, "
            f"here is `{axis.size}`{_nearby(axis.size, slope, zero)}",
        )
        solved = rest // slope
        work.env.scope.variables[name] = solved
        statics_names = {d.name for d in work.ref.tree.statics}
        (work.match.values if name in statics_names else work.match.sizes)[name] = solved


def unknown_size(unknown: Unknown) -> Size:
    """The size of an unknown."""
    return size(unknown)


def _nearby(actual: Size, slope: Size, zero: Size) -> str:
    """Legal sizes beside a number that does not fit."""
    a, k, c = whole(actual), whole(slope), whole(zero)
    if a is None or k is None or c is None or (a - c) % k == 0:
        return ""
    low = (a - c) // k * k + c
    near = [n for n in (low, low + k) if n >= k + c]
    return f" ({' and '.join(map(str, near))} would fit)"


def _check_pending(work: _Matcher) -> None:
    for dim, axis, index in work.pending:
        value = work.env.evaluate(dim)
        if value is BROKEN:
            work.match.failed = True
        elif isinstance(value, UnknownStatic) or not isinstance(value, Size):
            work.match.failed = True
            work.frame.report("E0407", f"`{dim.span.text}` is not a size here", work.span)
        else:
            _equal(work, value, axis.size, index, f"`{dim.span.text}`")


def _equal(work: _Matcher, want: Size, got: Size, index: int, text: str) -> None:
    if want is got:
        return
    condition = eq(want, got)
    if work.frame.proof.facts.holds(condition):
        return
    name = work.ref.tree.inputs[index].name
    shown = f"{text}" if text.strip("`") == str(want) else f"{text} = {want}"
    _require(work, condition, index, f"`{name}` of `{work.ref.name}` has an axis {shown}, here is `{got}`")


def _require(work: _Matcher, condition: Any, index: int, message: str) -> None:
    operand = work.operands[index]
    place = work.spans[index] if index < len(work.spans) else work.span
    labels = (Label(place, f"this is {operand.type}"),) if operand is not None else ()
    constraint = Constraint(condition, message, work.span, (*labels, *introductions(work.frame, condition, work.span)))
    if not work.frame.require(constraint):
        work.match.failed = True
