"""The loop of a solver: what in it depends on the state, and a model that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ogive.compiler.ir.attributes import RepeatAttrs
from ogive.compiler.ir.model import Graph, Model, Node, Operand, Value
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.passes.cleanup.deploy_flatten import read_members
from ogive.compiler.passes.conversion.result import PassError
from ogive.compiler.passes.infra.dce import drop_dead
from ogive.compiler.sizes import size
from ogive.grammar.spelling import close

Types = Mapping[str, TensorType]


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
    type, axes = node.outputs[0].type, node.outputs[0].type.axes
    if type.elem != "float":
        raise PassError("E0811", f"the state of `{told.path}` is {type}, whose elements are not those of the weights")
    if not axes or axes[-1].pack is not None or not axes[-1].size.is_number:
        raise PassError("E0811", f"the state of `{told.path}` is {type}, not vectors of a known length")
    return node, told


def function_sites(flat: Model, node: Node) -> dict[str, str]:
    """For each function of vectors that depend on the state, by its result: a name, which those of one layer share.

    Raises `PassError` where the loop does to its state what is not reduced.
    """
    region = node.regions[0]
    layers: dict[str, str] = {region.inputs[0].name: ""}
    paths = {each.outputs[0].name: each.path for each in region.nodes if each.op == "weight"}
    types = {value.name: value.type for graph in (flat.definition.graph, region) for value in graph.values.values()}
    found: dict[str, str] = {}
    for each in region.nodes:
        read = [x for x in each.operands if x in layers]
        if not read:
            continue
        _refuse_unlike_vectors(each)
        own = [paths[x].removesuffix(".weight") for x in each.inputs if isinstance(x, str) and x in paths]
        layer = own[0] if each.op in ("linear", "matmul") and own else layers[read[0]]
        for value in each.outputs:
            layers[value.name] = layer
        if _is_function(each, layers, paths, types):
            found[each.outputs[0].name] = f"{layer or 'state'}: {each.op}"
    return found


def _refuse_unlike_vectors(node: Node) -> None:
    """Refuses an operation on vectors whose results are no vectors of numbers, entry by entry or by a map."""
    if node.structure is not None:
        raise PassError("E0811", f"a `{node.op}` on the state of a loop is not reduced")
    if OPS[node.op].kind != "elementwise" and node.op not in ("linear", "matmul", "slice", "concat"):
        raise PassError("E0811", f"`{node.op}` on the state of a loop mixes its entries: it is not reduced")
    type = node.outputs[0].type
    if type.elem not in FLOATS:
        raise PassError("E0811", f"`{node.op}` on the state of a loop gives {type}, no numbers: it is not reduced")
    if not type.axes or type.axes[-1].pack is not None or not type.axes[-1].size.is_number:
        raise PassError("E0811", f"`{node.op}` on the state of a loop gives {type}, no vectors of a known length")


def _is_function(node: Node, vectors: Mapping[str, str], paths: Mapping[str, str], types: Types) -> bool:
    """Whether an operation is applied to each entry, and is no linear one."""
    if OPS[node.op].kind != "elementwise" or node.op in ("add", "sub", "neg"):
        return False
    if node.op not in ("mul", "div"):
        return True
    others = [x for x in node.inputs if x not in vectors]
    if len(others) != 1 or (node.op == "div" and others[0] == node.inputs[0]):
        return True
    (by,) = others
    length = node.outputs[0].type.axes[-1].size.number
    return not is_number(by, types) and not (by in paths and is_vector(types[str(by)], length))


def is_number(x: Operand, types: Types) -> bool:
    """Whether an operand is one number, the same for all entries of a vector."""
    if not isinstance(x, str):
        return True
    axes = types[x].axes if x in types else None
    return axes is not None and (not axes or (axes[-1].pack is None and axes[-1].size == size(1)))


def is_vector(type: TensorType, length: int) -> bool:
    """Whether a type is that of one vector of so many entries."""
    return len(type.axes) == 1 and type.axes[0].pack is None and type.axes[0].size == size(length)


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
    shapes = {each.outputs[0].name: each.outputs[0].type for each in region.nodes if each.op == "weight"}
    others = [each for each in region.nodes if each.op != "weight" and each.outputs]
    plain = [each for each in others if each.outputs[0].name not in moved]
    found = {paths[x] for each in plain for x in each.operands if x in paths}
    entries = [each for each in others if OPS.get(each.op) and OPS[each.op].kind == "elementwise"]
    found |= {paths[x] for each in entries for x in each.operands if x in paths and not _is_vector_of(each, shapes[x])}
    inside = {id(each) for each in region.walk()}
    return found | {each.path for each in flat.definition.graph.walk() if each.path and id(each) not in inside}


def _is_vector_of(node: Node, type: TensorType) -> bool:
    """Whether a type is that of one vector, of as many entries as those of the result of a node."""
    axes = node.outputs[0].type.axes
    return bool(axes) and axes[-1].size.is_number and is_vector(type, axes[-1].size.number)


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
