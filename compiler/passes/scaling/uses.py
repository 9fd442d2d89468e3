"""Where the weights of a flattened model are used: as what operand of what operation, summed over which axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ogive.compiler.ir.model import Graph, Node, Value
from ogive.compiler.ops import OPS
from ogive.compiler.ops.recipe import atoms_of
from ogive.compiler.sizes import Size

PASSING = ("cast", "stop_gradient")
ALONG = (*PASSING, "rearrange", "expand", "slice", "split", "neg", "select", "dropout", "concat")


@dataclass(frozen=True, slots=True)
class WeightUse:
    """A weight at an operand of a node: what it is summed over (`into`), what each sum makes (`out`).

    With neither it stands entry by entry; None: the operation does not say.
    """

    path: str
    node: Node
    operand: int
    into: tuple[Size, ...] | None
    out: tuple[Size, ...] | None


@dataclass(frozen=True, slots=True)
class LogitUse:
    """A product of two signals that a softmax reads, or the operation `attention`, and what it sums over."""

    node: Node
    summed: tuple[Size, ...]


def weight_uses(graph: Graph, outside: Mapping[str, str] | None = None) -> Iterator[WeightUse]:
    """All uses of weights in a graph and in its regions; `outside` says which inputs are weights."""
    paths: dict[str, str] = dict(outside or {})
    for node in graph.nodes:
        if node.op == "weight":
            paths[node.outputs[0].name] = node.path
            continue
        if node.op in PASSING and node.inputs[0] in paths:
            paths[node.outputs[0].name] = paths[str(node.inputs[0])]
            continue
        for region in node.regions:
            if len(region.inputs) == len(node.inputs):
                handed = {
                    value.name: paths[x]
                    for value, x in zip(region.inputs, node.inputs, strict=True)
                    if isinstance(x, str) and x in paths
                }
                yield from weight_uses(region, handed)
            else:
                yield from weight_uses(region)
        if node.regions:
            continue
        for at, operand in enumerate(node.inputs):
            if isinstance(operand, str) and operand in paths:
                into, out = _fans(node, at, graph.values[operand])
                yield WeightUse(paths[operand], node, at, into, out)


Fans = tuple[tuple[Size, ...] | None, tuple[Size, ...] | None]


def _fans(node: Node, at: int, value: Value) -> Fans:
    sizes = [axis.size for axis in value.type.axes]
    spec = OPS.get(node.op)
    match node.op:
        case "linear" | "conv" if at == 1:
            return (sizes[1], *sizes[2:]), (sizes[0], *sizes[2:])
        case "conv_transpose" if at == 1:
            return (sizes[0], *sizes[2:]), (sizes[1], *sizes[2:])
        case "take" if at == 0:
            axis = int(node.attr("axis"))
            return (sizes[axis],), tuple(each for place, each in enumerate(sizes) if place != axis)
        case "matmul" if len(sizes) == 2:
            return ((sizes[0],), (sizes[1],)) if at == 1 else ((sizes[1],), (sizes[0],))
        case "einsum":
            return _einsum(node, at)
    norms = ("layer_norm", "rms_norm", "batch_norm", "batch_norm_train", "group_norm")
    if node.op in norms or (spec is not None and (spec.kind == "elementwise" or node.op in ALONG)):
        return (), ()
    if at == 2 and node.op in ("linear", "conv", "conv_transpose"):
        return (), ()
    return None, None


def _einsum(node: Node, at: int) -> Fans:
    recipe = node.attr("recipe")
    own = list(atoms_of(recipe.inputs[at]))
    kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
    others = {atom.name for place, side in enumerate(recipe.inputs) if place != at for atom in atoms_of(side)}
    into = tuple(atom.size for atom in own if atom.name in others and atom.name not in kept)
    out = tuple(atom.size for atom in own if atom.name in kept and atom.name not in others)
    return into, out


def logit_uses(graph: Graph, signals: Sequence[str] = ()) -> Iterator[LogitUse]:
    """The products of queries and keys: those of two signals that a softmax reads, and the operation itself."""
    weights = {node.outputs[0].name for node in graph.nodes if node.op == "weight"}
    for node in graph.nodes:
        for region in node.regions:
            yield from logit_uses(region)
        if node.op == "attention":
            yield LogitUse(node, (graph.values[str(node.inputs[0])].type.axes[-1].size,))
        elif node.op in ("einsum", "matmul") and len(node.inputs) == 2 and not weights & set(node.operands):
            if _read_by_softmax(graph, node):
                yield LogitUse(node, _summed(graph, node))


def _summed(graph: Graph, node: Node) -> tuple[Size, ...]:
    if node.op == "matmul":
        return (graph.values[str(node.inputs[0])].type.axes[-1].size,)
    recipe = node.attr("recipe")
    first, second = (list(atoms_of(side)) for side in recipe.inputs)
    kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
    shared = {atom.name for atom in second}
    return tuple(atom.size for atom in first if atom.name in shared and atom.name not in kept)


def _read_by_softmax(graph: Graph, node: Node) -> bool:
    """Whether a softmax reads it, with nothing between them but operations entry by entry and moves."""
    ahead, seen = [node], {node.outputs[0].name}
    while ahead:
        for user in graph.users[ahead.pop().outputs[0].name]:
            if user.op == "softmax":
                return True
            spec = OPS.get(user.op)
            passes = spec is not None and (spec.kind == "elementwise" or user.op in ALONG)
            if passes and user.outputs[0].name not in seen:
                seen.add(user.outputs[0].name)
                ahead.append(user)
    return False
