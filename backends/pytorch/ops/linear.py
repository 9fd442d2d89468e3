"""Contractions in torch."""

from __future__ import annotations

from ogive.backends.python_text.expr import Code, binary, call, method
from ogive.backends.python_text.functions.context import Context, Lowering
from ogive.backends.python_text.functions.operands import Args, operand
from ogive.backends.pytorch.ops.contractions import contract, order_of
from ogive.backends.pytorch.ops.permute_reshape import LayoutView, blocks_of, groups, single
from ogive.backends.pytorch.ops.reduce import by_recipe
from ogive.compiler.ir.model import Node
from ogive.compiler.ops.recipe import AxisPattern


def einsum(ctx: Context, node: Node, args: Args) -> Code:
    """The product of the operands, summed over every axis that the result lacks."""
    recipe: AxisPattern = node.attr("recipe")
    *layouts, want = groups(*recipe.inputs, *recipe.outputs)
    if len(layouts) == 1:
        return by_recipe(ctx, operand(args), "sum", recipe, node.outputs[0].type, {})
    # groups are opened before the product, and closed after it
    views = [LayoutView(ctx, operand(args, i), layout) for i, layout in enumerate(layouts)]
    opened = [view.to(single(blocks_of(view.layout))) for view in views]
    orders = [order_of(view.layout) for view in opened]
    out = order_of(want)
    code = contract(ctx, [view.code for view in opened], orders, out)
    if node.outputs[0].type.elem == "i32" and any(block not in out for order in orders for block in order):
        code = method(code, "int")  # torch widens small integers where it sums outside of a product of matrices
    return LayoutView(ctx, code, single(out)).to(want).code


def matmul(ctx: Context, node: Node, args: Args) -> Code:
    """`a @ b`."""
    return binary(operand(args), "@", operand(args, 1))


def linear(ctx: Context, node: Node, args: Args) -> Code:
    """`F.linear(x, weight, bias)`."""
    bias = args[2] if len(args) > 2 else None
    return call("F.linear", operand(args), operand(args, 1), bias)


def grouped_matmul(ctx: Context, node: Node, args: Args) -> Code:
    """A helper: torch's kernel takes bfloat16 alone, and leaves rows behind the last group as they are."""
    return call(ctx.helper("grouped_matmul"), operand(args), operand(args, 1), operand(args, 2))


LOWER: dict[str, Lowering] = {
    "einsum": einsum,
    "matmul": matmul,
    "linear": linear,
    "grouped_matmul": grouped_matmul,
}
