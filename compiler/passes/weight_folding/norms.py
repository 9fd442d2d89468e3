"""The scale and shift after a norm, moved into the maps that read it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.passes.conversion.result import Note
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.weight_folding import affine_kernels as kernels
from ogive.compiler.passes.weight_folding.affine import plus
from ogive.compiler.passes.weight_folding.binding_time import BindingTimes, key
from ogive.compiler.passes.weight_folding.context import TransferContext
from ogive.compiler.passes.weight_folding.report import MAPS, shared_by_iterations
from ogive.compiler.passes.weight_folding.rules import map_of


@dataclass(frozen=True, slots=True)
class Map:
    """A reader of a norm, its matrix [o, i] and its bias; `made` are the nodes that bring the matrix into this form."""

    reader: Node
    kernel: str
    bias: str | None
    made: tuple[Node, ...]


def scaled_into(graph: Graph, scope: ConversionScope, static: BindingTimes, notes: list[Note]) -> Graph:
    """linear(γ n(x) + β) = (W diag γ) n(x) + (b + W β), for every reader of a norm."""
    context = TransferContext(graph, scope, lambda _: None)
    changed: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.op not in ("layer_norm", "rms_norm") or not _affine(node, context):
            continue
        path = scope.makers[str(node.inputs[1])].path
        readers = _readers(node, graph, context)
        reason = _unread(node, graph, scope) if readers is None else _refusal(node, readers, scope, static)
        if readers is None or reason:
            notes.append(Note(False, path, f"{node.op} before its readers: {reason}"))
            continue
        changed[key(node)] = [replace(node, inputs=(node.inputs[0],))]
        changed.update((key(each.reader), _scaled(node, each, scope, static)) for each in readers)
        ops = ", ".join(each.reader.op for each in readers)
        notes.append(Note(True, path, f"the scale of {node.op} went into {ops}"))
    if not changed:
        return graph
    nodes = tuple(new for node in graph.nodes for new in changed.get(key(node), [node]))
    return Graph(graph.inputs, nodes, graph.outputs)


def _affine(node: Node, context: TransferContext) -> bool:
    """Whether a norm of the last axis has static weights."""
    x, given = node.inputs[0], node.inputs[1:]
    if not isinstance(x, str) or not given or given[0] is None or context.static(x):
        return False
    last = node.attr("axes") == (len(context.type(x).axes) - 1,)
    return last and all(weight is None or context.static(weight) for weight in given)


def _readers(node: Node, graph: Graph, context: TransferContext) -> list[Map] | None:
    name, nodes = key(node), context.scope.nodes
    found: list[Map] = []
    for reader in graph.users[name]:
        mark = len(nodes)
        made = map_of(reader, context)
        if made is None or made[0] != name:
            return None
        found.append(Map(reader, made[1], made[2], tuple(nodes[mark:])))
    return None if name in graph.outputs or not found else found


def _unread(node: Node, graph: Graph, scope: ConversionScope) -> str:
    """Why the readers of a norm are no maps by weights of its own iterations."""
    iterations = f"{scope.path}.*." if scope.path else ""
    shared = [shared_by_iterations(reader, graph, iterations) for reader in graph.users[key(node)] if reader.op in MAPS]
    found = next((path for path in shared if path), "")
    return f"{found} is shared by the iterations of a loop" if found else "not every reader is a map by weights"


def _refusal(node: Node, readers: list[Map], scope: ConversionScope, static: BindingTimes) -> str:
    names = {key(each.reader) for each in readers}
    for each in readers:
        for value in (each.kernel, each.bias):
            for path in () if value is None else static.below_of(scope, value):
                if not static.released(path, names):
                    return f"{path} has other users"
    shift = node.inputs[2] if len(node.inputs) > 2 else None
    if shift is None or static.grow:
        return ""
    new = sum(scope.shape(each.kernel)[0] for each in readers if each.bias is None)
    return "" if new <= 2 * scope.shape(str(shift))[0] else "the folded weights would be larger"


def _scaled(norm: Node, map: Map, scope: ConversionScope, static: BindingTimes) -> list[Node]:
    mark, weight = len(scope.nodes), str(norm.inputs[1])
    reader, kernel, bias = map.reader, map.kernel, map.bias
    shift = norm.inputs[2] if len(norm.inputs) > 2 else None
    if isinstance(shift, str):
        bias = plus(scope, bias, kernels.through(scope, kernel, 1, shift))
    matrix = scope.einsum("o i, i -> o i", kernel, weight)
    for path in static.below_of(scope, weight) + (static.below_of(scope, shift) if isinstance(shift, str) else ()):
        static.readers[path] = (static.readers[path] - {key(norm)}) | {key(reader)}
    return [*map.made, *scope.nodes[mark:], Node("linear", (key(norm), matrix, bias), reader.outputs, span=reader.span)]
