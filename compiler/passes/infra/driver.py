"""Passes over definitions: each is rewritten once, callees first; what does not change is the same object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, count

from ogive.compiler.ir.model import Definition, Graph, Init, Instance, Member, Model, Node, Weight

Pass = Callable[[Definition], Definition]
GraphPass = Callable[[Graph], Graph]


def optimized(model: Model, passes: Sequence[Pass], after: Callable[[Definition], None] = lambda _: None) -> Model:
    """The model with every definition rewritten by the passes in turn; `after` sees each result (a verifier)."""
    model = named_apart(model)
    done: dict[str, Definition] = {}

    def rewritten(definition: Definition) -> Definition:
        if definition.name not in done:
            result = with_callees(definition, rewritten)
            for step in passes:
                result = step(result)
                after(result)
            done[definition.name] = result
        return done[definition.name]

    found = rewritten(model.definition)
    return model if found is model.definition else replace(model, definition=found)


def named_apart(model: Model) -> Model:
    """The model with a name of its own for each definition: `Linear`, `Linear_2` where it is used at another rank."""
    done: dict[int, Definition] = {}
    originals: list[Definition] = []  # keeps their identities taken
    taken: set[str] = set()

    def renamed(definition: Definition) -> Definition:
        if id(definition) not in done:
            originals.append(definition)
            result = with_callees(definition, renamed)
            name = free(definition.name)
            taken.add(name)
            done[id(definition)] = result if name == result.name else replace(result, name=name)
        return done[id(definition)]

    def free(name: str) -> str:
        numbers = (f"_{number}" for number in count(2))
        return next(name + ending for ending in chain(("",), numbers) if name + ending not in taken)

    found = renamed(model.definition)
    return model if found is model.definition else replace(model, definition=found)


def with_callees(definition: Definition, rewritten: Pass) -> Definition:
    """The definition with each definition that it uses replaced by the rewritten one."""

    def changed(graph: Graph) -> Graph:
        return map_nodes(graph, lambda node: _node(node, rewritten))

    members = tuple(_member(member, rewritten, changed) for member in definition.members)
    graph, step = changed(definition.graph), None if definition.step is None else changed(definition.step)
    same = graph is definition.graph and step is definition.step
    same = same and all(a is b for a, b in zip(members, definition.members, strict=True))
    return definition if same else replace(definition, members=members, graph=graph, step=step)


def _member(member: Member, rewritten: Pass, changed: GraphPass) -> Member:
    """A member with other definitions below it and in the graphs by which its weights start and stay."""

    def start(init: Init) -> Init:
        graph = None if init.graph is None else changed(init.graph)
        return init if graph is init.graph else replace(init, graph=graph)

    if isinstance(member, Weight):
        init, keep = start(member.init), None if member.keep is None else changed(member.keep)
        same = init is member.init and keep is member.keep
        return member if same else replace(member, init=init, keep=keep)
    if not isinstance(member, Instance):
        return member
    found = rewritten(member.definition)
    inits = tuple((path, start(init)) for path, init in member.inits)
    keeps = tuple((path, changed(keep)) for path, keep in member.keeps)
    same = found is member.definition and all(a is b for (_, a), (_, b) in zip(inits, member.inits, strict=True))
    same = same and all(a is b for (_, a), (_, b) in zip(keeps, member.keeps, strict=True))
    return member if same else replace(member, definition=found, inits=inits, keeps=keeps)


def _node(node: Node, rewritten: Pass) -> Node:
    found = rewritten(node.callee) if node.callee is not None else None
    return node if found is node.callee else node.calling(found)


def map_nodes(graph: Graph, change: Callable[[Node], Node]) -> Graph:
    """The graph with every node changed, those of regions first."""
    nodes = tuple(change(_regions(node, change)) for node in graph.nodes)
    same = all(a is b for a, b in zip(nodes, graph.nodes, strict=True))
    return graph if same else Graph(graph.inputs, nodes, graph.outputs)


def _regions(node: Node, change: Callable[[Node], Node]) -> Node:
    regions = tuple(map_nodes(region, change) for region in node.regions)
    same = all(a is b for a, b in zip(regions, node.regions, strict=True))
    return node if same else replace(node, regions=regions)


def on_graphs(change: GraphPass) -> Pass:
    """A pass that rewrites each graph by itself, regions before the graph that holds them."""

    def whole(graph: Graph) -> Graph:
        nodes = []
        for node in graph.nodes:
            regions = tuple(whole(region) for region in node.regions)
            same = all(a is b for a, b in zip(regions, node.regions, strict=True))
            nodes.append(node if same else replace(node, regions=regions))
        same = all(a is b for a, b in zip(nodes, graph.nodes, strict=True))
        return change(graph if same else Graph(graph.inputs, tuple(nodes), graph.outputs))

    def apply(definition: Definition) -> Definition:
        graph = whole(definition.graph)
        return definition if graph is definition.graph else replace(definition, graph=graph)

    return apply
