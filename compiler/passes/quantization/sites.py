"""Where numbers are rounded to steps: weights of linear maps, and what goes into and comes out of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ogive.compiler.analysis.provenance.domain import provenance
from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Model, Node, Weight
from ogive.compiler.ops.recipe import AxisPattern, atoms_of

# at which operands each may read a weight; None: at any
MAPS: Mapping[str, tuple[int, ...] | None] = {
    "linear": (1,), "conv": (1,), "conv_transpose": (1,), "matmul": (0, 1), "einsum": None, "grouped_matmul": (1,)
}  # fmt: skip
# what only moves numbers, so that steps before it are steps behind it
MOVING = frozenset(("rearrange", "expand", "slice", "flip", "roll", "take", "tril", "triu", "split"))
KEEPING = frozenset(("max_pool", "adaptive_max_pool"))  # of numbers on steps, some of them
FUSED = frozenset(("relu", "relu6", "clamp", "hardtanh", "batch_norm"))  # what a runtime computes with the map before


@dataclass(frozen=True, slots=True)
class LinearMap:
    """A map in a graph: its node, at which operands it reads weights (path by place), and at which it reads others."""

    node: Node
    weights: Mapping[int, str]
    others: tuple[int, ...]


@dataclass(slots=True)
class SteppedClasses:
    """Values of a graph whose steps are the same: what is only moved, and what is laid beside each other."""

    graph: Graph
    parents: dict[str, str] = field(default_factory=dict)

    def root(self, name: str) -> str:
        """The value that stands for all whose steps are those of a value."""
        while True:
            while name in self.parents:
                name = self.parents[name]
            maker = self.graph.producers.get(name)
            first = maker.inputs[0] if maker is not None and maker.inputs else None
            if maker is not None and (maker.op in MOVING or maker.op in KEEPING) and isinstance(first, str):
                self.parents[name] = first
            elif maker is not None and maker.op == "concat":
                self.joined([name, *maker.operands])
            else:
                return name

    def joined(self, names: Sequence[str]) -> None:
        """These have the same steps from here on."""
        first, *rest = names
        stand = f"= {first}"
        self.parents[first] = stand
        for each in rest:
            root = self.root(each)
            if root != stand:
                self.parents[root] = stand


def linear_maps(graph: Graph) -> Iterator[LinearMap]:
    """The maps of one graph, those of its regions left out, of which some operands are weights and some are not."""
    for node in graph.nodes:
        if node.op not in MAPS:
            continue
        places = MAPS[node.op]
        held = {
            at: path
            for at in (range(len(node.inputs)) if places is None else places)
            if at < len(node.inputs) and (path := weight_path(graph, node.inputs[at])) is not None
        }
        asked = node.inputs if places is None else node.inputs[:2]
        others = tuple(at for at, x in enumerate(asked) if isinstance(x, str) and at not in held)
        if held and others:
            yield LinearMap(node, held, others)


def weight_path(graph: Graph, operand: object) -> str | None:
    """The path of the weight that an operand is, moved at most."""
    while isinstance(operand, str):
        maker = graph.producers.get(operand)
        if maker is None:
            return None
        if isinstance(maker.structure, WeightAttrs):
            return None if maker.structure.stacked else maker.path
        operand = maker.inputs[0] if maker.op in MOVING and maker.op != "take" and maker.inputs else None
    return None


def channel_axis(model: Model, graph: Graph, found: LinearMap, at: int) -> int | None:
    """Along which axis of the stored weight each entry gives a channel of the result; None where there is no one axis.

    By the provenance of the axes of the weight alone: in the whole model what goes in and what comes out may be one.
    """
    given, summed = axes_of_maps(model, graph, found, at)
    weight = next(w for w in model.definition.weights if w.path == found.weights[at])
    alone = given - summed
    return max(sorted(alone), key=lambda axis: weight.type.axes[axis].size.number, default=None)


def axes_of_maps(model: Model, graph: Graph, found: LinearMap, at: int) -> tuple[frozenset[int], frozenset[int]]:
    """The axes of the stored weight that hold entries of the result, and those that hold entries of what is read."""
    operand = found.node.inputs[at]
    assert isinstance(operand, str), found
    chain = _chain(graph, operand)
    alone = Graph((), tuple(chain), (operand,))
    weight = next(w for w in model.definition.weights if w.path == found.weights[at])
    part = replace(model.definition, graph=alone, members=(weight,), optional=(), output_names=(None,), conditions=())
    known = provenance(replace(model, definition=part))
    stored, moved = known.weights[weight.path], known.values[operand]
    out = {leaf for axis in _given_axes(found, at, len(moved)) for leaf in moved[axis].leaves()}
    others = {leaf for dim in moved for leaf in dim.leaves()} - out
    return frozenset(at for at, dim in enumerate(stored) if set(dim.leaves()) & out), frozenset(
        at for at, dim in enumerate(stored) if set(dim.leaves()) & others
    )


def _chain(graph: Graph, operand: str) -> list[Node]:
    nodes: list[Node] = []
    name: object = operand
    while isinstance(name, str):
        maker = graph.producers[name]
        nodes.append(maker)
        name = maker.inputs[0] if maker.inputs else None
    return nodes[::-1]


def _given_axes(found: LinearMap, at: int, rank: int) -> list[int]:
    """The axes of an operand that the result has from it alone."""
    node = found.node
    match node.op:
        case "linear" | "conv":
            return [0]
        case "conv_transpose":
            return [1]
        case "matmul":
            return [rank - 1 if at == 1 else rank - 2] if rank > 1 else []
        case "grouped_matmul":
            return [2]
    recipe: AxisPattern = node.attr("recipe")
    sides = [[atom.name for group in side for atom in atoms_of((group,))] for side in recipe.inputs]
    others = {name for number, side in enumerate(sides) if number != at for name in side}
    kept = {atom.name for atom in atoms_of(recipe.outputs[0])}
    return [
        axis
        for axis, group in enumerate(recipe.inputs[at])
        if all(atom.name in kept and atom.name not in others for atom in atoms_of((group,)))
    ]


def result_site(graph: Graph, found: LinearMap) -> str | None:
    """The value at which the result of a map is rounded: behind what a runtime computes with it; None for outputs."""
    name = found.node.outputs[0].name
    for _ in range(4):
        if name in graph.outputs:
            return None
        readers = graph.users.get(name, ())
        if len(readers) != 1:
            break
        (reader,) = readers
        biased = reader.op == "add" and any(weight_path(graph, x) is not None for x in reader.inputs if x != name)
        if not biased and (reader.op not in FUSED or reader.inputs[0] != name):
            break
        name = reader.outputs[0].name
    return None if name in graph.outputs else name


def kept_as_it_is(path: str, keep: Sequence[str]) -> bool:
    """Whether a weight is one of those, or below one: patterns of paths."""
    parts = path.split(".")
    starts = [".".join(parts[: at + 1]) for at in range(len(parts))]
    return any(fnmatchcase(start, pattern) for start in starts for pattern in keep)


def learned(model: Model) -> dict[str, Weight]:
    """The learned weights of floats with at least two axes, by path."""
    return {
        w.path: w for w in model.definition.weights if w.kind == "param" and w.type.floating and len(w.type.axes) > 1
    }
