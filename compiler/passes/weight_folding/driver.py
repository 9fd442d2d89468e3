"""Folding: what training needs and use does not is computed once, and linear towers become single maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ogive.compiler.ir.model import Definition, Graph, Loop, Member, Model, Node, Weight
from ogive.compiler.passes.cleanup.deploy_flatten import flattened, read_members
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.simplify import simplify
from ogive.compiler.passes.conversion.compose import chained
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.result import Note, Passed, unchanged
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.outline.block_names import named_after_blocks
from ogive.compiler.passes.outline.driver import in_blocks
from ogive.compiler.passes.posets.average import average_pools
from ogive.compiler.passes.weight_folding.apply import Folding
from ogive.compiler.passes.weight_folding.backwards import moved_back
from ogive.compiler.passes.weight_folding.binding_time import BindingTimes, inner, scope_of_model, stored
from ogive.compiler.passes.weight_folding.norms import scaled_into
from ogive.compiler.passes.weight_folding.plan import Planner
from ogive.compiler.passes.weight_folding.report import left

ROUNDS = 8


def fold(model: Model, *, grow: bool = False, borders: bool = False) -> Passed:
    """The model as it is used: binding times first, then the affine normal form of what is linear.

    `grow` allows results that store more numbers than the source; `borders` allows maps of borders, stored where sizes
    are known and else computed, that cost or store more than what they replace.
    """
    averaged, averages = average_pools(model)
    found = _once(averaged, grow, borders)
    if averages:
        whole = chained(unchanged(model, averaged), found.conversion)
        found = replace(found, conversion=whole, notes=(*averages, *found.notes))
    for _ in range(ROUNDS):  # what was folded may leave a norm with linear readers alone
        more = _once(found.model, grow, borders)
        if more.conversion.is_identity and not any(note.done for note in more.notes):
            return named_after_blocks(found)
        notes = (*(note for note in found.notes if note.done), *more.notes)
        found = Passed(more.model, chained(found.conversion, more.conversion), notes, deployed=True)
    raise AssertionError(f"folding {model.name} does not settle: {found.notes[-1]}")


def _once(model: Model, grow: bool, borders: bool) -> Passed:
    flat, origins = flattened(model)
    flat = replace(flat, definition=simplify(inline(flat.definition)))
    definition = flat.definition
    root = scope_of_model()
    root.fresh.taken.update(_names(definition.graph))
    weights = {member.path: member for member in definition.members if isinstance(member, Weight)}
    static = BindingTimes(root, weights, grow)
    static.scan(definition.graph, root)
    notes: list[Note] = []
    graph = static.settled(_folded(definition.graph, root, static, notes, borders))
    made = root.all_targets()
    members = tuple(_members(definition, made))
    result = dead(replace(definition, graph=graph))
    result = replace(result, members=tuple(read_members(result.graph, members)))
    found = in_blocks(replace(flat, definition=result), origins)
    computed, targets = root.close()
    notes += list(left(result.graph, notes))
    return Passed(found, conversion(model, found, computed, targets), tuple(notes), deployed=True)


def _folded(graph: Graph, scope: ConversionScope, static: BindingTimes, notes: list[Note], borders: bool) -> Graph:
    """A graph with its regions folded first."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.regions:
            below = inner(node, scope)
            regions = tuple(_folded(region, below, static, notes, borders) for region in node.regions)
            node = replace(node, regions=regions)
        nodes.append(node)
    whole = moved_back(Graph(graph.inputs, tuple(nodes), graph.outputs), scope, static)
    whole = scaled_into(whole, scope, static, notes)
    planned = Planner(whole, scope, static, notes, borders).run()
    return stored(Folding(whole, scope, static, notes, planned).run(), scope, static, notes)


def _members(definition: Definition, made: Mapping[str, Weight]) -> list[Member]:
    """The members of the result in the order of the source; a new weight follows those of its place."""
    members: list[Member] = []
    left = dict(made)
    for member in definition.members:
        members.append(left.pop(member.path) if member.path in left else member)
        stem = member.path.rpartition(".")[0]
        if isinstance(member, Loop):
            continue
        for path in [p for p in left if p.rpartition(".")[0] == stem and p not in definition_paths(definition)]:
            members.append(left.pop(path))
    return [*members, *left.values()]


def definition_paths(definition: Definition) -> set[str]:
    """The paths of a definition's own members."""
    return {member.path for member in definition.members}


def _names(graph: Graph) -> set[str]:
    found = set(graph.values)
    for node in graph.walk():
        for region in node.regions:
            found.update(region.values)
    return found
