"""Batching rules of convolutions, pools and attention: the axis goes into the batch, or into groups of channels."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir.model import Node, Operand
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.passes.vectorize.norms import affine_after
from ogive.compiler.passes.vectorize.values import UNIT, Values, one, places
from ogive.compiler.sizes import size


def unfolding(
    values: Values, node: Node, inputs: Sequence[Operand], attrs: dict[str, object] | None = None, at: int = 0
) -> None:
    """The node on operands in which the axis is merged into axis `at` of its result, taken apart again."""
    values.bind(node.outputs[0], unfolded(values, node, inputs, attrs, at))


def unfolded(
    values: Values, node: Node, inputs: Sequence[Operand], attrs: dict[str, object] | None = None, at: int = 0
) -> str:
    """The result of `unfolding`."""
    (value,) = node.outputs
    axes = list(value.type.axes)
    axes[at] = Axis(values.axis.size * axes[at].size)
    changed = tuple((k, (attrs or {}).get(k, v)) for k, v in node.attrs)
    y = values.make(node.op, inputs, value.type.with_axes(*axes), mapped=False, attrs=changed)
    return values.unfolded(y, value.type, at)


def conv(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """`n b c h w -> (n b) c h w`; with a weight of every index for itself, as many times the groups: `b (n c) h w`."""
    x, w, b = inputs
    if not values.has(w):
        _batched(values, node, x, w, b)
        return
    groups = node.attr("groups")
    bias = None if b is None else values.folded(values.full(b))
    if not values.has(x) and groups == size(1):  # one input: as many times the channels of the result
        unfolding(values, node, (x, values.folded(str(w)), bias), at=1)
        return
    folded = values.folded(values.full(x), 1)
    unfolding(values, node, (folded, values.folded(str(w)), bias), {"groups": groups * values.axis.size}, at=1)


def conv_transpose(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """As a convolution; the weight has the channels of its input first."""
    x, w, b = inputs
    if not values.has(w):
        _batched(values, node, x, w, b)
        return
    bias = None if b is None else values.folded(values.full(b))
    groups = node.attr("groups") * values.axis.size
    unfolding(values, node, (values.folded(values.full(x), 1), values.folded(str(w)), bias), {"groups": groups}, at=1)


def _batched(values: Values, node: Node, x: Operand, w: Operand, b: Operand) -> None:
    """The weight is the same at every index; the bias may be another."""
    own = values.has(b)
    given = (w, None if own else b)
    if values.has(x):
        y = unfolded(values, node, (values.folded(str(x)), *given))
    else:
        y = values.make(node.op, (x, *given), node.outputs[0].type, mapped=False, attrs=node.attrs)
    if own:
        affine_after(values, node, y, (None, b), (1,))
    else:
        values.bind(node.outputs[0], y)


def attention(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Four axes are what kernels take: the axis is the batch, or merged into it, and heads follow."""
    *qkv, mask = inputs
    rank = max(len(values.base(x).axes) for x in qkv)
    type = node.outputs[0].type
    given = [str(values.padded(values.full(x), type.axes)) for x in qkv]
    masked = mask if mask is None or not values.has(mask) else values.padded(mask, type.axes)
    if rank == 3:
        values.results(node, (*given, masked))
    elif rank == 2:
        heads = [_headed(values, x) for x in given]
        masked = _headed(values, str(masked)) if values.has(masked) else masked
        wide = values.over(type.with_axes(Axis(size(1)), *type.axes))
        y = values.make(node.op, (*heads, masked), wide, attrs=node.attrs)
        axes = places(type)
        y = values.moved(y, (values.place, UNIT, *axes), (values.place, *axes))
        values.bind(node.outputs[0], y)
    else:
        _merged_batch(values, node, given, masked, type)


def _headed(values: Values, x: str) -> str:
    """One head: `n t e -> n 1 t e`."""
    axes = places(values.base(x))
    return values.moved(x, (values.place, *axes), (values.place, UNIT, *axes))


def _merged_batch(values: Values, node: Node, given: list[str], mask: Operand, type: TensorType) -> None:
    """`n b h t e -> (n b) h t e`; operands that broadcast along the batch repeat along it."""
    batch, rank = type.axes[0], len(type.axes)
    folded: list[Operand] = [values.folded(values.stretched(x, 1, batch)) for x in given]
    if isinstance(mask, str):
        first = values.base(mask).axes[0] if len(values.base(mask).axes) == rank else None
        if values.has(mask) or (first is not None and not one(first)):
            mask = values.folded(values.stretched(values.full(mask), 1, batch))
    values.bind(node.outputs[0], unfolded(values, node, (*folded, mask)))
