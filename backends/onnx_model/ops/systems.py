"""Systems of linear equations and factorizations, of which ONNX has none: one column or row a step of a `Scan`.

Rows and columns are taken by products with unit vectors, so that any batch axes run along. Halves are computed in
float32. Golub and Van Loan, "Matrix computations", 3.1, 3.2, 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import narrowed, operand, squeezed, unsqueezed, widened
from ogive.backends.onnx_model.ops.values import counted
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size, size

# (the states, the number of the step, its unit vector) -> the next states
Step = Callable[[Sequence[str], str, str], Sequence[str]]


def solve(ctx: Context, node: Node, args: Args) -> str:
    """Gauss and Jordan with partial pivoting: every step makes one column of a that of the identity."""
    a, type, elem = _wide(ctx, node, operand(args), 0)
    b, right, _ = _wide(ctx, node, operand(args, 1), 1)
    out = node.outputs[0].type.with_elem(elem)
    if node.attr("vector"):
        b, right, out = unsqueezed(ctx, b, [len(right.axes)]), _column(right), _column(out)
    x = _eliminated(ctx, a, type, ctx.node("Expand", b, ctx.shape(out.sizes)), out)
    return _narrow(ctx, node, squeezed(ctx, x, [len(out.axes) - 1]) if node.attr("vector") else x)


def inverse(ctx: Context, node: Node, args: Args) -> str:
    """The solution for the columns of the identity."""
    a, type, _ = _wide(ctx, node, operand(args), 0)
    span = counted(ctx, type.sizes[-1])
    same = ctx.node("Equal", unsqueezed(ctx, span, [1]), unsqueezed(ctx, span, [0]))
    one = ctx.node("Cast", same, to=ONNX[ctx.elem(type.elem)])
    return _narrow(ctx, node, _eliminated(ctx, a, type, ctx.node("Expand", one, ctx.shape(type.sizes)), type))


def solve_triangular(ctx: Context, node: Node, args: Args) -> str:
    """Row by row: x_i = (b_i - Σ_k a_ik x_k) / a_ii, where the rows that are not known yet are 0."""
    a, type, elem = _wide(ctx, node, operand(args), 0)
    b, _, _ = _wide(ctx, node, operand(args, 1), 1)
    out, span = node.outputs[0].type.with_elem(elem), counted(ctx, type.sizes[-1])

    def step(states: Sequence[str], at: str, unit: str) -> Sequence[str]:
        row, column = unsqueezed(ctx, unit, [0]), unsqueezed(ctx, unit, [1])
        mine = ctx.node("MatMul", row, a)
        rest = ctx.node("Sub", ctx.node("MatMul", row, b), ctx.node("MatMul", mine, states[0]))
        if not node.attr("unitriangular"):
            rest = ctx.node("Div", rest, ctx.node("MatMul", mine, column))
        here = unsqueezed(ctx, ctx.node("Equal", span, at), [1])
        return [ctx.node("Where", here, rest, states[0])]

    zeros = ctx.node("Expand", ctx.number(0.0, elem), ctx.shape(out.sizes))
    (x,) = _steps(ctx, type.sizes[-1], elem, [(zeros, out)], step, bool(node.attr("upper")))
    return _narrow(ctx, node, x)


def cholesky(ctx: Context, node: Node, args: Args) -> str:
    """Column by column: l_j = a_j / √a_jj from the diagonal down, and a loses l_j l_jᵀ."""
    a, type, elem = _wide(ctx, node, operand(args), 0)
    span, zero = counted(ctx, type.sizes[-1]), ctx.number(0.0, elem)

    def step(states: Sequence[str], at: str, unit: str) -> Sequence[str]:
        rest, found = states
        row, column = unsqueezed(ctx, unit, [0]), unsqueezed(ctx, unit, [1])
        whole = ctx.node("MatMul", rest, column)
        root = ctx.node("Sqrt", ctx.node("MatMul", row, whole))
        below = unsqueezed(ctx, ctx.node("GreaterOrEqual", span, at), [1])
        mine = ctx.node("Where", below, ctx.node("Div", whole, root), zero)
        rest = ctx.node("Sub", rest, ctx.node("MatMul", mine, _turned(ctx, mine, len(type.axes))))
        return [rest, ctx.node("Add", found, ctx.node("MatMul", mine, row))]

    zeros = ctx.node("Expand", zero, ctx.shape(type.sizes))
    return _narrow(ctx, node, _steps(ctx, type.sizes[-1], elem, [(a, type), (zeros, type)], step)[1])


def _eliminated(ctx: Context, a: str, type: TensorType, b: str, out: TensorType) -> str:
    """The x with a x = b, of all columns of b."""
    length, elem, last = type.sizes[-1], type.elem, len(type.axes) - 1
    span = counted(ctx, length)

    def step(states: Sequence[str], at: str, unit: str) -> Sequence[str]:
        row, column = unsqueezed(ctx, unit, [0]), unsqueezed(ctx, unit, [1])
        # the largest entry on or below the diagonal, and its row in the place of this one
        size_ = squeezed(ctx, ctx.node("Abs", ctx.node("MatMul", states[0], column)), [last])
        open_ = ctx.node("Where", ctx.node("GreaterOrEqual", span, at), size_, ctx.number(-1.0, elem))
        place = ctx.node("ArgMax", open_, axis=last - 1, keepdims=1)
        chosen, here = ctx.node("Equal", place, span), unsqueezed(ctx, ctx.node("Equal", span, at), [1])
        pivot = unsqueezed(ctx, ctx.node("Cast", chosen, to=ONNX[ctx.elem(elem)]), [last - 1])
        there = unsqueezed(ctx, chosen, [last])
        swapped = [ctx.node("Where", there, ctx.node("MatMul", row, x), x) for x in states]
        # the row divided by the pivot, and taken from all others as often as they hold it
        rows = [ctx.node("MatMul", pivot, x) for x in states]
        top = ctx.node("MatMul", rows[0], column)
        units = [ctx.node("Div", each, top) for each in rows]
        share = ctx.node("MatMul", swapped[0], column)
        return [
            ctx.node("Where", here, each, ctx.node("Sub", x, ctx.node("MatMul", share, each)))
            for x, each in zip(swapped, units, strict=True)
        ]

    return _steps(ctx, length, elem, [(a, type), (b, out)], step)[1]


def _steps(
    ctx: Context,
    length: Size,
    elem: str,
    states: Sequence[tuple[str, TensorType]],
    step: Step,
    reverse: bool = False,
) -> tuple[str, ...]:
    """The states after a step for each of 0, 1, ..., length - 1, or from the last to the first."""
    span = counted(ctx, length)
    order = ctx.node("Sub", ctx.number(length - 1, "int"), span) if reverse else span

    def body(names: Sequence[str]) -> list[tuple[str, TensorType]]:
        *current, at = names
        unit = ctx.node("Cast", ctx.node("Equal", span, at), to=ONNX[ctx.elem(elem)])
        return list(zip(step(current, at, unit), [type for _, type in states], strict=True))

    inner = [*(("state", type) for _, type in states), ("turn", TensorType("int", ()))]
    return ctx.scan([name for name, _ in states], [order], inner, body, [0], [], False)


def _wide(ctx: Context, node: Node, x: str, at: int) -> tuple[str, TensorType, str]:
    """An operand in at least float32, its type there, and the element type."""
    type = ctx.type(node.inputs[at])
    found, elem = widened(ctx, x, type.elem)
    return found, type.with_elem(elem), elem


def _narrow(ctx: Context, node: Node, x: str) -> str:
    """The result in the element type that it is to have."""
    return narrowed(ctx, x, node.outputs[0].type.elem)


def _column(type: TensorType) -> TensorType:
    return type.with_axes(*type.axes, Axis(size(1)))


def _turned(ctx: Context, x: str, rank: int) -> str:
    return ctx.node("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])


LOWER: dict[str, Lowering] = {
    "solve": solve,
    "solve_triangular": solve_triangular,
    "cholesky": cholesky,
    "inverse": inverse,
}
