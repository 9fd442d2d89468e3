"""Batching rules of normalizations: weights with the axis scale and shift after the norm."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir.model import Attrs, Node, Operand
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.recipe import Side
from ogive.compiler.passes.vectorize.values import Values, lacking, places


def over_axes(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Layer norm and RMS norm: their axes move up by one."""
    x, *affine = inputs
    axes = node.attr("axes")
    attrs = tuple((k, tuple(a + 1 for a in axes) if k == "axes" else v) for k, v in node.attrs)
    if not any(map(values.has, affine)):
        values.results(node, (values.full(x), *affine), attrs)
        return
    norm = _bare(values, node, x, attrs)
    affine_after(values, node, norm, affine, axes)


def _bare(values: Values, node: Node, x: Operand, attrs: Attrs) -> str:
    """The norm without weight and bias."""
    mapped, type = values.has(x), node.outputs[0].type
    attrs = attrs if mapped else node.attrs
    absent = (None,) * (len(node.inputs) - 1)
    return values.make(node.op, (x, *absent), values.over(type) if mapped else type, mapped=mapped, attrs=attrs)


def affine_after(values: Values, node: Node, norm: str, affine: Sequence[Operand], axes: Sequence[int]) -> None:
    """Norm · weight + bias, which lie along these axes of the result at one index."""
    type = node.outputs[0].type
    for op, operand in zip(("mul", "add"), affine, strict=False):
        if isinstance(operand, str):
            operand = _along(values, operand, axes, type)
            mapped = values.has(norm) or values.has(operand)
            norm = values.make(op, (norm, operand), values.over(type) if mapped else type, mapped=mapped)
    values.bind(node.outputs[0], values.full(norm))


def _along(values: Values, operand: str, axes: Sequence[int], type: TensorType) -> str:
    """A weight with axes of size 1 for those of the result that it lacks; not before its first, without the axis."""
    own = places(values.base(operand))
    wanted: Side = tuple(own[axes.index(i)] if i in axes else lacking(axis) for i, axis in enumerate(type.axes))
    if values.has(operand):
        return values.opened(operand, (values.place, *own), (values.place, *wanted))
    return values.moved(operand, own, wanted[min(axes, default=0) :], mapped=False)


def group_norm(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Group norm is by example: the axis is merged into the batch."""
    x, *affine = inputs
    type = node.outputs[0].type
    own = any(map(values.has, affine))
    if not values.has(x):
        affine_after(values, node, _bare(values, node, x, node.attrs), affine, (1,))
        return
    y = values.folded(str(x))
    given = (y, *(None for _ in affine)) if own else (y, *affine)
    y = values.make(node.op, given, values.types[y], mapped=False, attrs=node.attrs)
    y = values.unfolded(y, type)
    if own:
        affine_after(values, node, y, affine, (1,))
    else:
        values.bind(node.outputs[0], y)


def batch_norm(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """With statistics of every index for itself the axis is merged into the channels, else into the batch."""
    x, *rest = inputs
    at = 1 if any(map(values.has, rest)) else 0
    folded = values.folded(values.full(x), at)
    given = [None if r is None else values.folded(values.full(r)) for r in rest] if at else rest
    y = values.make(node.op, (folded, *given), values.types[folded], mapped=False, attrs=node.attrs)
    values.bind(node.outputs[0], values.unfolded(y, node.outputs[0].type, at))


def batch_norm_train(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Every index has statistics of its own: the axis is merged into the channels."""
    x, *affine = inputs
    folded = values.folded(values.full(x), 1)
    given = [None if w is None else values.folded(values.full(w)) for w in affine]
    channels = values.types[folded].with_axes(values.types[folded].axes[1])
    made = tuple(
        values.fresh.value(t, v.hint)
        for v, t in zip(node.outputs, (values.types[folded], channels, channels), strict=True)
    )
    values.add(Node(node.op, (folded, *given), made, node.attrs, span=node.span), False)
    for value, result, at in zip(node.outputs, made, (1, 0, 0), strict=True):
        values.bind(value, values.unfolded(result.name, value.type, at))
