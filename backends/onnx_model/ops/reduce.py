"""Reductions in ONNX."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ogive.backends.onnx_model.graph.elems import ONNX
from ogive.backends.onnx_model.ops.context import Args, Context, Lowering
from ogive.backends.onnx_model.ops.operands import operand
from ogive.backends.onnx_model.ops.permute_reshape import arranged, atoms_of, layout, single, sizes_of
from ogive.compiler.ir.model import Node, Scalar
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ops.recipe import AxisPattern
from ogive.compiler.ops.reduce import ELEMENTS
from ogive.compiler.sizes import Size, size

DIRECT = {
    "sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd",
    "logsumexp": "ReduceLogSumExp",
}  # fmt: skip


def reduced(
    ctx: Context, x: str, op: str, axes: Sequence[int], sizes: Sequence[Size], settings: Mapping[str, Any], elem: str
) -> str:
    """The tensor without these axes; `sizes` are those of all its axes."""
    if not axes:
        return _alone(ctx, x, op)
    where = ctx.array(sorted(axes))
    if op in DIRECT:
        return ctx.node(DIRECT[op], x, where, keepdims=0)
    if op in ("any", "all"):
        whole = ctx.node("Cast", x, to=ONNX["i32"])
        found = ctx.node("ReduceMax" if op == "any" else "ReduceMin", whole, where, keepdims=0)
        return ctx.node("Greater", found, ctx.number(0, "i32"))  # the largest of nothing is far below 0
    if op == "norm":
        return _norm(ctx, x, settings.get("p", 2), where, elem)
    return _spread(ctx, x, op, where, [sizes[axis] for axis in axes], bool(settings.get("unbiased")), elem)


def _alone(ctx: Context, x: str, op: str) -> str:
    """Each element reduced by itself."""
    if op in ("var", "std"):
        return ctx.node("Sub", x, x)
    return ctx.node("Abs", x) if op == "norm" else x


def centred(ctx: Context, x: str, where: str) -> tuple[str, str]:
    """The tensor less its mean over these axes, and the mean, with axes of 1.

    The mean of the difference is taken too, since a mean far from 0 is rounded: Chan, Golub and LeVeque, "Algorithms
    for computing the sample variance", 1983.
    """
    mean = ctx.node("ReduceMean", x, where, keepdims=1)
    gap = ctx.node("Sub", x, mean)
    rest = ctx.node("ReduceMean", gap, where, keepdims=1)
    return ctx.node("Sub", gap, rest), ctx.node("Add", mean, rest)


def _spread(ctx: Context, x: str, op: str, where: str, sizes: Sequence[Size], unbiased: bool, elem: str) -> str:
    """The variance, or its root as the length of the differences."""
    count = size(1)
    for item in sizes:
        count = count * item
    number = count - 1 if unbiased else count
    gap, _ = centred(ctx, x, where)
    if op == "std":
        return ctx.node("Div", length(ctx, gap, 2, where, elem), ctx.number(Scalar("sqrt", (number,)), elem))
    found = ctx.node("ReduceMean", ctx.node("Mul", gap, gap), where, keepdims=0)
    return ctx.node("Mul", found, ctx.number(Scalar("/", (count, number)), elem)) if unbiased else found


def _norm(ctx: Context, x: str, power: Any, where: str, elem: str) -> str:
    p = value_of(power)
    if p == 1:
        return ctx.node("ReduceL1", x, where, keepdims=0)
    if p is not None and math.isinf(p):
        return ctx.node("ReduceMax" if p > 0 else "ReduceMin", ctx.node("Abs", x), where, keepdims=0)
    if p == 0:
        found = ctx.node("Cast", ctx.node("Cast", x, to=ONNX["bool"]), to=ONNX[ctx.elem(elem)])
        return ctx.node("ReduceSum", found, where, keepdims=0)
    return length(ctx, x, power, where, elem) if p is not None and p > 1 else _powers(ctx, x, power, where, elem)


def length(ctx: Context, x: str, p: Any, where: str, elem: str) -> str:
    """(Σ |x|^p)^(1/p) as a multiple of the largest |x|, since powers overflow and underflow."""
    low = ctx.node("Neg", ctx.node("ReduceMin", x, where, keepdims=1))
    largest = ctx.node("Max", ctx.node("ReduceMax", x, where, keepdims=1), low)
    above, below = ctx.number(0.0, elem), ctx.number(math.inf, elem)
    usual = ctx.node("And", ctx.node("Less", above, largest), ctx.node("Less", largest, below))
    unit = ctx.node("Where", usual, largest, ctx.number(1.0, elem))
    share = _powers(ctx, ctx.node("Div", x, unit), p, where, elem)
    return ctx.node("Mul", share, ctx.node("Squeeze", unit, where))


def _powers(ctx: Context, x: str, p: Any, where: str, elem: str) -> str:
    """(Σ |x|^p)^(1/p)."""
    if p == 2:
        return ctx.node("Sqrt", ctx.node("ReduceSum", ctx.node("Mul", x, x), where, keepdims=0))
    powers = ctx.node("Pow", ctx.node("Abs", x), ctx.number(p, elem))
    total = ctx.node("ReduceSum", powers, where, keepdims=0)
    return ctx.node("Pow", total, ctx.number(Scalar("/", (1.0, p)), elem))


def over_axes(ctx: Context, node: Node, args: Args) -> str:
    """A reduction over axes of the tensor."""
    type = ctx.type(node.inputs[0])
    return reduced(ctx, operand(args), node.op, node.attr("axes"), type.sizes, dict(node.attrs), type.elem)


def reduce(ctx: Context, node: Node, args: Args) -> str:
    """A reduction over the axes that the right of a pattern lacks."""
    elem = ctx.type(node.inputs[0]).elem
    return by_recipe(ctx, operand(args), node.attr("op"), node.attr("recipe"), elem)


def by_recipe(ctx: Context, x: str, op: str, recipe: AxisPattern, elem: str) -> str:
    """One tensor to one tensor, without the axes that the result lacks: cut out, reduced, and put in order."""
    left, right = layout(recipe.inputs[0]), layout(recipe.outputs[0])
    kept = {atom.name for atom in atoms_of(right)}
    partly = any({atom.name in kept for atom in group} == {True, False} for group in left)
    have = single(atoms_of(left)) if partly else left
    x = arranged(ctx, x, left, have) if partly else x
    dropped = [i for i, group in enumerate(have) if group and group[0].name not in kept]
    y = reduced(ctx, x, op, dropped, sizes_of(have), {}, elem)
    return arranged(ctx, y, tuple(group for i, group in enumerate(have) if i not in dropped), right)


LOWER: dict[str, Lowering] = {"reduce": reduce, **dict.fromkeys(ELEMENTS, over_axes)}
