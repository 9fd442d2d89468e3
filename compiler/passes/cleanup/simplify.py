"""Simplification: identities, common subexpressions, and rearrangements after one another."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.attributes import ChoiceAttrs
from ogive.compiler.ir.model import Definition, Graph, Node, Operand
from ogive.compiler.ir.scalars import signs_of_zeros
from ogive.compiler.ir.substitute import Fresh, with_operands
from ogive.compiler.ir_tools.effects import Effect, own_effect
from ogive.compiler.ir_tools.states import changed
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import atoms_of
from ogive.compiler.passes.cleanup.rearrange_composition import after, is_identity
from ogive.compiler.passes.infra.driver import on_graphs
from ogive.compiler.passes.infra.rewrite import number_of, producer, rules_pass
from ogive.compiler.sizes import size

NEUTRAL: dict[tuple[str, int], float] = {("add", 0): 0, ("add", 1): 0, ("sub", 1): 0, ("mul", 0): 1, ("mul", 1): 1,
                                         ("div", 1): 1, ("pow", 1): 1}  # fmt: skip


def rearranged_twice(node: Node, graph: Graph, fresh: Fresh) -> list[Node] | None:
    """rearrange(rearrange(x, p), q) = rearrange(x, q ∘ p), where nothing else reads the middle."""
    if node.op not in ("rearrange", "split") or len(node.inputs) != 1 or len(node.attr("recipe").outputs) != 1:
        return None
    inner = producer(graph, node.inputs[0], "rearrange")
    if inner is None or len(inner.inputs) != 1 or len(inner.outputs) != 1:
        return None
    recipe = after(inner.attr("recipe"), node.attr("recipe"))
    return None if recipe is None else [replace(node, inputs=inner.inputs, attrs=(("recipe", recipe),))]


RULES = (rearranged_twice,)


def forward(graph: Graph) -> Graph:
    """Readers of x + 0, x * 1 and of a rearrangement that changes nothing read x; equal nodes are one."""
    names: dict[str, Operand] = {}
    seen: dict[object, Node] = {}
    nodes: list[Node] = []
    updated = changed(graph)
    for original in graph.nodes:
        node = with_operands(original, names)
        same = _same_value(node, graph)
        if same is not None:
            names[node.outputs[0].name] = same
            continue
        names.update(_either_way(node))
        key = None if node.op == "weight" and node.path in updated else _key(node)
        if key is not None and key in seen:
            twin = seen[key]
            names.update({a.name: b.name for a, b in zip(node.outputs, twin.outputs, strict=True)})
            continue
        if key is not None:
            seen[key] = node
        nodes.append(node)
    if not names:
        return graph
    outputs = tuple(names.get(x, x) if isinstance(x, str) else x for x in graph.outputs)
    return Graph(graph.inputs, tuple(nodes), outputs)


def _same_value(node: Node, graph: Graph) -> str | None:
    """The operand that the node gives back unchanged."""
    if node.op == "rearrange" and len(node.outputs) == 1 and is_identity(node.attr("recipe")):
        return node.inputs[0] if isinstance(node.inputs[0], str) else None
    if node.op == "dropout" and node.attr("p") == 0 and not node.attr("varies"):
        return str(node.inputs[0])
    if node.op == "pad" and node.attr("before") == node.attr("after") == size(0) and isinstance(node.inputs[0], str):
        return node.inputs[0]
    if node.op == "einsum" and len(node.inputs) == 2:
        return _times_one(node, graph)
    for (op, at), neutral in NEUTRAL.items():
        if node.op == op and len(node.inputs) == 2:
            kept, other = node.inputs[1 - at], node.inputs[at]
            if isinstance(kept, str) and number_of(other) == neutral and kept in graph.values:
                return kept if graph.values[kept].type == node.outputs[0].type else None
    return None


def _times_one(node: Node, graph: Graph) -> str | None:
    """The other operand of an einsum with ones that neither sums nor moves anything."""
    recipe = node.attr("recipe")
    for at in (0, 1):
        maker = graph.producers.get(str(node.inputs[at]))
        kept, ones = recipe.inputs[1 - at], recipe.inputs[at]
        inside = {atom.name for atom in atoms_of(kept)}
        fits = recipe.outputs[0] == kept and all(atom.name in inside for atom in atoms_of(ones))
        if maker is not None and maker.op == "ones" and fits and isinstance(node.inputs[1 - at], str):
            return str(node.inputs[1 - at])
    return None


def _either_way(node: Node) -> dict[str, Operand]:
    """Results of a choice that are the same operand on both paths, or what it asks for where that is there."""
    if not isinstance(node.structure, ChoiceAttrs):
        return {}
    found: dict[str, Operand] = {}
    for at, value in enumerate(node.outputs):
        places = [
            next((i for i, inner in enumerate(region.inputs) if inner.name == region.outputs[at]), None)
            for region in node.regions
        ]
        if places[0] is not None and len(set(places)) == 1:
            found[value.name] = node.inputs[places[0]]
        elif node.op == "given" and places[0] == 0 and node.regions[1].outputs[at] is None:
            found[value.name] = node.inputs[0]
    return found


def _key(node: Node) -> object | None:
    """What equal nodes have in common; None for nodes that are never merged."""
    if node.op == "weight":
        return node.op, node.path, node.settings
    if node.op not in OPS or own_effect(node) & Effect.DRAWS or node.regions or node.callee is not None:
        return None
    zeros = tuple(signs_of_zeros((*node.inputs, *(value for _, value in node.attrs))))
    return node.op, node.inputs, node.attrs, zeros, tuple(value.type for value in node.outputs)


def simplify(definition: Definition) -> Definition:
    """The rules of this file, until none applies."""
    return on_graphs(forward)(rules_pass(RULES)(on_graphs(forward)(definition)))
