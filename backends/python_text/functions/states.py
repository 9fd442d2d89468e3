"""States that are read by more than their own update: such a reading needs a copy, since updates are in place.

And which forwards change states themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from ogive.backends.python_text.module_tree import Unit
from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Definition, Graph, Node
from ogive.compiler.ir_tools.states import Known, changed, changed_by


def copied_states(definition: Definition) -> frozenset[str]:
    """The paths of states that a definition changes, and whose old value it uses for something else too."""
    known: Known = {}
    read = {node.path for node in definition.graph.walk() if node.op == "weight"}
    paths = read & changed(definition.graph, known)
    return frozenset(path for path in paths if _used_otherwise(definition.graph, path, frozenset(), known))


def _used_otherwise(graph: Graph, path: str, names: frozenset[str], known: Known) -> bool:
    """Whether a graph that changes the state, or holds one that does, also uses its value beside the update."""
    names |= {node.outputs[0].name for node in graph.nodes if node.op == "weight" and node.path == path}
    holders = [node for node in graph.nodes if any(path in changed(region, known) for region in node.regions)]
    here = any(path in changed_by(node, known) for node in graph.nodes)
    if not here and not holders:
        return False
    for node in holders:
        for region in node.regions:
            pairs = zip(reversed(region.inputs), reversed(node.inputs), strict=False)
            inner = frozenset(value.name for value, operand in pairs if operand in names)
            if path in changed(region, known) and _used_otherwise(region, path, inner, known):
                return True
    only = _cone(graph, path)
    # a call that is handed the state takes the state itself, not its value
    readers = [node for name in names & set(graph.values) for node in graph.users[name] if name in node.inputs]
    return any(id(node) not in only and node not in holders for node in readers) or bool(names & set(graph.outputs))


def _cone(graph: Graph, path: str) -> set[int]:
    """The nodes whose results go to the update alone."""
    only = {id(node) for node in graph.nodes if node.op == "update" and node.path == path}
    for node in reversed(graph.nodes):
        if not node.outputs or any(value.name in graph.outputs for value in node.outputs):
            continue
        users: list[Node] = [user for value in node.outputs for user in graph.users[value.name]]
        if users and all(id(user) in only for user in users):
            only.add(id(node))
    return only


def changes(unit: Unit, is_layer: Callable[[Definition], bool]) -> bool:
    """Whether a forward changes states itself, as updates and layers of a framework do, or reads some that it changes.

    Those below a class of its own are that one's, but for what is read from all iterations of a loop.
    """
    known: Known = {}
    read = copied_states(unit.definition) & changed(unit.graph, known)

    def acts(node: Node) -> bool:
        if node.op == "call":
            return node.callee is not None and is_layer(node.callee) and bool(changed_by(node, known))
        return node.op == "update" or (node.op == "weight" and node.path in read)

    def mine(node: Node) -> bool:
        below = any(iteration.own(node.path) is not None for iteration in unit.iterations)
        stacked = node.structure.stacked if isinstance(node.structure, WeightAttrs) else 0
        return bool(stacked) or (unit.own(node.path) is not None and not below)

    return any(acts(node) and mine(node) for node in unit.graph.walk())
