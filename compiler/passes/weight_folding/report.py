"""What folding left, and why: norms beside which nothing takes their scale and shift, and what never holds still."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ogive.compiler.ir.model import Graph, Node
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.passes.conversion.result import Note

MAPS = ("conv", "conv_transpose", "linear", "matmul", "einsum")


def left(graph: Graph, notes: Collection[Note], iterations: str = "") -> Iterator[Note]:
    """The lines of the report for what is left of a folded graph, beside those that `notes` has. `iterations` is the
    path of the loop whose body the graph is.
    """
    told = {note.path for note in notes if not note.done}
    for node in graph.nodes:
        line = f"line {node.span.begin()[0]}" if node.span is not None else node.op
        if node.op == "batch_norm_train":
            yield Note(False, line, "the statistics of the batch are used when deployed too: no map by weights is that")
        elif own_effect(node) & Effect.DRAWS:
            yield Note(False, line, f"`{node.op}` draws numbers when deployed too: nothing folds through it")
        elif node.op == "each":
            yield Note(False, line, "`each` stacks the weights of its indices: what it applies stays as it is")
        elif node.op == "batch_norm" and not told & _around(node, graph):
            yield Note(False, _path(node, graph) or line, _why(node, graph, iterations))
        for region in node.regions:
            yield from left(region, notes, f"{node.path}.*." if node.op == "repeat" else iterations)


def _maker(name: object, graph: Graph) -> Node | None:
    return next((node for node in graph.nodes if any(value.name == name for value in node.outputs)), None)


def _path(node: Node, graph: Graph) -> str:
    """The main weight that a node reads."""
    names = (node.operands[3:4] if node.op == "batch_norm" else ()) or node.operands[1:]
    makers = (_maker(name, graph) for name in names)
    return next((maker.path for maker in makers if maker is not None and maker.op == "weight"), "")


def _around(node: Node, graph: Graph) -> set[str]:
    """The weights of a norm, of what it reads, and of what reads it."""
    before = _maker(node.inputs[0], graph)
    beside = [node, *graph.users[node.outputs[0].name], *([before] if before is not None else [])]
    return {_path(each, graph) for each in beside} - {""}


def _why(node: Node, graph: Graph, iterations: str) -> str:
    before, after = _maker(node.inputs[0], graph), graph.users[node.outputs[0].name]
    shared = shared_by_iterations(node, graph, iterations)
    maps = [each for each in (before, *after) if each is not None and each.op in MAPS]
    shared = shared or next((path for each in maps if (path := shared_by_iterations(each, graph, iterations))), "")
    if shared:
        return f"batch_norm stays: {shared} is shared by the iterations of a loop"
    reads = str(node.inputs[0])
    if before is not None and before.op in MAPS and len(graph.users[reads]) + graph.outputs.count(reads) > 1:
        return f"batch_norm stays: the {before.op} before it has other readers"
    found = ["an input before it" if before is None else f"`{before.op}` before it"]
    found += [f"`{each}` after it" for each in dict.fromkeys(each.op for each in after)]
    return f"batch_norm stays: {' and '.join(found)} cannot take its scale and shift"


def shared_by_iterations(node: Node, graph: Graph, iterations: str) -> str:
    """A weight from outside of a loop that a node in its body reads, or ""."""
    if not iterations:
        return ""
    inputs = {value.name for value in graph.inputs}
    for name in node.operands[1:]:
        maker = _maker(name, graph)
        if maker is not None and maker.op == "weight" and not maker.path.startswith(iterations):
            return maker.path
        if name in inputs:
            return f"`{name.split('.')[0]}`"
    return ""
