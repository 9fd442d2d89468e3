"""Multiply-adds of one forward pass as a formula in the sizes of the inputs. Element-wise work is not counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ogive.compiler.ir import Definition, Graph, Model, Node
from ogive.compiler.sizes import Size, size
from ogive.compiler.types import Axis, TensorType

Types = Sequence[TensorType]


def multiply_adds(model: Model) -> Size:
    """The count of a whole model, symbolic where sizes of inputs stay open."""
    return of_definition(model.definition, {}).subs({unknown: size(value) for unknown, value in model.bindings})


def of_definition(definition: Definition, known: dict[int, Size]) -> Size:
    """The count of a definition in its own sizes; `known` remembers by identity those that were counted."""
    if id(definition) not in known:
        known[id(definition)] = _graph(definition.graph, known)
    return known[id(definition)]


def _graph(graph: Graph, known: dict[int, Size]) -> Size:
    total = size(0)
    for node in graph.nodes:
        once = _node(node, graph)
        if node.callee is not None:
            once = once + of_definition(node.callee, known).subs(dict(node.bindings))
        regions = {"phase": node.regions[1:], "given": node.regions[:1]}.get(node.op, node.regions)
        for region in regions:  # as deployed, and with every optional input
            once = once + _graph(region, known)
        total = total + _turns(node, graph) * once
    return total


def _turns(node: Node, graph: Graph) -> Size:
    """How often the body of a node runs."""
    if node.op == "repeat":
        count: Size = size(node.attr("count"))
        return count
    if node.op == "scan":
        sliced, axis = node.inputs[int(node.attr("carry"))], int(node.attr("axis"))
        assert isinstance(sliced, str), node
        return graph.values[sliced].type.axes[axis].size
    return size(1)


def _node(node: Node, graph: Graph) -> Size:
    count = COUNTS.get(node.op)
    if count is None:
        return size(0)
    types = [graph.values[name].type for name in node.inputs if isinstance(name, str)]
    return count(node, types, node.outputs[0].type)


def _product(axes: Sequence[Axis]) -> Size:
    total = size(1)
    for axis in axes:
        total = total * axis.size
    return total


def _einsum(node: Node, types: Types, result: TensorType) -> Size:
    total = size(max(1, len(types) - 1))
    for length in node.attr("recipe").sizes.values():
        total = total * length
    return total


def _matmul(node: Node, types: Types, result: TensorType) -> Size:
    return _product(result.axes) * types[0].axes[-1].size


def _linear(node: Node, types: Types, result: TensorType) -> Size:
    return _product(result.axes) * types[1].axes[1].size


def _conv(node: Node, types: Types, result: TensorType) -> Size:
    return _product(result.axes) * _product(types[1].axes[1:])


def _conv_transpose(node: Node, types: Types, result: TensorType) -> Size:
    return _product(types[0].axes) * _product(types[1].axes[1:])


def _attention(node: Node, types: Types, result: TensorType) -> Size:
    q, k, v = types[:3]
    return _product(q.axes[:-1]) * k.axes[-2].size * (q.axes[-1].size + v.axes[-1].size)


COUNTS: dict[str, Callable[[Node, Types, TensorType], Size]] = {
    "attention": _attention,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "einsum": _einsum,
    "linear": _linear,
    "matmul": _matmul,
}
