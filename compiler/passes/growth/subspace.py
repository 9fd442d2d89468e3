"""The pass `subspace`: all learned weights move along a few directions of the space of all their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod, sqrt

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Member, Model, Node, Value, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import FLOATS, Axis, TensorType
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.passes.cleanup.deploy_flatten import flattened
from ogive.compiler.passes.conversion.graph import conversion
from ogive.compiler.passes.conversion.result import Note, Passed, PassError
from ogive.compiler.passes.conversion.scope import ConversionScope, apply
from ogive.compiler.sizes import size
from ogive.grammar.spelling import close

KINDS = ("dense", "sparse")
LARGEST = 1 << 32  # numbers of all directions together


def subspace(model: Model, *, d: int, kind: str = "dense") -> Passed:
    """W = W₀ + P z for each learned weight: W₀ and the directions P are states, z alone is learned (`d` numbers).

    Li et al. 2018, arXiv:1804.08838. At z = 0 the model computes what it did. Directions of unit length, over all
    weights together: "dense" ones, or "sparse" ones with one entry in √D that is not 0 (D numbers are learned). They
    are made from the places of their entries, the same each time. Raises PassError for options that make no sense.
    """
    if kind not in KINDS:
        more = "; `std.reparam` has FastSubspace, a block around another" if kind == "fastfood" else ""
        raise PassError("E0810", f"`kind` of `subspace` is dense or sparse, not `{kind}`{more}", close(kind, KINDS))
    if d < 1:
        raise PassError("E0810", f"`d` of `subspace` is a number of directions from 1 on, not {d}")
    flat = flattened(model, trained=True)[0]
    infos = {info.path: info for info in weights(flat)}
    left = _left(flat, infos)
    moved = {path: info for path, info in infos.items() if info.kind == "param" and path not in left}
    total = sum(info.elements for info in moved.values())
    if not total:  # none, or none that has an entry
        raise PassError("E0811", f"{model.name} has no learned weight that can move in a subspace")
    if total * d > LARGEST:
        text = f"{d} directions of {total:,} numbers are {total * d:,} in all"
        raise PassError("E0811", text, "choose a smaller `d`, or FastSubspace of std.reparam, which stores none")
    space = _Subspace(moved, d, Fresh.of(flat.definition.graph), _free("subspace", infos))
    graph = space.graph(flat.definition.graph)
    members: list[Member] = []
    for member in flat.definition.members:
        if isinstance(member, Weight) and member.path in moved:
            members += [replace(member, kind="state"), space.directions(member)]
        else:
            members.append(member)
    along = Weight(space.name, TensorType("float", (Axis(size(d)),)), "param", Init("zeros"))
    result = replace(flat, definition=replace(flat.definition, graph=graph, members=(*members, along)))
    root = ConversionScope("", size(1), Fresh(set()))
    start = 0
    for path, info in moved.items():
        made = space.directions(info.weight)
        root.targets[f"{path}_directions"] = (_drawn(root, info, d, kind, start, total), made)
        start += info.elements * d
    root.targets[along.path] = (root.op("zeros", sizes=(Axis(size(d)),)), along)
    taken, targets = root.close()
    notes = [Note(False, path, why) for path, why in left.items()]
    notes.append(Note(True, space.name, f"{total:,} learned numbers move along {d} {kind} directions"))
    return Passed(result, conversion(model, result, taken, targets), tuple(notes))


def _left(flat: Model, infos: Mapping[str, WeightInfo]) -> dict[str, str]:
    """The learned weights that stay as they are, and why."""
    found: dict[str, str] = {}
    read: set[str] = set()
    for node in flat.definition.graph.walk():
        if isinstance(node.structure, WeightAttrs):
            read.add(node.path)
            if node.structure.stacked:
                found[node.path] = "those of all iterations are read at once"
    for path, info in infos.items():
        if info.kind != "param":
            continue
        if info.weight.keep is not None:
            found[path] = "it is kept in bounds after each step"
        elif info.elem not in FLOATS:
            found[path] = f"it holds {info.elem}"
        elif path not in read:
            found[path] = "a block that stays whole reads it"
    return found


def _free(name: str, taken: Mapping[str, object]) -> str:
    """A name that no weight has, or that begins none."""
    while any(path == name or path.startswith(f"{name}.") for path in taken):
        name += "_"
    return name


@dataclass(slots=True)
class _Subspace:
    """Puts W₀ + P z in the place of each weight that moves."""

    moved: Mapping[str, WeightInfo]
    d: int
    fresh: Fresh
    name: str
    made: list[str] = field(default_factory=list)

    def directions(self, weight: Weight) -> Weight:
        """The state that holds P of a weight."""
        axes = (*(Axis(axis.size) for axis in weight.type.axes), Axis(size(self.d)))
        return Weight(f"{weight.path}_directions", TensorType(weight.type.elem, axes), "state", Init("zeros"))

    def graph(self, graph: Graph) -> Graph:
        """The graph and its regions."""
        nodes: list[Node] = []
        for node in graph.nodes:
            if isinstance(node.structure, WeightAttrs) and node.path in self.moved:
                nodes += self.sum(node)
            elif node.regions:
                nodes.append(replace(node, regions=tuple(map(self.graph, node.regions))))
            else:
                nodes.append(node)
        return Graph(graph.inputs, tuple(nodes), graph.outputs)

    def sum(self, node: Node) -> list[Node]:
        """W₀, P, z, their product and the sum, which has the name of the weight."""
        (value,) = node.outputs
        plain = TensorType(value.type.elem, tuple(Axis(axis.size) for axis in value.type.axes))
        weight = self.moved[node.path].weight
        first = self.read(node.path, plain)
        along = self.read(f"{node.path}_directions", self.directions(weight).type)
        z = self.read(self.name, TensorType("float", (Axis(size(self.d)),)))
        names = [each.outputs[0].name for each in (along, z)]
        rank = len(plain.axes)
        letters = " ".join(f"a{at}" for at in range(rank))
        product = apply(
            "einsum", names, [along.outputs[0].type, z.outputs[0].type], self.fresh.name("moved"),
            {"pattern": Pattern(f"{letters} k, k -> {letters}".strip())},
        )  # fmt: skip
        total = Node("add", (first.outputs[0].name, product.outputs[0].name), (value,), span=node.span)
        return [first, along, z, product, total]

    def read(self, path: str, type: TensorType) -> Node:
        """A node that reads a weight."""
        return Node.of(WeightAttrs(path), (), (Value(self.fresh.name("weight"), type),))


def _drawn(root: ConversionScope, info: WeightInfo, d: int, kind: str, start: int, total: int) -> str:
    """Directions of a weight, those of all iterations stacked, made from the places of their entries."""
    shape = (*info.iterations, *info.shape, d)
    places = root.op("add", root.op("cast", root.op("arange", n=size(prod(shape))), type="float"), float(start + 1))
    spread = root.op("sub", root.op("mul", _hashed(root, places, 12.9898), 2.0), 1.0)
    if kind == "dense":
        entries = root.op("mul", spread, sqrt(3 / total))
    else:
        share = 1 / sqrt(total)
        there = root.op("cast", root.op("lt", _hashed(root, places, 78.233), share), type="float")
        entries = root.op("mul", root.op("mul", root.op("sign", spread), there), 1 / sqrt(share * total))
    return _shaped(root, entries, shape)


def _shaped(root: ConversionScope, flat: str, shape: Sequence[int]) -> str:
    names = [f"a{at}" for at in range(len(shape))]
    sizes = dict(zip(names, shape, strict=True))
    return root.shaped(flat, f"({' '.join(names)}) -> {' '.join(names)}", **sizes) if len(shape) > 1 else flat


def _hashed(root: ConversionScope, places: str, by: float) -> str:
    """Numbers between 0 and 1 that look drawn: the fraction of a large multiple of a sine."""
    large = root.op("mul", root.op("sin", root.op("mul", places, by)), 43758.5453)
    return root.op("sub", large, root.op("floor", large))
