"""Channels that become sums of channels, or copies: how the weights that give them and those that read them follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ogive.compiler.analysis.groups.coupled import CoupledGroup
from ogive.compiler.analysis.provenance.dims import Dim
from ogive.compiler.analysis.provenance.domain import Provenance
from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Init, Model, Node, Weight
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.weights import weights
from ogive.compiler.ops.recipe import AxisPattern, atoms_of
from ogive.compiler.passes.conversion.graph import Conversion, conversion
from ogive.compiler.passes.conversion.scope import ConversionScope
from ogive.compiler.passes.pruning.remove import ConstantLists, taken, times, whole_weight
from ogive.compiler.passes.quantization.sites import axes_of_maps, linear_maps, weight_path
from ogive.compiler.sizes import size

Term = tuple[tuple[int, ...], tuple[float, ...]]  # for each new channel an old one, and by what it is multiplied
EVEN = ("mean", "max", "min", "reduce")  # what sees equal copies as it sees one of each
UNEVEN = ("sum", "prod", "var", "std", "norm", "logsumexp", "any", "all")
ORDERED = ("softmax", "log_softmax", "sort", "argsort", "topk", "cumsum", "cumprod", "argmax", "argmin", "flip", "roll")


@dataclass(frozen=True, slots=True)
class Mix:
    """The channels of a leaf after it: for each iteration the terms whose sum each new channel is.

    `given` is for weights that give them, `read` for those that read them.
    """

    given: tuple[tuple[Term, ...], ...]
    read: tuple[tuple[Term, ...], ...]

    @property
    def channels(self) -> int:
        """How many there are then."""
        return len(self.given[0][0][0])


@dataclass(frozen=True, slots=True)
class Readers:
    """The axes by which weights read channels, and the maps that read a weight which also gives channels elsewhere."""

    axes: Mapping[str, frozenset[int]]
    tied: tuple[str, ...]  # results of maps


def readers_of(flat: Model) -> Readers:
    """What reads channels. A table that is looked up and read by a map counts as what gives them."""
    found: dict[str, frozenset[int]] = {}
    maps: dict[str, list[Node]] = {}
    for graph in graphs_of(flat.definition.graph):
        for each in linear_maps(graph):
            for at, path in each.weights.items():
                _, summed = axes_of_maps(flat, graph, each, at)
                found[path] = found.get(path, frozenset()) | summed
                maps.setdefault(path, []).append(each.node)
    tables = [
        weight_path(graph, node.inputs[0])
        for graph in graphs_of(flat.definition.graph)
        for node in graph.nodes
        if node.op == "take"
    ]
    looked = {path for path in tables if path is not None}
    tied = tuple(node.outputs[0].name for path in sorted(looked & maps.keys()) for node in maps[path])
    return Readers({path: axes for path, axes in found.items() if path not in looked}, tied)


def given_by(group: CoupledGroup, readers: Readers, of: str) -> bool:
    """Whether a weight of such a path gives the channels of a group."""
    return any(
        fnmatchcase(place.path, of) for place in group.places if place.axis not in readers.axes.get(place.path, ())
    )


def graphs_of(graph: Graph) -> Iterator[Graph]:
    """A graph, and all in it."""
    yield graph
    for node in graph.nodes:
        for region in node.regions:
            yield from graphs_of(region)


def uneven(found: Provenance) -> dict[Dim, str]:
    """The leaves of which something but a weight takes a sum, or an order: it sees how many copies there are."""
    seen: dict[Dim, str] = {}

    def see(dims: Sequence[Dim], node: Node, reason: str = "sums over it") -> None:
        seen.update((leaf, f"`{node.op}` {reason}") for dim in dims for leaf in dim.leaves())

    for graph in graphs_of(found.model.definition.graph):
        held = {node.outputs[0].name for node in graph.nodes if isinstance(node.structure, WeightAttrs)}
        for node in graph.nodes:
            if any(isinstance(x, str) and x not in found.values for x in node.inputs):
                continue  # in a body of which nothing is known, and so frozen
            dims = [found.values[x] if isinstance(x, str) else () for x in node.inputs]
            plain = [not (x in held or weight_path(graph, x) is not None) for x in node.inputs]
            if node.op == "attention":
                see(dims[0][-1:], node)
            elif node.op == "matmul" and all(plain):
                see(dims[0][-1:], node)
            elif node.op == "einsum":
                see(list(_unweighted(found, node, plain)), node)
            elif node.op in UNEVEN:
                see([dims[0][axis] for axis in node.attr("axes")], node)
            elif node.op == "reduce" and node.attr("op") not in EVEN:
                recipe: AxisPattern = node.attr("recipe")
                kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
                named = found.named.get(node.outputs[0].name, {})
                see([dim for name, dim in named.items() if name not in kept], node)
            elif node.op in ORDERED and node.attr("axis") is not None and dims[0]:
                see([dims[0][node.attr("axis")]], node, "sees all of its entries together")
    return seen


def _unweighted(found: Provenance, node: Node, plain: Sequence[bool]) -> Iterator[Dim]:
    """What an einsum sums over without a weight that has it."""
    recipe: AxisPattern = node.attr("recipe")
    named = found.named.get(node.outputs[0].name, {})
    kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
    weighed = {
        atom.name for side, other in zip(recipe.inputs, plain, strict=True) if not other for atom in atoms_of(side)
    }
    yield from (dim for name, dim in named.items() if name not in kept | weighed)


def mixed(source: Model, result: Model, found: Provenance, mixes: Mapping[Dim, Mix], readers: Readers) -> Conversion:
    """The weights of the result; with `result` the source itself, of as many channels as before."""
    root, lists = ConversionScope("", size(1), Fresh(set())), ConstantLists()
    for info in weights(source):
        dims = found.weights.get(info.path)
        if dims is None or not any(leaf in mixes for dim in dims for leaf in dim.leaves()):
            continue
        name = whole_weight(root, info)
        for axis, dim in enumerate(dims):
            now: dict[Dim, int] = {}
            read = axis in readers.axes.get(info.path, ())
            for leaf in dict.fromkeys(dim.leaves()):
                if leaf in mixes:
                    mix = mixes[leaf]
                    turns = mix.read if read else mix.given
                    name = _summed(root, lists, name, axis, dim, leaf, turns, now, info.iterations, info.count)
                    now[leaf] = mix.channels
        root.targets[info.path] = (name, Weight(info.path, root.types[name], info.weight.kind, Init("zeros")))
    graph, targets = root.close()
    return conversion(source, result, graph, targets)


def _summed(
    root: ConversionScope, lists: ConstantLists, name: str, axis: int, dim: Dim, leaf: Dim,
    turns: Sequence[Sequence[Term]], now: Mapping[Dim, int], iterations: Sequence[int], count: int,
) -> str:  # fmt: skip
    """Entries of an axis as the sums that one leaf in it is then."""
    total = ""
    for number in range(max(map(len, turns))):
        rows = [_along(dim, leaf, turns[turn % len(turns)][number], now, not number) for turn in range(count)]
        part = taken(root, lists, name, axis, [[at for at, _ in row] for row in rows], iterations)
        factors = [[factor for _, factor in row] for row in rows]
        if any(factor != 1 for row in factors for factor in row):
            part = times(root, lists, part, axis, factors, iterations)
        total = root.op("add", total, part) if total else part
    return total


def _along(dim: Dim, leaf: Dim, term: Term, now: Mapping[Dim, int], first: bool) -> list[tuple[int, float]]:
    """For each entry of a dimension that is then, the one before and its factor; what lies beside is in the first."""
    here = dim.found
    if here is leaf:
        return list(zip(*term, strict=True))
    if not here.kind:
        return [(at, 1.0) for at in range(now.get(here, here.size.number))]
    rows = [_along(part, leaf, term, now, first) for part in here.parts]
    lengths = [_length(part, now) for part in here.parts]
    if here.kind == "joined":
        starts = [sum(lengths[:at]) for at in range(len(lengths))]
        beside = [0.0 if not first and leaf not in part.leaves() else 1.0 for part in here.parts]
        parts = zip(starts, rows, beside, strict=True)
        return [(start + at, by * there) for start, row, there in parts for at, by in row]
    found = [(0, 1.0)]
    for length, row in zip(lengths, rows, strict=True):
        found = [(outer * length + at, by * more) for outer, by in found for at, more in row]
    return found


def _length(dim: Dim, now: Mapping[Dim, int]) -> int:
    here = dim.found
    if not here.kind:
        return now.get(here, here.size.number)
    parts = [_length(part, now) for part in here.parts]
    if here.kind == "joined":
        return sum(parts)
    total = 1
    for part in parts:
        total *= part
    return total
