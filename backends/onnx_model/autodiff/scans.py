"""Derivatives of products so far and of linear recurrences: a recurrence from the other end, without a division."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ogive.backends.onnx_model.autodiff.steps import Flow, Rule, Steps, fitted
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.ops.operands import operand, optional
from ogive.compiler.ir.model import Const
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size, size

ALL = ("all",)


def cumprod(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """What stands before an entry, times Σ of what flows back to all from it on, by the factors between them."""
    axis = noted.node.attr("axis")
    between = _moved_on(s, operand(noted.args), axis, back=True, filling=0.0)
    return [s.mul(_moved_on(s, noted.results[0], axis, filling=1.0), _from_the_end(s, between, g, axis))]


def prod(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """The product of all other entries."""
    x, axes = operand(noted.args), sorted(noted.node.attr("axes")) or list(range(len(s.type(operand(noted.args)).axes)))
    flow = s.opened(g, axes)
    for at in axes:
        before = _moved_on(s, s.map("cumprod", x, axis=at), at, filling=1.0)
        turned = s.map("cumprod", s.map("flip", x, axis=at), axis=at)
        behind = s.map("flip", _moved_on(s, turned, at, filling=1.0), axis=at)
        flow = s.mul(flow, s.mul(before, behind))
        kept = tuple(axis for place, axis in enumerate(s.type(x).axes) if place != at)
        x = s.opened(s.apply("prod", (x,), s.type(x).with_axes(*kept), axes=(at,)), [at])
    return [flow]


def linear_scan(s: Steps, noted: Noted, g: str) -> Sequence[Flow]:
    """To b what flows back, and what comes from the next step by its factor; to a that by the state before."""
    a, axis = operand(noted.args), noted.node.attr("axis")
    whole = s.type(noted.results[0])
    a = _spread(s, a, whole)
    flow = _from_the_end(s, _moved_on(s, a, axis, back=True, filling=0.0), g, axis)
    start = optional(noted.args, 2)
    before = _moved_on(s, noted.results[0], axis, filling=0.0)
    if start is None:
        return fitted(s, noted, [s.mul(flow, before), flow, *([None] * (len(noted.args) - 2))])
    first = s.apply("arange", (), TensorType("int", (whole.axes[axis],)), n=whole.axes[axis].size)
    places = s.opened(first, [1 + at for at in range(len(whole.axes) - axis - 1)])
    begins = s.asked("eq", places, Const(0))
    kept = whole.with_axes(*(each for at, each in enumerate(whole.axes) if at != axis))
    begun = s.opened(_spread(s, start, kept), [axis])
    state = s.apply("select", (begins, begun, before), whole)
    items = tuple(("index", size(0)) if at == axis else ALL for at in range(len(whole.axes)))
    to_start = s.apply("slice", (s.mul(flow, a),), kept, items=items)
    return fitted(s, noted, [s.mul(flow, state), flow, to_start])


def _spread(s: Steps, x: str, type: TensorType) -> str:
    """Repeated along the axes that it lacks."""
    if s.type(x).sizes == type.sizes:
        return x
    return s.both("add", x, s.apply("full", (), type, type=type.elem, sizes=type.axes, v=0.0))


def _from_the_end(s: Steps, a: str, g: str, axis: int) -> str:
    """λ[t] = a[t] λ[t+1] + g[t], from the last entry to the first."""
    given = [s.map("flip", each, axis=axis) for each in (a, g)]
    return s.map("flip", s.apply("linear_scan", given, s.type(g), axis=axis), axis=axis)


def _moved_on(s: Steps, x: str, axis: int, *, back: bool = False, filling: float) -> str:
    """Each entry in the place of the next one, or of the one before; at the end that is free, a number."""
    type = s.type(x)
    length, one = type.axes[axis].size, size(1)
    sides: tuple[Size, Size] = (size(0), one) if back else (one, size(0))
    longer = type.with_axes(*(Axis(length + 1) if at == axis else each for at, each in enumerate(type.axes)))
    attrs = {"axis": axis, "before": sides[0], "after": sides[1], "mode": "constant", "value": filling}
    cut = ("slice", sides[1], sides[1] + length, one)
    items = tuple(cut if at == axis else ALL for at in range(len(type.axes)))
    return s.apply("slice", (s.apply("pad", (x,), longer, **attrs),), type, items=items)


RULES: Mapping[str, Rule] = MappingProxyType({"cumprod": cumprod, "prod": prod, "linear_scan": linear_scan})
