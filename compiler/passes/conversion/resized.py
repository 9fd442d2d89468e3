"""A model whose sizes are others: numbers, or expressions in them."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.model import Graph, Instance, Loop, Member, Model, Weight
from ogive.compiler.ir.substitute import Fresh, Sizes, copied, type_in_sizes
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.sizes import FALSE


def resized(model: Model, sizes: Sizes) -> Model:
    """The model with these sizes in the place of some of its open ones; those that no size speaks of any more are gone.

    Raises `PassError` where they break a condition of the model.
    """
    definition = model.definition
    entry = tuple(condition.subs(sizes) for condition in model.conditions)
    if FALSE in entry:
        broken = model.conditions[entry.index(FALSE)]
        raise PassError("E0811", f"{model.name} demands {broken}: these sizes do not meet it")
    inputs = tuple(replace(value, type=type_in_sizes(value.type, sizes)) for value in definition.graph.inputs)
    fresh = Fresh({value.name for value in inputs})
    nodes, outputs = copied(definition.graph, sizes, {v.name: v.name for v in inputs}, fresh, lambda path: path)
    spoken = {unknown for value in sizes.values() for unknown in value.unknowns}
    made = replace(
        definition,
        graph=Graph(inputs, nodes, outputs),
        step=_step(definition.step, sizes),
        sizes=tuple(unknown for unknown in definition.sizes if unknown not in sizes or unknown in spoken),
        members=tuple(_member(member, sizes) for member in definition.members),
        conditions=tuple(condition.subs(sizes) for condition in definition.conditions),
    )
    return replace(model, definition=made, conditions=entry)


def _step(graph: Graph | None, sizes: Sizes) -> Graph | None:
    if graph is None:
        return None
    nodes, outputs = copied(graph, sizes, {}, Fresh(set()), lambda path: path)
    return Graph((), nodes, outputs)


def _member(member: Member, sizes: Sizes) -> Member:
    match member:
        case Weight():
            return replace(member, type=type_in_sizes(member.type, sizes))
        case Loop(count=count):
            return replace(member, count=count.subs(sizes))
        case Instance():
            return replace(member, bindings=tuple((u, value.subs(sizes)) for u, value in member.bindings))
