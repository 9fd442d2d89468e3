"""Drops optional inputs that no call gives and no body reads: a block asks for what its model hands over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from ogive.compiler.ir.model import Bindings, Definition, Graph, Instance, Model, Node, Operand
from ogive.compiler.ir.weights import instance_at
from ogive.compiler.ir_tools.mentions import unknowns_of
from ogive.compiler.passes.infra.driver import map_nodes, optimized
from ogive.compiler.sizes import Unknown

Item = TypeVar("Item")
Dropped = Mapping[str, frozenset[int]]  # by the name of a definition


def without_ungiven(model: Model) -> Model:
    """The model in which the blocks that it uses have lost such inputs. Its own stay as they are."""
    dropped = _dropped(model)
    if not dropped:
        return model

    def fewer(definition: Definition) -> Definition:
        graph = map_nodes(definition.graph, lambda node: _call(node, dropped))
        members = tuple(_member(each) if isinstance(each, Instance) else each for each in definition.members)
        at = dropped.get(definition.name)
        if at is None:
            same = graph is definition.graph and all(a is b for a, b in zip(members, definition.members, strict=True))
            return definition if same else replace(definition, graph=graph, members=members)
        lost = _lost(definition, at)
        return replace(
            definition,
            sizes=tuple(size for size in definition.sizes if size not in lost),
            graph=Graph(_kept(graph.inputs, at), graph.nodes, graph.outputs),
            optional=_kept(definition.optional, at),
            members=members,
            conditions=tuple(c for c in definition.conditions if not c.unknowns & lost),
            facts=tuple(c for c in definition.facts if not c.unknowns & lost),
        )

    return optimized(model, (fewer,))


def _dropped(model: Model) -> Dropped:
    """For each definition the places of inputs that it can do without, and that all calls leave out.

    The forms of one instance are one class: they keep the same inputs.
    """
    used: dict[str, Definition] = {}
    _collect(model.definition, used)
    places: dict[str, frozenset[int]] = {}
    for name, definition in used.items():
        optional = frozenset(at for at, optional in enumerate(definition.optional) if optional) - _read(definition)
        places[name] = optional if _free(definition, optional) else frozenset()
    places[model.definition.name] = frozenset()
    forms: list[tuple[str, str]] = []
    for owner in used.values():
        for graph in owner.graphs:
            for node in graph.walk():
                if node.callee is None:
                    continue
                places[node.callee.name] &= frozenset(at for at, operand in enumerate(node.inputs) if operand is None)
                made = instance_at(owner, node.path)
                forms += [] if made is None else [(made.name, node.callee.name)]
    changed = True
    while changed:
        changed = False
        for a, b in forms:
            if places[a] != places[b]:
                places[a] = places[b] = places[a] & places[b]
                changed = True
    return {name: each for name, each in places.items() if each}


def _collect(definition: Definition, used: dict[str, Definition]) -> None:
    if definition.name not in used:
        used[definition.name] = definition
        for callee in definition.callees:
            _collect(callee, used)


def _read(definition: Definition) -> frozenset[int]:
    """The places of inputs that are read."""
    graph = definition.graph
    names = {name for node in graph.nodes for name in node.operands} | {x for x in graph.outputs if isinstance(x, str)}
    return frozenset(at for at, value in enumerate(graph.inputs) if value.name in names)


def _lost(definition: Definition, places: frozenset[int]) -> frozenset[Unknown]:
    """The sizes that only inputs at these places bind."""
    inputs = definition.graph.inputs
    bound = [frozenset(u for axis in value.type.axes for u in axis.size.unknowns) for value in inputs]
    others = {u for at, unknowns in enumerate(bound) if at not in places for u in unknowns}
    own = {u for at in places for u in bound[at]} & set(definition.sizes)
    return frozenset(own - others)


def _free(definition: Definition, places: frozenset[int]) -> bool:
    """Whether nothing but these inputs speaks of the sizes that they alone bind."""
    lost = _lost(definition, places)
    nodes = [node for graph in definition.graphs for node in graph.walk()]
    told: list[Iterable[object]] = [(value.type for value in node.outputs) for node in nodes]
    told += [(value.type for region in node.regions for value in region.inputs) for node in nodes]
    told += [(value for _, value in (*node.settings, *node.bindings)) for node in nodes]
    told += [(size for _, size in each.bindings) for each in definition.instances]
    told += [(weight.type for weight in definition.weights)]
    return not lost or not any(lost & set(unknowns_of(each)) for values in told for each in values)


def _kept(items: tuple[Item, ...], places: frozenset[int]) -> tuple[Item, ...]:
    return tuple(item for at, item in enumerate(items) if at not in places)


def _call(node: Node, dropped: Dropped) -> Node:
    places = None if node.callee is None else dropped.get(node.callee.name)
    if node.callee is None or places is None:
        return node
    inputs: tuple[Operand, ...] = _kept(node.inputs, places)
    return replace(node.calling(bindings=_bound(node.bindings, node.callee)), inputs=inputs)


def _member(instance: Instance) -> Instance:
    bindings = _bound(instance.bindings, instance.definition)
    return instance if bindings == instance.bindings else replace(instance, bindings=bindings)


def _bound(bindings: Bindings, callee: Definition) -> Bindings:
    """The sizes that the callee still has."""
    own = {*callee.sizes, *(static.unknown for static in callee.statics)}
    return tuple((unknown, size) for unknown, size in bindings if unknown in own)
