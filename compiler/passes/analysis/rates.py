"""Finds the dropouts of rate 0 that are one form of a block whose other forms drop something at the same place.

A rate of 0 does nothing, and goes where it is what the block is. Where it is one of several rates of a block (the first
of stochastic depth, which grows with the layer), the attribute `varies` keeps it: one class takes all rates.
"""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.model import Definition, Model, Node
from ogive.compiler.passes.infra.driver import Pass, map_nodes, named_apart, optimized

Places = list[tuple[str, object]]  # the dropouts of a definition, in order: the names of their results, their rates


def mark_rates(model: Model, before: Pass) -> Model:
    """The model, after a pass that brings dropouts to their places, with `varies` at each of these of rate 0."""
    if not _zero(model.definition, {}):
        return model
    model = named_apart(optimized(model, (before,)))
    forms: dict[str, dict[int, dict[str, Places]]] = {}  # by block, by number of dropouts, by definition

    def look(definition: Definition) -> Definition:
        found = [(node.outputs[0].name, node.attr("p")) for node in definition.graph.walk() if node.op == "dropout"]
        forms.setdefault(definition.block, {}).setdefault(len(found), {})[definition.name] = found
        return definition

    optimized(model, (look,))
    kept: set[tuple[str, str]] = set()
    for same in (same for counts in forms.values() for same in counts.values()):
        for column in zip(*same.values(), strict=True):
            if any(rate != 0 for _, rate in column):
                kept |= {(name, value) for name, (value, rate) in zip(same, column, strict=True) if rate == 0}

    def marked(definition: Definition) -> Definition:
        def mark(node: Node) -> Node:
            varies = node.op == "dropout" and (definition.name, node.outputs[0].name) in kept
            return replace(node, attrs=(*node.attrs, ("varies", True))) if varies else node

        graph = map_nodes(definition.graph, mark)
        return definition if graph is definition.graph else replace(definition, graph=graph)

    return optimized(model, (marked,)) if kept else model


def _zero(definition: Definition, known: dict[int, bool]) -> bool:
    """Whether there is a dropout of rate 0 in a definition or below it."""
    if id(definition) not in known:
        known[id(definition)] = any(
            (node.op == "dropout" and node.attr("p") == 0) or (node.callee is not None and _zero(node.callee, known))
            for node in definition.graph.walk()
        )
    return known[id(definition)]
