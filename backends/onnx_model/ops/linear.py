"""Contractions in ONNX: `Gemm` and `MatMul`, `Mul` where nothing is summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import (
    filled_up,
    given,
    matrices,
    multiplied,
    operand,
    optional,
    squeezed,
    unsqueezed,
)
from ogive.backends.onnx_model.ops.permute_reshape import Group, Layout, arranged, atoms_of, layout, single, sizes_of
from ogive.backends.onnx_model.ops.reduce import by_recipe, reduced
from ogive.compiler.ir.model import Node
from ogive.compiler.ops.empty import may_be_empty
from ogive.compiler.ops.recipe import Atom, AxisPattern, product
from ogive.compiler.sizes import Size, size


def matmul(ctx: Context, node: Node, args: Args) -> str:
    """`MatMul`."""
    left, right = (len(ctx.type(x).axes) for x in node.inputs)
    out = node.outputs[0].type.sizes
    batch = out[: len(out) - (left > 1) - (right > 1)]
    inner = ctx.type(node.inputs[0]).sizes[-1]
    return multiplied(ctx, operand(args), operand(args, 1), (left, right), inner, batch)


def linear(ctx: Context, node: Node, args: Args) -> str:
    """`Gemm` of matrices; with more axes `MatMul` and `Add`, the weight turned around where it is stored."""
    x, weight, bias = operand(args), operand(args, 1), optional(args, 2)
    type = ctx.type(node.inputs[0])
    rank, inner = len(type.axes), type.sizes[-1]
    if rank == 2 and not may_be_empty(inner):
        return ctx.node("Gemm", x, weight, *([] if bias is None else [bias]), transB=1)
    y = multiplied(ctx, x, ctx.node("Transpose", weight, perm=[1, 0]), (rank, 2), inner)
    return y if bias is None else ctx.node("Add", y, bias)


def einsum(ctx: Context, node: Node, args: Args) -> str:
    """The product of the operands, summed over every axis that the result lacks."""
    recipe: AxisPattern = node.attr("recipe")
    return contracted(ctx, given(args), recipe, ctx.type(node.inputs[0]).elem)


def contracted(ctx: Context, xs: Sequence[str], recipe: AxisPattern, elem: str) -> str:
    """As `einsum`, of tensors at hand."""
    layouts, want = [layout(side) for side in recipe.inputs], layout(recipe.outputs[0])
    if len(layouts) == 1:
        return by_recipe(ctx, xs[0], "sum", recipe, elem)
    if len(layouts) == 2:
        return _product(ctx, [(x, _plain(groups)) for x, groups in zip(xs, layouts, strict=True)], _plain(want), elem)
    return _one_by_one(ctx, xs, [_plain(groups) for groups in layouts], _plain(want), elem)


def _one_by_one(ctx: Context, xs: Sequence[str], layouts: Sequence[Layout], want: Layout, elem: str) -> str:
    """Several operands, two at a time from the left; what is needed later stays."""
    x, have = xs[0], layouts[0]
    for at in range(1, len(xs)):
        needed = {*_names(want), *(name for groups in layouts[at + 1 :] for name in _names(groups))}
        atoms = {atom.name: atom for groups in (have, layouts[at]) for atom in atoms_of(groups)}
        last = at == len(xs) - 1
        middle = want if last else single([atom for name, atom in atoms.items() if name in needed])
        x, have = _product(ctx, [(x, have), (xs[at], layouts[at])], middle, elem), middle
    return x


def _names(groups: Layout) -> list[str]:
    return [atom.name for atom in atoms_of(groups)]


def _plain(groups: Layout) -> Layout:
    one = size(1)
    return tuple(tuple(atom for atom in group if atom.size != one) for group in groups)


def _product(ctx: Context, pair: Sequence[tuple[str, Layout]], want: Layout, elem: str) -> str:
    out = _names(want)
    (x, a), (y, b) = (_alone_summed(ctx, *pair[i], {*_names(pair[1 - i][1]), *out}, elem) for i in range(2))
    left, right = _names(a), _names(b)
    if not (set(left) & set(right)) - set(out):
        return _elementwise(ctx, (x, a), (y, b), want)
    batched = set(left) & set(right) & set(out)
    if len(set(right) - set(left)) > len(set(left) - set(right)) and not batched:  # columns are one axis, rows any
        x, a, y, b = y, b, x, a
    return _matmul(ctx, (x, a), (y, b), want)


def _alone_summed(ctx: Context, x: str, groups: Layout, used: set[str], elem: str) -> tuple[str, Layout]:
    """Without the axes that neither the other operand nor the result has."""
    if set(_names(groups)) <= used:
        return x, groups
    opened = single(atoms_of(groups))
    axes = [i for i, group in enumerate(opened) if group[0].name not in used]
    y = reduced(ctx, arranged(ctx, x, groups, opened), "sum", axes, sizes_of(opened), {}, elem)
    return y, tuple(group for i, group in enumerate(opened) if i not in axes)


def _elementwise(ctx: Context, left: tuple[str, Layout], right: tuple[str, Layout], want: Layout) -> str:
    """`Mul`: nothing is summed."""
    out = atoms_of(want)
    xs = []
    for x, groups in (left, right):
        mine = set(_names(groups))
        spread: Layout = tuple((atom,) if atom.name in mine else () for atom in out)
        first = next((i for i, group in enumerate(spread) if group), len(spread))
        xs.append(arranged(ctx, x, groups, spread[first:]))
    return arranged(ctx, ctx.node("Mul", *xs), single(out), want)


def _matmul(ctx: Context, left: tuple[str, Layout], right: tuple[str, Layout], want: Layout) -> str:
    """`MatMul` of [batch, m, k] and [batch, k, n]; what one operand alone has before the last batch axis broadcasts.

    Vectors are matrices of one row or column, as in `multiplied`.
    """
    (x, a), (y, b) = left, right
    atoms = {atom.name: atom for groups in (a, b) for atom in atoms_of(groups)}
    mine, other, out = set(_names(a)), set(_names(b)), _names(want)
    summed = tuple(atoms[n] for n in _names(a) if n in other and n not in out)
    inner = product(summed)
    shared = [i for i, n in enumerate(out) if n in mine and n in other]
    cut = shared[-1] + 1 if shared else 0
    batch = [atoms[n] for n in out[:cut]]
    rows = tuple(atoms[n] for n in out[cut:] if n in mine)
    columns = tuple(atoms[n] for n in out[cut:] if n in other)
    if not batch:
        empty = any(may_be_empty(atom.size) for atom in rows)  # then rows are one axis, since runtimes want no batch
        lead: Layout = (rows,) if empty else single(rows) or ((),)
        if (
            rows and not columns and not empty and a[-1:] == (rows[-1:],)
        ):  # a vector stands where the matrix need not be transposed
            x = arranged(ctx, x, a, (*single(rows[:-1]), summed, rows[-1:]))
            y = arranged(ctx, y, b, ((), summed))
            y = matrices(ctx, y, x, (2, len(rows) + 1), inner)
            return arranged(ctx, y, (*single(rows[:-1]), (), rows[-1:]), want)
        x = arranged(ctx, x, a, (*lead, summed))
        y = arranged(ctx, y, b, (summed, columns))
        return arranged(ctx, matrices(ctx, x, y, (len(lead) + 1, 2), inner), (*lead, columns), want)
    sizes = [atom.size for atom in batch]
    x = filled_up(ctx, arranged(ctx, x, a, (*_spread(batch, mine), rows, summed)), sizes)
    y = filled_up(ctx, arranged(ctx, y, b, (*_spread(batch, other), summed, columns)), sizes)
    y = matrices(ctx, x, y, (len(batch) + 2, len(batch) + 2), inner)
    return arranged(ctx, y, (*single(batch), rows, columns), want)


def _spread(batch: Sequence[Atom], mine: set[str]) -> Layout:
    found: list[Group] = [(atom,) if atom.name in mine else () for atom in batch]
    return tuple(found)


def grouped_matmul(ctx: Context, node: Node, args: Args) -> str:
    """A `Slice` and a product for each group, and zeros behind them: the standard has no such operation."""
    x, weight, sizes = operand(args), operand(args, 1), ctx.cast(operand(args, 2), "int")
    rows, elem = ctx.type(node.inputs[0]).sizes[0], ctx.type(node.inputs[0]).elem
    groups, inner, outer = ctx.type(node.inputs[1]).sizes
    ends = ctx.node("CumSum", sizes, ctx.array(np.array(0)))
    starts = ctx.node("Sub", ends, sizes)
    if not groups.is_number:
        return _beside(ctx, x, weight, starts, ends, (rows, groups, inner, outer), elem)
    parts = []
    for group in range(groups.number):
        at = ctx.array([group])
        own = ctx.node("Slice", x, ctx.node("Gather", starts, at), ctx.node("Gather", ends, at), ctx.array([0]))
        matrix = ctx.node("Gather", weight, ctx.array(np.array(group)), axis=0)
        parts.append(multiplied(ctx, own, matrix, (2, 2), inner))
    rest = ctx.node("Sub", ctx.size(rows), ctx.node("Gather", ends, ctx.array([groups.number - 1])))
    zero = ctx.node("Expand", ctx.number(0, elem), ctx.node("Concat", rest, ctx.size(outer), axis=0))
    return ctx.node("Concat", *parts, zero, axis=0)


def _beside(
    ctx: Context, x: str, weight: str, starts: str, ends: str, sizes: tuple[Size, Size, Size, Size], elem: str
) -> str:
    """By any number of matrices: their rows one below the other, and each row of x in the place of its group."""
    rows, groups, inner, outer = sizes
    zero = ctx.array(np.array(0))
    numbers = ctx.node("Range", zero, squeezed(ctx, ctx.size(rows), [0]), ctx.array(np.array(1)))
    numbers = unsqueezed(ctx, numbers, [1])
    inside = ctx.node("And", ctx.node("GreaterOrEqual", numbers, starts), ctx.node("Less", numbers, ends))
    placed = ctx.node("Where", unsqueezed(ctx, inside, [2]), unsqueezed(ctx, x, [1]), ctx.number(0, elem))
    placed = ctx.reshape(placed, [rows, groups, inner], [rows, groups * inner])
    weight = ctx.reshape(weight, [groups, inner, outer], [groups * inner, outer])
    return multiplied(ctx, placed, weight, (2, 2), groups * inner)


LOWER: dict[str, Lowering] = {
    "einsum": einsum,
    "matmul": matmul,
    "linear": linear,
    "grouped_matmul": grouped_matmul,
}
