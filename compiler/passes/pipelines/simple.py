"""The passes `simplify`, `fuse` and `specialize`, which leave all weights as they are."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.model import Graph, Instance, Loop, Member, Model, Weight
from ogive.compiler.ir.substitute import Fresh, Sizes, copied, type_in_sizes
from ogive.compiler.ir_tools.open_sizes import open_sizes, unfit_names, unfit_numbers
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.simplify import simplify
from ogive.compiler.passes.conversion.result import Passed, PassError, unchanged
from ogive.compiler.passes.fusion.fuse import fuse
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.posets.average import average_pools
from ogive.compiler.sizes import FALSE, size


def simplified(model: Model) -> Passed:
    """Dead code, common subexpressions, rearrangements after one another, identities, pools that are averages."""
    averaged, notes = average_pools(model)
    result = optimized(averaged, (inline, simplify, dead))
    return Passed(result, unchanged(model, result), notes)


def fused(model: Model) -> Passed:
    """Attention, norms, linear maps with a bias and the like, as the operations for which targets have kernels."""
    result = optimized(model, (inline, simplify, fuse, simplify, dead))
    return Passed(result, unchanged(model, result))


def specialize(model: Model, **sizes: int) -> Passed:
    """Sizes of the inputs as numbers: `specialize[b=1, h=224]`."""
    definition = model.definition
    known = {unknown.name: unknown for unknown in open_sizes(model)}
    if said := unfit_names(model, sizes) or unfit_numbers(model, sizes):
        raise PassError("E0810", said)
    fixed: Sizes = {known[name]: size(number) for name, number in sizes.items()}
    conditions = tuple(condition.subs(fixed) for condition in definition.conditions)
    entry = tuple(condition.subs(fixed) for condition in model.conditions)
    if FALSE in entry:
        broken = model.conditions[entry.index(FALSE)]
        raise PassError("E0811", f"{model.name} demands {broken}: these sizes do not meet it")
    inputs = tuple(replace(value, type=type_in_sizes(value.type, fixed)) for value in definition.graph.inputs)
    fresh = Fresh({value.name for value in inputs})
    nodes, outputs = copied(definition.graph, fixed, {v.name: v.name for v in inputs}, fresh, lambda path: path)
    fixed_definition = replace(
        definition,
        graph=Graph(inputs, nodes, outputs),
        step=_step(definition.step, fixed),
        sizes=tuple(unknown for unknown in definition.sizes if unknown not in fixed),
        members=tuple(_member(member, fixed) for member in definition.members),
        conditions=conditions,
    )
    result = replace(model, definition=fixed_definition, conditions=entry)
    return Passed(result, unchanged(model, result))


def _step(graph: Graph | None, fixed: Sizes) -> Graph | None:
    if graph is None:
        return None
    nodes, outputs = copied(graph, fixed, {}, Fresh(set()), lambda path: path)
    return Graph((), nodes, outputs)


def _member(member: Member, fixed: Sizes) -> Member:
    match member:
        case Weight():
            return replace(member, type=type_in_sizes(member.type, fixed))
        case Loop(count=count):
            return replace(member, count=count.subs(fixed))
        case Instance():
            return replace(member, bindings=tuple((u, value.subs(fixed)) for u, value in member.bindings))
