"""Recognizes the causal mask: true where a query sees a key, the last query seeing every key."""

from __future__ import annotations

from ogive.compiler.ir.model import Const, Graph, Node, Operand
from ogive.compiler.sizes import Size, size

# an integer tensor of indices: which axis it counts along ("row", "column"), and what is added to it
Index = tuple[str, Size]


def sees_earlier(name: str, graph: Graph, queries: Size, keys: Size) -> bool:
    """Whether it is k <= q + (keys - queries), for k along the last axis and q along the one before it."""
    node = graph.producers.get(name)
    if node is None:
        return False
    if node.op == "tril":
        shape = graph.values[name].type.sizes
        inner = graph.producers.get(str(node.inputs[0]))
        return shape[-2:] == (queries, keys) and queries == keys and inner is not None and inner.op == "ones"
    if node.op not in ("le", "lt", "ge", "gt") or len(node.inputs) != 2:
        return False
    small, large = node.inputs if node.op in ("le", "lt") else reversed(node.inputs)
    below, above = _index(small, graph, queries, keys), _index(large, graph, queries, keys)
    if below is None or above is None or below[0] != "column" or above[0] != "row":
        return False
    strict = 1 if node.op in ("lt", "gt") else 0
    return above[1] - below[1] - strict == keys - queries


def _index(operand: Operand, graph: Graph, queries: Size, keys: Size) -> Index | None:
    node = graph.producers.get(operand) if isinstance(operand, str) else None
    if node is None:
        return None
    match node:
        case Node(op="add" | "sub", inputs=(str() as inner, Const(value=value))) if _whole(value):
            found = _index(inner, graph, queries, keys)
            shift = size(value) if isinstance(value, int) else value
            assert isinstance(shift, Size)
            return None if found is None else (found[0], found[1] + (shift if node.op == "add" else -shift))
        case Node(op="add", inputs=(Const() as constant, str() as inner)):
            return _index_sum(inner, constant, graph, queries, keys)
        case _:
            return _counted(node, graph, queries, keys)


def _index_sum(inner: str, constant: Const, graph: Graph, queries: Size, keys: Size) -> Index | None:
    found = _index(inner, graph, queries, keys)
    value = constant.value
    if found is None or not _whole(value):
        return None
    return found[0], found[1] + (size(value) if isinstance(value, int) else value)  # type: ignore[operator]


def _whole(value: object) -> bool:
    return isinstance(value, Size) or (isinstance(value, int) and not isinstance(value, bool))


def _counted(node: Node, graph: Graph, queries: Size, keys: Size) -> Index | None:
    """`arange[k]` counts columns; `arange[q]` on an axis before a 1 counts rows."""
    shape = node.outputs[0].type.sizes
    source = node
    while source.op in ("expand", "rearrange") and isinstance(source.inputs[0], str):
        inner = graph.producers.get(source.inputs[0])
        if inner is None:
            return None
        source = inner
    if source.op != "arange" or len(source.outputs[0].type.axes) != 1:
        return None
    if shape == (keys,) and source is node:
        return "column", size(0)
    row = len(shape) == 2 and shape[0] == queries and source.outputs[0].type.sizes == (queries,)
    return ("row", size(0)) if row and shape[1] == size(1) else None
