"""Recognizes what targets have kernels for: attention, linear with bias, convolution with bias, norms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ogive.compiler.ir.model import Definition, Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ops.recipe import AxisGroup, AxisPattern
from ogive.compiler.passes.fusion.attention import attention, default_scale
from ogive.compiler.passes.fusion.branches import attention_in_branches
from ogive.compiler.passes.fusion.norms import layer_norm, rms_norm
from ogive.compiler.passes.infra.rewrite import producer, rules_pass


def einsum_as_linear(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """Linear: Σ_i x[..., i] w[o, i] = linear(x, w), for a weight w."""
    if node.op != "einsum" or len(node.inputs) != 2 or not all(isinstance(x, str) for x in node.inputs):
        return None
    recipe: AxisPattern = node.attr("recipe")
    (x, w), (out,) = recipe.inputs, recipe.outputs
    operands = node.inputs
    if _is_matrix(x) and not _is_matrix(w):
        (x, w), operands = (w, x), (operands[1], operands[0])
    if len(w) != 2 or not x or len(out) != len(x) or any(place.joined for place in (*x, *w, *out)):
        return None
    maker = graph.producers.get(str(operands[1]))
    fits = w[1] == x[-1] and w[0] == out[-1] and out[:-1] == x[:-1] and w[0] not in x
    if not fits or x[-1].pack or maker is None or maker.op != "weight" or len(set(x)) != len(x):
        return None
    return [replace(node, op="linear", inputs=(*operands, None), attrs=())]


def _is_matrix(side: tuple[AxisGroup, ...]) -> bool:
    return len(side) == 2


def linear_bias(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """Linear with bias: linear(x, w) + b = linear(x, w, b), for b on the last axis."""
    last = node.outputs[0].type.sizes[-1:] if node.outputs else ()
    return _with_bias(node, graph, "linear", lambda name: _vector(graph, name, last))


def conv_bias(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """Convolution with bias: conv(x, w) + b[c, 1, ...] = conv(x, w, b), for b on the axis of channels."""

    def channels(name: str) -> str | None:
        maker = graph.producers.get(name)
        rank = len(node.outputs[0].type.axes)
        if maker is None or maker.op not in ("rearrange", "expand") or len(maker.outputs) != 1:
            return None
        shape, source = graph.values[name].type.sizes, maker.inputs[0]
        ones = all(s.is_number and s.number == 1 for s in shape[1:])
        if len(shape) != rank - 1 or not ones or not isinstance(source, str):
            return None
        return _vector(graph, source, shape[:1])

    return _with_bias(node, graph, "conv", channels)


def _vector(graph: Graph, name: str, sizes: tuple[object, ...]) -> str | None:
    return name if graph.values[name].type.sizes == sizes else None


def _with_bias(node: Node, graph: Graph, op: str, vector: Callable[[str], str | None]) -> Sequence[Node] | None:
    if node.op != "add" or len(node.inputs) != 2:
        return None
    for x, b in (node.inputs, node.inputs[::-1]):
        made = producer(graph, x, op)
        if made is None or not isinstance(b, str) or any(operand is not None for operand in made.inputs[2:]):
            continue
        if made.outputs[0].type.axes != node.outputs[0].type.axes:
            continue
        bias: Operand = vector(b)
        if bias is not None:
            return [replace(made, inputs=(*made.inputs[:2], bias), outputs=node.outputs)]
    return None


RULES = (
    attention, attention_in_branches, default_scale, einsum_as_linear, linear_bias, conv_bias, layer_norm, rms_norm,
)  # fmt: skip


def fuse(definition: Definition) -> Definition:
    """The rules of this file, until none applies."""
    return rules_pass(RULES)(definition)
