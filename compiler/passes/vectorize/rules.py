"""Batching rules: an operation at every index of an axis as operations on the whole, one row for each kind.

The kinds are those that operations declare (`OpSpec.batching`); operations with a rule of their own stand in `OWN`.
A rule is asked where some operand has the axis, or the operation draws random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from ogive.compiler.ir.model import Node, Operand
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import AxisPattern, Side
from ogive.compiler.passes.vectorize import index as vectorize_index
from ogive.compiler.passes.vectorize import kernels as vectorize_kernels
from ogive.compiler.passes.vectorize import linear as vectorize_linear
from ogive.compiler.passes.vectorize import norms as vectorize_norms
from ogive.compiler.passes.vectorize.values import Values

Rule = Callable[[Values, Node, tuple[Operand, ...]], None]


def align(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Operands broadcast from the right: those with the axis get axes of size 1 between it and their own."""
    values.results(node, [values.padded(x, node.outputs[0].type.axes) for x in inputs])


def each(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Leading axes run through."""
    values.results(node, [values.full(x) for x in inputs])


def shift(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Axes that attributes name move up by one."""
    values.results(node, [values.full(x) for x in inputs], shifted(node))


def shifted(node: Node) -> tuple[tuple[str, Any], ...]:
    """The attributes of a node whose operand has one more axis in front."""

    def moved(key: str, value: Any) -> Any:
        match key:
            case "axis":
                return value + 1
            case "axes":
                return tuple(axis + 1 for axis in value)
            case "items":
                return (("all",), *value)
            case _:
                return value

    return tuple((key, moved(key, value)) for key, value in node.attrs)


def pattern(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """The pattern gains the axis; an einsum in those operands alone that have it."""
    recipe: AxisPattern = node.attr("recipe")
    given = inputs if node.op == "einsum" else tuple(values.full(x) for x in inputs)
    place = values.named(recipe.sizes)

    def grown(side: Side, first: int = 0) -> Side:
        return (*side[:first], place, *side[first:])

    befores = tuple(grown(side) if values.has(x) else side for side, x in zip(recipe.inputs, given, strict=True))
    unpacks = node.op == "split" and len(recipe.outputs) == 1  # the first axis of its result is taken apart
    afters = tuple(grown(side, 1 if unpacks else 0) for side in recipe.outputs)
    attrs = tuple((k, AxisPattern(befores, afters) if k == "recipe" else v) for k, v in node.attrs)
    values.results(node, given, attrs)


def fold(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """The axis is merged into the batch: `n b c h w -> (n b) c h w`."""
    folded = [values.folded(values.full(x)) for x in inputs]
    vectorize_kernels.unfolding(values, node, folded)


def draw(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Every index draws for itself: sizes are those of the result."""
    values.results(node, [values.full(x) for x in inputs])


KINDS: MappingProxyType[str, Rule] = MappingProxyType(
    {"align": align, "each": each, "shift": shift, "pattern": pattern, "fold": fold, "draw": draw}
)

OWN: MappingProxyType[str, Rule] = MappingProxyType(
    {
        "matmul": vectorize_linear.matmul,
        "linear": vectorize_linear.linear,
        "grouped_matmul": vectorize_linear.grouped_matmul,
        "solve": vectorize_linear.solve,
        "solve_triangular": vectorize_linear.solve,
        "linear_scan": vectorize_linear.linear_scan,
        "take": vectorize_index.take,
        "put": vectorize_index.put,
        "scatter_add": vectorize_index.scattered,
        "scatter": vectorize_index.scattered,
        "permutation": vectorize_index.permutation,
        "attention": vectorize_kernels.attention,
        "conv": vectorize_kernels.conv,
        "conv_transpose": vectorize_kernels.conv_transpose,
        "layer_norm": vectorize_norms.over_axes,
        "rms_norm": vectorize_norms.over_axes,
        "group_norm": vectorize_norms.group_norm,
        "batch_norm": vectorize_norms.batch_norm,
        "batch_norm_train": vectorize_norms.batch_norm_train,
    }
)


def rule_of(op: str) -> Rule | None:
    """The rule of an operation; none for a value, which is the same at every index."""
    kind = OPS[op].batching
    return OWN[op] if kind == "own" else KINDS.get(kind)
