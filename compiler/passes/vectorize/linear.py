"""Batching rules of contractions and of what works on matrices: the axis is one more axis of their batch."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.model import Const, Node, Operand
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import Atom, AxisGroup, AxisPattern, Side
from ogive.compiler.passes.vectorize.values import UNIT, Values, places
from ogive.compiler.sizes import size


def named(type: TensorType, names: dict[int, AxisGroup], prefix: str) -> Side:
    """The axes of a type in a pattern, some under names that are given."""
    axes = places(type)
    fresh = (
        AxisGroup(((replace(place.parts[0][0], name=f"{prefix}{at}"),),), place.pack) for at, place in enumerate(axes)
    )
    return tuple(names.get(at, place) for at, place in enumerate(fresh))


def linear(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Σ_i x[n, ..., i] w[n, o, i] + b[n, o]: a product of batches where the weight has the axis."""
    x, w, b = (*inputs, None)[:3]
    if not values.has(w) and not values.has(b):
        values.results(node, (x, w, b))
        return
    type = node.outputs[0].type
    if values.has(w):
        y = _product(values, node, str(x), str(w))
    else:
        mapped = values.has(x)
        y = values.make("linear", (x, w, None), values.over(type) if mapped else type, mapped=mapped)
    if b is None:
        values.bind(node.outputs[0], y)
        return
    values.results(node, (y, values.padded(b, type.axes)), (), "add")


def _product(values: Values, node: Node, x: str, w: str) -> str:
    of_x, of_w = values.base(x), values.base(w)
    out, inner = (AxisGroup(((Atom(name, axis.size),),)) for name, axis in zip("oi", of_w.axes, strict=True))
    left = named(of_x, {len(of_x.axes) - 1: inner}, "x")
    sides = [((values.place, *side) if values.has(t) else side) for t, side in ((x, left), (w, (out, inner)))]
    recipe = AxisPattern(tuple(sides), ((values.place, *left[:-1], out),))
    type = node.outputs[0].type
    return values.make("einsum", (x, w), values.over(type), attrs=(("recipe", recipe),), hint=node.outputs[0].hint)


def matmul(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Matrices: batch axes align. A vector is a matrix of one row or column; two vectors are contracted by name."""
    a, b = (str(x) for x in inputs)
    ranks = [len(values.base(x).axes) for x in (a, b)]
    if min(ranks) == 1:
        _with_vector(values, node, a, b)
        return
    values.results(node, [values.padded(x, node.outputs[0].type.axes) for x in (a, b)])


def _with_vector(values: Values, node: Node, a: str, b: str) -> None:
    of_a, of_b = values.base(a), values.base(b)
    inner = AxisGroup(((Atom("k", of_a.axes[-1].size),),))
    left = named(of_a, {len(of_a.axes) - 1: inner}, "a")
    right = named(of_b, {max(0, len(of_b.axes) - 2): inner}, "b")
    kept = [place for place in (*left, *right) if place != inner]
    sides = [((values.place, *side) if values.has(x) else side) for x, side in ((a, left), (b, right))]
    values.results(node, (a, b), (("recipe", AxisPattern(tuple(sides), ((values.place, *kept),))),), "einsum")


def grouped_matmul(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """The groups of all indices one after another; the rows that an index has left are one more of its groups."""
    x, w, sizes = (values.full(each) for each in inputs)
    rows, of_w, of_sizes = values.base(x).axes[0].size, values.base(w), values.base(sizes)
    one, groups = of_sizes.with_axes(Axis(size(1))), Axis(of_sizes.axes[0].size + 1)
    total = values.make("sum", (sizes,), values.over(of_sizes.with_axes()), attrs=(("axes", (1,)),))
    rest = values.make("sub", (Const(rows), total), values.over(of_sizes.with_axes()))
    rest = values.moved(rest, (values.place,), (values.place, UNIT))
    assert values.types[rest] == values.over(one)
    sizes = values.make("concat", (sizes, rest), values.over(of_sizes.with_axes(groups)), attrs=(("axis", 1),))
    pads = (("axis", 1), ("before", size(0)), ("after", size(1)), ("mode", "constant"), ("value", 0.0))
    w = values.make("pad", (w,), values.over(of_w.with_axes(groups, *of_w.axes[1:])), attrs=pads)
    given = tuple(map(values.folded, (x, w, sizes)))
    type = node.outputs[0].type
    whole = type.with_axes(Axis(values.axis.size * rows), type.axes[1])
    y = values.make(node.op, given, whole, mapped=False)
    values.bind(node.outputs[0], values.unfolded(y, type))


def solve(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """Systems of equations: batch axes align; columns of one right side each keep being vectors."""
    a, b = (str(x) for x in inputs)
    if node.attr("vector"):
        values.results(node, (values.full(a), values.full(b)))
        return
    values.results(node, [values.padded(x, node.outputs[0].type.axes) for x in (a, b)])


def linear_scan(values: Values, node: Node, inputs: tuple[Operand, ...]) -> None:
    """All recurrences at once: operands align with the result, the start with one step of it."""
    axes, at = node.outputs[0].type.axes, node.attr("axis")
    a, b, start = inputs
    once = (*axes[:at], *axes[at + 1 :])
    given = (values.padded(a, axes), values.padded(values.full(b), axes), values.padded(start, once))
    values.results(node, given, (("axis", node.attr("axis") + 1),))
