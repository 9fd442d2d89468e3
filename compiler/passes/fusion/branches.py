"""Attention whose mask is optional: the choice moves outside, so that each branch holds a whole attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.compiler.ir.model import Const, Graph, Node, Operand, Value
from ogive.compiler.ir.substitute import Fresh, copied
from ogive.compiler.passes.fusion.attention import attention, is_scaling, products
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.passes.infra.rewrite import producer


def attention_in_branches(node: Node, graph: Graph, fresh: Fresh) -> Sequence[Node] | None:
    """Attend(if c: mask(s) else: s) = if c: attend(mask(s)) else: attend(s), where both branches fuse."""
    for product in products(node, graph):
        tail = _tail(graph, node, product.a)
        choice = producer(graph, tail[0].inputs[0]) if tail else None
        if choice is None or choice.op not in ("given", "phase") or len(choice.outputs) != 1:
            continue
        for operand in choice.inputs:
            head = _head(graph, operand)
            if head:
                made = _moved(node, choice, operand, head, tail, graph, fresh)
                if made is not None:
                    return [made]
    return None


def _tail(graph: Graph, last: Node, name: str) -> list[Node]:
    """Softmax, dropout and the sum of values, each read by the next alone."""
    nodes = [last]
    dropout = producer(graph, name, "dropout")
    if dropout is not None:
        nodes.insert(0, dropout)
    softmax = producer(graph, nodes[0].inputs[0] if dropout is not None else name, "softmax")
    return [softmax, *nodes] if softmax is not None else []


def _head(graph: Graph, operand: Operand) -> list[Node]:
    """The product of queries and keys and its scaling, read by nothing else."""
    nodes: list[Node] = []
    while (node := producer(graph, operand)) is not None:
        nodes.insert(0, node)
        if products(node, graph):
            return nodes
        scaled = is_scaling(node)
        if scaled is None:
            return []
        operand = scaled
    return []


def _moved(
    node: Node, choice: Node, scores: Operand, head: list[Node], tail: list[Node], graph: Graph, fresh: Fresh
) -> Node | None:
    inside = {value.name for moved in (*head, choice, *tail) for value in moved.outputs}
    others = (*choice.inputs, *(operand for moved in (*head, *tail) for operand in moved.inputs))
    outer = list(dict.fromkeys(x for x in others if isinstance(x, str) and x not in inside))
    arms = [_arm(region, choice, scores, head, tail, outer, graph, fresh) for region in choice.regions]
    regions = tuple(arm for arm in arms if arm is not None)
    if len(regions) != len(arms):
        return None
    return replace(choice, inputs=tuple(outer), outputs=node.outputs, regions=regions, span=node.span)


def _arm(
    region: Graph,
    choice: Node,
    scores: Operand,
    head: list[Node],
    tail: list[Node],
    outer: Sequence[str],
    graph: Graph,
    fresh: Fresh,
) -> Graph | None:
    inputs = tuple(fresh.value(graph.values[name].type, graph.values[name].hint) for name in outer)
    names: dict[str, Operand] = {name: value.name for name, value in zip(outer, inputs, strict=True)}
    before = _copy(head, names, fresh)
    given: dict[str, Operand] = {
        value.name: names[operand] if isinstance(operand, str) else operand
        for value, operand in zip(region.inputs, choice.inputs, strict=True)
    }
    middle, (result,) = copied(region, {}, given, fresh, lambda path: path)
    if not isinstance(result, str) or isinstance(scores, Const):
        return None
    names[choice.outputs[0].name] = result
    after = _copy(tail, names, fresh)
    last: Value = after[-1].outputs[0]
    whole = Graph(inputs, (*before, *middle, *after), (last.name,))
    fused = attention(after[-1], whole, fresh)
    if fused is None:
        return None
    return drop_dead(Graph(inputs, (*whole.nodes[:-1], *fused), (last.name,)))


def _copy(nodes: list[Node], names: dict[str, Operand], fresh: Fresh) -> tuple[Node, ...]:
    made, _ = copied(Graph((), tuple(nodes), ()), {}, names, fresh, lambda path: path)
    return made
