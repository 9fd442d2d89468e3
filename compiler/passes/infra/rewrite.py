"""Local rules and their driver: each rule looks at one node, and gives the nodes to stand in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ogive.compiler.ir.model import Const, Definition, Graph, Node, Operand
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.passes.infra.driver import Pass
from ogive.compiler.sizes import Size

# the nodes in place of this one (they produce all its outputs), or None where the rule does not apply
Rule = Callable[[Node, Graph, Fresh], Sequence[Node] | None]
ROUNDS = 64


def rules_pass(rules: Sequence[Rule]) -> Pass:
    """A pass that applies rules to every graph until none applies."""

    def apply(definition: Definition) -> Definition:
        fresh: list[Fresh] = []

        def names() -> Fresh:
            if not fresh:
                fresh.append(Fresh.of(definition.graph))
            return fresh[0]

        graph = settled(definition.graph, rules, names)
        return definition if graph is definition.graph else replace(definition, graph=graph)

    return apply


def settled(graph: Graph, rules: Sequence[Rule], names: Callable[[], Fresh]) -> Graph:
    """A graph, regions first, to which none of the rules applies any more."""
    graph = _regions(graph, rules, names)
    for _ in range(ROUNDS):
        changed = _round(graph, rules, names)
        if changed is graph:
            return graph
        graph = drop_dead(changed)
    raise AssertionError(f"rules do not settle: {', '.join(rule.__name__ for rule in rules)}")


def _regions(graph: Graph, rules: Sequence[Rule], names: Callable[[], Fresh]) -> Graph:
    nodes = []
    for node in graph.nodes:
        regions = tuple(settled(region, rules, names) for region in node.regions)
        same = all(a is b for a, b in zip(regions, node.regions, strict=True))
        nodes.append(node if same else replace(node, regions=regions))
    same = all(a is b for a, b in zip(nodes, graph.nodes, strict=True))
    return graph if same else Graph(graph.inputs, tuple(nodes), graph.outputs)


def _round(graph: Graph, rules: Sequence[Rule], names: Callable[[], Fresh]) -> Graph:
    nodes: list[Node] = []
    changed = False
    for node in graph.nodes:
        found = next((made for rule in rules if (made := rule(node, graph, names())) is not None), None)
        nodes += [node] if found is None else found
        changed = changed or found is not None
    return Graph(graph.inputs, tuple(nodes), graph.outputs) if changed else graph


def uses(graph: Graph, name: str) -> int:
    """How often a value is read, as an output of the graph too."""
    return len(graph.users[name]) + graph.outputs.count(name)


def number_of(operand: Operand) -> int | float | None:
    """The number that a literal operand is, where no size is open in it."""
    value = operand.value if isinstance(operand, Const) else None
    if isinstance(value, Size):
        return value.number if value.is_number else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def producer(graph: Graph, operand: object, op: str | None = None) -> Node | None:
    """The node that makes an operand for one reader alone; with `op`, only if it is that operation."""
    if not isinstance(operand, str) or operand not in graph.producers or uses(graph, operand) != 1:
        return None
    node = graph.producers[operand]
    return node if op is None or node.op == op else None
