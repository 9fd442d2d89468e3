"""One graph of a model as it is deployed: calls inlined, statics as numbers, the deployed phase taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ogive.compiler.ir.model import Definition, Graph, Init, Instance, Loop, Member, Model, Weight
from ogive.compiler.ir.substitute import Fresh, Sizes, in_sizes, type_in_sizes
from ogive.compiler.passes.cleanup.flatten import Flattening, InlineContext, Names, Origins, vectorized_instances
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.sizes import size


def deployed(model: Model) -> Model:
    """The model with one definition, as `flattened` gives it."""
    return flattened(model)[0]


def flattened(model: Model, *, trained: bool = False) -> tuple[Model, Origins]:
    """The model with one definition and no call, no training phase, no dropout and no probe; same outputs, same paths.

    With `trained`, what trains stays: phases, dropout, updates of states and probes.

    Blocks that are vectorized (`each`, `over`, `grad`) stay instances, since their weights are not the plain ones. With
    it goes where each value stood.
    """
    source = model.definition
    sizes = {unknown: size(number) for unknown, number in model.bindings}
    asked = zip(source.graph.inputs, source.optional, strict=True)
    flat = Flattening(Fresh(set()), {value.name for value, optional in asked if optional}, trained=trained)
    inputs = tuple(replace(value, type=type_in_sizes(value.type, sizes)) for value in source.graph.inputs)
    flat.fresh.taken.update(value.name for value in inputs)
    flat.types.update((value.name, value.type) for value in inputs)
    names: Names = {value.name: value.name for value in inputs}
    place = InlineContext("", sizes, {}, dict(names), vectorized_instances(source), own=sizes)
    nodes, outputs = flat.flat(source.graph, names, place)
    graph = drop_dead(Graph(inputs, tuple(nodes), outputs))
    inits = tuple((path, init_in_sizes(init, sizes)) for path, init in model.inits)
    members = tuple(read_members(graph, tuple(all_members(source, sizes, "", inits, flat.vectorized))))
    bound = {unknown for unknown, _ in model.bindings}
    definition = replace(
        source,
        statics=(),
        graph=graph,
        members=members,
        conditions=tuple(condition.subs(sizes) for condition in source.conditions),
        facts=(),
        step=None,
        sizes=tuple(unknown for unknown in source.sizes if unknown not in bound),
    )
    return replace(model, definition=definition, bindings=(), inits=()), flat.origins


def read_members(graph: Graph, members: tuple[Member, ...]) -> Iterator[Member]:
    """The members that the graph reads, and the loops that hold them."""
    read = {node.path for node in graph.walk() if node.path}
    for member in members:
        if isinstance(member, Loop):
            inside = (other.path for other in members if not isinstance(other, Loop))
            if any(path in read and path.startswith(member.path + ".*.") for path in inside):
                yield member
        elif member.path in read:
            yield member


def all_members(
    definition: Definition, sizes: Sizes, prefix: str, inits: tuple[tuple[str, Init], ...], vectorized: set[str]
) -> Iterator[Member]:
    """Weights and loops below a definition under their full paths; the instances that are vectorized as they are."""
    for member in definition.members:
        path = prefix + member.path
        outer = tuple((p[len(member.path) + 1 :], i) for p, i in inits if p.startswith(member.path + "."))
        match member:
            case Weight():
                given = next((i for p, i in reversed(inits) if p == member.path), None)
                init = init_in_sizes(member.init, sizes) if given is None else given
                keep = None if member.keep is None else graph_in_sizes(member.keep, sizes)
                yield replace(member, path=path, type=type_in_sizes(member.type, sizes), init=init, keep=keep)
            case Loop(count=count):
                yield Loop(path, count.subs(sizes))
            case Instance():
                bindings = tuple((unknown, value.subs(sizes)) for unknown, value in member.bindings)
                below = (*((p, init_in_sizes(init, sizes)) for p, init in member.inits), *outer)
                if path in vectorized:
                    stacked = None if member.vectorized is None else member.vectorized.subs(sizes)
                    yield replace(member, path=path, bindings=bindings, inits=below, vectorized=stacked)
                else:
                    yield from all_members(member.definition, dict(bindings), path + ".", below, vectorized)


def init_in_sizes(init: Init, sizes: Sizes) -> Init:
    """An initializer at other sizes."""
    graph = None if init.graph is None else graph_in_sizes(init.graph, sizes)
    return Init(init.name, tuple((key, in_sizes(value, sizes)) for key, value in init.attrs), graph)


def graph_in_sizes(graph: Graph, sizes: Sizes) -> Graph:
    """A graph beside the model's at other sizes: an initializer, or what keeps a weight in bounds."""
    flat = Flattening(Fresh(set()))
    names: Names = {}
    inputs = tuple(flat.value(value, names, sizes) for value in graph.inputs)
    nodes, outputs = flat.flat(graph, names, InlineContext("", sizes, {}, {}))
    return Graph(inputs, tuple(nodes), outputs)
