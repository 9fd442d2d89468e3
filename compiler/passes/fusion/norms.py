"""Recognizes layer norm and RMS norm written out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ogive.compiler.ir.model import Const, Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.passes.infra.rewrite import number_of


def layer_norm(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """Layer norm: (x - mean x) / sqrt(mean (x - mean x)² + eps) over the last axis is one kernel."""
    found = _quotient(node, graph)
    if found is None:
        return None
    top, under = found
    centered = _producer(graph, top)
    if centered is None or centered.op != "sub" or not isinstance(x := centered.inputs[0], str):
        return None
    if not _mean_of(graph, centered.inputs[1], x):
        return None
    eps = _spread(graph, under, lambda name: name == top or _same(graph, name, centered))
    if eps is None:
        eps = _variance(graph, under, x)
    return None if eps is None else [_norm(node, graph, "layer_norm", x, eps)]


def rms_norm(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """RMS norm: x / sqrt(mean x² + eps) over the last axis is one kernel."""
    found = _quotient(node, graph)
    if found is None:
        return None
    x, under = found
    eps = _spread(graph, under, lambda name: name == x)
    return None if eps is None else [_norm(node, graph, "rms_norm", x, eps)]


def _norm(node: Node, graph: Graph, op: str, x: str, eps: float) -> Node:
    last = len(graph.values[x].type.axes) - 1
    absent = (None, None) if op == "layer_norm" else (None,)
    return replace(node, op=op, inputs=(x, *absent), attrs=(("eps", eps), ("axes", (last,))))


def _quotient(node: Node, graph: Graph) -> tuple[str, str] | None:
    """The x and v of x / sqrt(v) or x * rsqrt(v), whatever reads the root."""
    if len(node.inputs) != 2:
        return None
    pairs = [(node.inputs, "sqrt")] if node.op == "div" else []
    if node.op == "mul":
        pairs = [(node.inputs, "rsqrt"), (node.inputs[::-1], "rsqrt")]
    for (x, root), op in pairs:
        maker = _unwidened(graph, root)
        if isinstance(x, str) and maker is not None and maker.op == op and isinstance(maker.inputs[0], str):
            return x, maker.inputs[0]
    return None


def _producer(graph: Graph, operand: Operand) -> Node | None:
    return graph.producers.get(operand) if isinstance(operand, str) else None


def _unwidened(graph: Graph, operand: Operand) -> Node | None:
    """The node before the axis of size 1 was added that lets a statistic meet its tensor."""
    node = _producer(graph, operand)
    if node is not None and node.op in ("rearrange", "expand") and len(node.inputs) == 1:
        shape = node.outputs[0].type.sizes
        inner = _producer(graph, node.inputs[0])
        widened = bool(shape) and shape[-1].is_number and shape[-1].number == 1
        if inner is not None and widened and inner.outputs[0].type.sizes == shape[:-1]:
            return inner
    return node


def _spread(graph: Graph, name: str, squared: Callable[[str], bool]) -> float | None:
    """The eps of mean(y²) + eps, where `squared` knows y."""
    inner, eps = _plus(graph, name)
    mean = _unwidened(graph, inner) if inner is not None else None
    if mean is None or eps is None or not _over_last(mean, graph, "mean"):
        return None
    square = _producer(graph, mean.inputs[0])
    match square:
        case Node(op="pow", inputs=(str() as y, power)) if number_of(power) == 2 and squared(y):
            return eps
        case Node(op="mul", inputs=(str() as y, str() as z)) if y == z and squared(y):
            return eps
        case _:
            return None


def _variance(graph: Graph, name: str, x: str) -> float | None:
    """The eps of var(x) + eps."""
    inner, eps = _plus(graph, name)
    node = _unwidened(graph, inner) if inner is not None else None
    if node is None or node.inputs[0] != x or not _over_last(node, graph, "var"):
        return None
    return eps if node.attr("unbiased") is False else None


def _plus(graph: Graph, name: str) -> tuple[str | None, float | None]:
    match _unwidened(graph, name):
        case Node(op="add", inputs=(str() as inner, Const(value=float() as eps))):
            return inner, eps
        case Node(op="add", inputs=(Const(value=float() as eps), str() as inner)):
            return inner, eps
        case _:
            return None, None


def _mean_of(graph: Graph, operand: Operand, x: str) -> bool:
    node = _unwidened(graph, operand)
    return node is not None and _over_last(node, graph, "mean") and node.inputs[0] == x


def _over_last(node: Node, graph: Graph, name: str) -> bool:
    """A reduction over the last axis alone."""
    operand = node.inputs[0] if node.inputs else None
    if not isinstance(operand, str):
        return False
    last = len(graph.values[operand].type.axes) - 1
    if node.op == name:
        return bool(node.attr("axes") == (last,))
    if node.op == "reduce" and node.attr("op") == name:
        (side,), (out,) = node.attr("recipe").inputs, node.attr("recipe").outputs
        return (
            out in (side[:-1], (*side[:-1], out[-1])) and len(out) in (len(side), len(side) - 1) and side[-1] not in out
        )
    return False


def _same(graph: Graph, name: str, centered: Node) -> bool:
    node = graph.producers.get(name)
    return node is not None and node.op == centered.op and node.inputs == centered.inputs
