"""The loop of a solver: what in it depends on the state, and a model that shows it."""

from __future__ import annotations

from dataclasses import replace

from ogive.compiler.ir.attributes import RepeatAttrs
from ogive.compiler.ir.model import Graph, Model, Node, Value
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.passes.cleanup.deploy_flatten import read_members
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.grammar.spelling import close


def solver_loop(flat: Model, at: str) -> tuple[Node, RepeatAttrs]:
    """The loop that is asked for, whose one state is a tensor of vectors."""
    loops = [(node, node.structure) for node in flat.definition.graph.nodes if isinstance(node.structure, RepeatAttrs)]
    known = [told.path for _, told in loops]
    if at and at not in known:
        raise PassError("E0810", f"`reduce_order` finds no `repeat` at `{at}`; there are: {', '.join(known) or 'none'}",
                        close(at, known))  # fmt: skip
    chosen = [(node, told) for node, told in loops if at in ("", told.path)]
    if len(chosen) != 1:
        text = f"{flat.name} has {len(chosen) or 'no'} loops outside of others"
        raise PassError("E0810" if chosen else "E0811", text, f"say `at`: {', '.join(known)}" if chosen else "")
    node, told = chosen[0]
    if told.carried != 1 or told.sliced or len(node.outputs) != 1:
        raise PassError("E0811", f"`{told.path}` carries one state, takes no slices and yields nothing, to be reduced")
    axes = node.outputs[0].type.axes
    if node.outputs[0].type.elem not in FLOATS or not axes or axes[-1].pack is not None or not axes[-1].size.is_number:
        raise PassError("E0811", f"the state of `{told.path}` is {node.outputs[0].type}, not vectors of a known length")
    return node, told


def function_sites(node: Node) -> dict[str, str]:
    """For each function of vectors that depend on the state, by its result: a name, which those of one layer share."""
    region = node.regions[0]
    layers: dict[str, str] = {region.inputs[0].name: ""}
    paths = {each.outputs[0].name: each.path for each in region.nodes if each.op == "weight"}
    found: dict[str, str] = {}
    for each in region.nodes:
        read = [x for x in each.inputs if isinstance(x, str) and x in layers]
        if not read or each.op == "weight":
            continue
        own = [paths[x].removesuffix(".weight") for x in each.inputs if isinstance(x, str) and x in paths]
        layer = own[0] if each.op in ("linear", "matmul") and own else layers[read[0]]
        for value in each.outputs:
            layers[value.name] = layer
        if _is_function(each, layers):
            found[each.outputs[0].name] = f"{layer or 'state'}: {each.op}"
    return found


def _is_function(node: Node, vectors: dict[str, str]) -> bool:
    """Whether an operation is applied to each entry, and is no linear one."""
    if OPS[node.op].kind != "elementwise" or node.op in ("add", "sub", "neg"):
        return False
    read = [isinstance(x, str) and x in vectors for x in node.inputs]
    return node.op not in ("mul", "div") or (sum(read) > 1 or (not read[0] and node.op == "div"))


def dependent_values(node: Node) -> set[str]:
    """The values of a loop that depend on its state."""
    moved = {node.regions[0].inputs[0].name}
    for each in node.regions[0].nodes:
        if not moved.isdisjoint(each.operands):
            moved |= {value.name for value in each.outputs}
    return moved


def weights_that_stay(flat: Model, node: Node) -> set[str]:
    """The weights that something reads beside what depends on the state of the loop."""
    region, moved = node.regions[0], dependent_values(node)
    paths = {each.outputs[0].name: each.path for each in region.nodes if each.op == "weight"}
    plain = [
        each for each in region.nodes if each.op != "weight" and each.outputs and each.outputs[0].name not in moved
    ]
    found = {paths[x] for each in plain for x in each.operands if x in paths}
    inside = {id(each) for each in region.walk()}
    return found | {each.path for each in flat.definition.graph.walk() if each.path and id(each) not in inside}


def probed_model(
    flat: Model, node: Node, told: RepeatAttrs, sites: dict[str, str]
) -> tuple[Model, dict[str, list[int]]]:  # fmt: skip
    """The model that gives all states of the loop ("") and the results of its functions, by site: places of outputs."""
    region = node.regions[0]
    state = region.inputs[0]
    seen = [(state, ""), *((region.values[name], site) for name, site in sites.items())]
    fresh = Fresh.of(flat.definition.graph)
    more = [Value(fresh.name("seen"), TensorType(v.type.elem, (Axis(told.count), *v.type.axes))) for v, _ in seen]
    inside = Graph(region.inputs, region.nodes, (*region.outputs, *(value.name for value, _ in seen)))
    wide = replace(node, outputs=(*node.outputs, *more), regions=(inside,))
    nodes = tuple(wide if each is node else each for each in flat.definition.graph.nodes)
    outputs = (node.outputs[0].name, *(value.name for value in more))
    graph = drop_dead(Graph(flat.definition.graph.inputs, nodes, outputs))
    groups: dict[str, list[int]] = {"": [0]}  # the last state too
    for place, (_, site) in enumerate(seen, 1):
        groups.setdefault(site, []).append(place)
    members = tuple(read_members(graph, flat.definition.members))
    names = (None,) * len(outputs)
    definition = replace(flat.definition, graph=graph, output_names=names, members=members)
    return replace(flat, definition=definition), groups
