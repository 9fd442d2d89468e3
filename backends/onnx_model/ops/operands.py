"""Small helpers of the lowerings: operands, numbers, axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.ops.context import Args, Context
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.sizes import Size, size

ONE = size(1)


def given(args: Args) -> list[str]:
    """The operands of an operation that has no optional ones."""
    assert all(arg is not None for arg in args)
    return [arg for arg in args if arg is not None]


def operand(args: Args, index: int = 0) -> str:
    """An operand that is always there."""
    found = args[index]
    assert found is not None, index
    return found


def optional(args: Args, index: int) -> str | None:
    """An operand that may be absent."""
    return args[index] if index < len(args) else None


def elem_of(ctx: Context, node: Node) -> str:
    """The element type of the operands."""
    return next(ctx.type(x).elem for x in node.inputs if isinstance(x, str))


def number(value: Size | int, node: Node, what: str) -> int:
    """A setting that ONNX wants as a number."""
    if isinstance(value, int):
        return value
    if not value.is_number:
        raise OnnxError(f"`{node.op}` with {what} `{value}`: ONNX takes a number; give the size with `sizes`")
    return value.number


def setting(node: Node, name: str) -> float:
    """A setting that ONNX wants as a float."""
    found = value_of(node.attr(name))
    if found is None:
        raise OnnxError(
            f"`{node.op}` with {name} that depends on sizes: ONNX takes a number; give the size with `sizes`"
        )
    return float(found)


def numbers(values: Sequence[Size | int], node: Node, what: str) -> list[int]:
    """Settings for each axis."""
    return [number(value, node, what) for value in values]


def known(sizes: Sequence[Size]) -> bool:
    """Whether all of them are numbers."""
    return all(item.is_number for item in sizes)


def in_attributes(ctx: Context, elem: str, *values: float) -> bool:
    """Whether attributes of a node hold these numbers of a type: they are of float32, which only float64 exceeds."""
    return ctx.elem(elem) != "f64" or all(float(np.float32(value)) == value for value in values)


def widened(ctx: Context, x: str, elem: str) -> tuple[str, str]:
    """A tensor of halves in float32, and its element type there; others as they are."""
    if ctx.elem(elem) not in ("f16", "bf16"):
        return x, elem
    return ctx.node("Cast", x, to=ONNX["f32"]), "f32"


def narrowed(ctx: Context, x: str, elem: str) -> str:
    """The result in the element type that it is to have, where that is one of halves."""
    found = ctx.elem(elem)
    return ctx.node("Cast", x, to=ONNX[found]) if found in ("f16", "bf16") else x


def moved_last(ctx: Context, x: str, type: TensorType, axes: Sequence[int]) -> tuple[str, list[int] | None]:
    """The tensor with these axes last, and the permutation back; no permutation where they are last already."""
    rank = len(type.axes)
    order = [axis for axis in range(rank) if axis not in axes] + list(axes)
    if order == list(range(rank)):
        return x, None
    return ctx.node("Transpose", x, perm=order), [order.index(axis) for axis in range(rank)]


def padded(
    ctx: Context, x: str, rank: int, sides: Mapping[int, tuple[Size | int, Size | int]], mode: str, value: str = ""
) -> str:
    """`Pad` before and behind axes. All axes are told, and by number.

    ONNX Runtime (1.31) moves a `Transpose` wrongly past a `Pad` of some axes. One without a list of axes it takes into
    the pool behind it, which pads by -∞ and not by 0, or leaves out of its means what it pads.
    """
    before = [sides.get(axis, (0, 0))[0] for axis in range(rank)]
    after = [sides.get(axis, (0, 0))[1] for axis in range(rank)]
    return ctx.node("Pad", x, ctx.shape([*before, *after]), value, ctx.array(list(range(rank))), mode=mode)


def filled_up(ctx: Context, x: str, batch: Sequence[Size]) -> str:
    """The matrices with all these batch axes, where one may be empty: runtimes broadcast no other to none."""
    one = size(1)
    return ctx.node("Expand", x, ctx.shape([*batch, one, one])) if any(map(may_be_empty, batch)) else x


def matrices(ctx: Context, a: str, b: str, ranks: tuple[int, int], inner: Size) -> str:
    """`MatMul` of [.., m, k] and [.., k, n], of these ranks. Where k may be 0, both get one more entry, which is 0.

    ONNX Runtime (1.31) leaves the sums of nothing as they lie in memory, and broadcasts no batch axes to them.
    """
    if may_be_empty(inner):
        a = padded(ctx, a, ranks[0], {ranks[0] - 1: (0, 1)}, "constant")
        b = padded(ctx, b, ranks[1], {ranks[1] - 2: (0, 1)}, "constant")
    return ctx.node("MatMul", a, b)


def multiplied(ctx: Context, a: str, b: str, ranks: tuple[int, int], inner: Size, batch: Sequence[Size] = ()) -> str:
    """`matrices`, and vectors as of one row or column: ONNX Runtime (1.31) fuses a `Transpose` beside a vector wrongly.

    `inner` is the size that is summed over, `batch` are the batch axes of the result.
    """
    row, column = ranks[0] == 1, ranks[1] == 1
    left, right = unsqueezed(ctx, a, [0]) if row else a, unsqueezed(ctx, b, [1]) if column else b
    left, right = filled_up(ctx, left, batch), filled_up(ctx, right, batch)
    spread = len(batch) + 2 if any(map(may_be_empty, batch)) else 2
    y = matrices(ctx, left, right, (max(ranks[0], spread), max(ranks[1], spread)), inner)
    return squeezed(ctx, y, [*([-2] if row else []), *([-1] if column else [])])


def permuted(ctx: Context, x: str, order: Sequence[int] | None) -> str:
    """The tensor with its axes in another order; None leaves them."""
    if order is None or list(order) == sorted(order):
        return x
    return ctx.node("Transpose", x, perm=list(order))


def unsqueezed(ctx: Context, x: str, axes: Sequence[int]) -> str:
    """New axes of size 1 at these places of the result."""
    return ctx.node("Unsqueeze", x, ctx.array(list(axes))) if axes else x


def squeezed(ctx: Context, x: str, axes: Sequence[int]) -> str:
    """Without these axes of size 1."""
    return ctx.node("Squeeze", x, ctx.array(list(axes))) if axes else x
