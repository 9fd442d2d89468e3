"""Weights that are supplied at a call: `f(x, weight = e)`, `f(x, weights = theta)`; how many there are: `count[F]`; how
they would start: `initial[F]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ogive.compiler.elaborate.rules.checker import RuleChecker, operation
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.values import BROKEN, Given, InstanceValue, kind_of
from ogive.compiler.ir.attributes import InitialAttrs
from ogive.compiler.ir.model import Definition, Init, Scalar, Weight
from ogive.compiler.ir.model import Instance as InstanceMember
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import state_order, weight_types
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.sizes import Size, Unknown, size
from ogive.grammar import syntax
from ogive.grammar.source import Span

if TYPE_CHECKING:
    from ogive.compiler.elaborate.state.specialization import Use


def resolve(
    frame: Frame, instance: InstanceValue, use: Use, given: Sequence[Given], span: Span
) -> dict[str, Tensor] | None:
    """The supplied weights by path below the instance; None where one does not fit."""
    found: dict[str, Tensor] = {}
    for name, value, item in given:
        if value is BROKEN:
            return None
        if not isinstance(value, Tensor):
            raise frame.fail("E0407", f"`{name}` is supplied by a tensor, this is {kind_of(value)}", item.value.span)
        if name == "weights":
            found.update(_flat(frame, instance, use, value, item))
            continue
        kind = dict(all_weights(use.definition, dict(use.bindings))).get(name)
        if kind is None:
            known = ", ".join(f"`{w.path}`" for w in use.definition.weights) or "none"
            raise frame.fail(
                "E0403",
                f"`{instance.block.name}` has no input or weight `{name}`",
                item.name_span,
                help=f"its weights: {known}",
            )
        if not _fits(frame, kind, value, f"the weight `{name}` of `{instance.block.name}`", item.value.span):
            return None
        found[name] = value
    del span
    return found


def _fits(frame: Frame, kind: TensorType, value: Tensor, what: str, span: Span) -> bool:
    if kind.elem != value.type.elem:
        raise frame.fail("E0501", f"{what} is {kind.elem}, this is {value.type.elem}", span)
    if len(kind.axes) != len(value.type.axes) or any(a.pack for a in value.type.axes):
        raise frame.fail("E0301", f"{what} is {kind}, this is {value.type}", span)
    checker = RuleChecker(frame, "", span)
    for a, b in zip(kind.axes, value.type.axes, strict=True):
        checker.equal(a.size, b.size, f"{what} is {kind}, this is {value.type}")
    return not checker.failed


def all_weights(definition: Definition, mapping: Mapping[Unknown, Size]) -> list[tuple[str, TensorType]]:
    """Every learned weight at or below a definition, in the order of its state dict, in the user's sizes."""
    found = dict(weight_types(definition, mapping, ("param",)))
    return [(path, found[path]) for path in state_order((path, "param") for path in found)]


def elements(definition: Definition, mapping: Mapping[Unknown, Size]) -> Size:
    """How many learned numbers a definition holds."""
    total = size(0)
    for _, kind in all_weights(definition, mapping):
        total = total + _product(kind.axes)
    return total


def initial_values(frame: Frame, use: Use, span: Span) -> Any:
    """The first values of every learned weight of a block on one flat axis, in the order of `weights = theta`."""
    parts = []
    found = {path: (kind, init) for path, kind, init in _inits(use.definition, dict(use.bindings))}
    for path in state_order((path, "param") for path in found):
        kind, init = found[path]
        if init.graph is not None or "*" in path:
            reason = "is an expression" if init.graph is not None else "stands in a loop"
            raise frame.fail("E0702", f"`initial`: how `{path}` starts {reason}: this is not built yet", span)
        drawn = frame.builder.node(InitialAttrs(init.name, init.attrs, alone=True), (), (kind,), span=span)[0]
        parts.append(_flattened(frame, drawn, kind, span))
    if len(parts) == 1:
        return parts[0]
    return operation(frame, "concat", tuple(parts), span, statics={"axis": 0}, what="")


def _flattened(frame: Frame, tensor: Tensor, kind: TensorType, span: Span) -> Any:
    names = [f"i{i}" for i in range(len(kind.axes))]
    if len(names) == 1:
        return tensor
    pattern = Pattern(f"{' '.join(names)} -> ({' '.join(names)})", {})
    return operation(frame, "rearrange", (tensor,), span, statics={"pattern": pattern}, what="")


def _inits(definition: Definition, mapping: Mapping[Unknown, Size]) -> Iterator[tuple[str, TensorType, Init]]:
    """The learned weights at or below a definition, and how they start: what stands further out wins."""
    for member in definition.members:
        if isinstance(member, Weight) and member.kind == "param":
            axes = tuple(Axis(axis.size.subs(mapping)) for axis in member.type.axes)
            yield member.path, TensorType(member.type.elem, axes), _at(member.init, mapping)
        elif isinstance(member, InstanceMember):
            inner = {unknown: value.subs(mapping) for unknown, value in member.bindings}
            given = {path: _at(init, mapping) for path, init in member.inits}
            for path, kind, init in _inits(member.definition, inner):
                yield f"{member.path}.{path}", kind, given.get(path, init)


def _at(init: Init, mapping: Mapping[Unknown, Size]) -> Init:
    return Init(init.name, tuple((key, _number_at(value, mapping)) for key, value in init.attrs), init.graph)


def _number_at(value: Any, mapping: Mapping[Unknown, Size]) -> Any:
    match value:
        case Scalar(fn=fn, args=args):
            return Scalar(fn, tuple(_number_at(arg, mapping) for arg in args))
        case Size():
            return value.subs(mapping)
        case _:
            return value


def _flat(frame: Frame, instance: InstanceValue, use: Use, theta: Tensor, item: syntax.Keyword) -> dict[str, Tensor]:
    """All weights from one flat axis, in the order of the state dict."""
    span = item.value.span
    if len(theta.type.axes) != 1:
        raise frame.fail(
            "E0301",
            f"`weights` is one flat axis of size count[{instance.block.name}], this is {theta.type}",
            span,
            help="`over[b, F](x, weights=theta)` takes one set for each example",
        )
    if not theta.type.floating:
        raise frame.fail("E0501", f"`weights` are float, this is {theta.type.elem}", span)
    known = all_weights(use.definition, dict(use.bindings))
    total = elements(use.definition, dict(use.bindings))
    text = f"`{instance.block.name}` holds {total} numbers, `weights` has {theta.type.axes[0].size}"
    RuleChecker(frame, "", span).equal(total, theta.type.axes[0].size, text)
    found: dict[str, Tensor] = {}
    _parts(frame, theta, known, 0, found, span)
    return found


def _parts(
    frame: Frame,
    flat: Any,
    known: Sequence[tuple[str, TensorType]],
    depth: int,
    found: dict[str, Tensor],
    span: Span,
) -> None:
    """Cut the last axis of `flat`, whose first axes are the iterations of so many loops, into weights."""
    start = size(0)
    for loop, group in groupby(known, key=lambda entry: _loop(entry[0], depth)):
        weights = list(group)
        if loop is None:
            for path, kind in weights:
                stop = start + _product(kind.axes[depth:])
                found[path] = _split(frame, _cut(frame, flat, start, stop, span), depth, kind.axes[depth:], span)
                start = stop
            continue
        count, each = weights[0][1].axes[depth], size(0)
        if count.size == size(0):
            continue
        for _, kind in weights:
            each = each + _product(kind.axes[depth + 1 :])
        stop = start + count.size * each
        part = _split(frame, _cut(frame, flat, start, stop, span), depth, (count, Axis(each)), span)
        _parts(frame, part, weights, depth + 1, found, span)
        start = stop


def _loop(path: str, depth: int) -> str | None:
    """The loop at that depth around the weight at a path."""
    parts = path.split("*", depth + 1)
    return "*".join(parts[: depth + 1]) if len(parts) > depth + 1 else None


def _cut(frame: Frame, flat: Any, start: Size, stop: Size, span: Span) -> Any:
    if flat is BROKEN:
        return flat
    items = ("...", ("slice", start, stop, None))
    return operation(frame, "slice", (flat,), span, statics={"items": items}, what="")


def _product(axes: Sequence[Axis]) -> Size:
    number = size(1)
    for axis in axes:
        number = number * axis.size
    return number


def _split(frame: Frame, flat: Any, depth: int, axes: Sequence[Axis], span: Span) -> Any:
    """The last axis taken apart."""
    if flat is BROKEN or len(axes) == 1:
        return flat
    if not axes:
        items = ("...", ("index", size(0)))
        return operation(frame, "slice", (flat,), span, statics={"items": items}, what="")
    outer = "".join(f"t{i} " for i in range(depth))
    names = [f"i{i}" for i in range(len(axes))]
    sizes = {name: axis.size for name, axis in zip(names, axes, strict=True)}
    text = f"{outer}({' '.join(names)}) -> {outer}{' '.join(names)}"
    return operation(frame, "rearrange", (flat,), span, statics={"pattern": Pattern(text, sizes)}, what="")
