"""Conversions: a graph that computes each weight of a result from weights of its source."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.compiler.ir.dataflow import flow
from ogive.compiler.ir.model import Definition, Graph, Init, Loop, Member, Model, Weight
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir.weights import WeightInfo, weights
from ogive.compiler.passes.conversion.text import lines
from ogive.compiler.sizes import size


@dataclass(frozen=True, slots=True)
class Conversion:
    """How the weights of `result` come from those of `source`.

    `definition` has no inputs; its members are the weights of the source that it reads, and its outputs are the new
    weights at `targets`. Weights of a `repeat` are one output each, iterations stacked on first axes. `kept` are the
    weights that stay as they are: (path in the result, path in the source).
    """

    source: Model
    result: Model
    definition: Definition
    targets: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]

    @property
    def consumed(self) -> tuple[str, ...]:
        """The weights of the source that something is computed from."""
        return tuple(member.path for member in self.definition.members if isinstance(member, Weight))

    @property
    def origins(self) -> dict[str, tuple[str, ...]]:
        """For each weight of the result that is computed, those of the source that it depends on, in its order."""
        from networkx import ancestors  # see `flow`

        graph = self.definition.graph
        edges = flow(graph)
        read = {node.outputs[0].name: node.path for node in graph.walk() if node.op == "weight"}
        order = {path: at for at, path in enumerate(self.consumed)}
        found: dict[str, tuple[str, ...]] = {}
        for target, output in zip(self.targets, graph.outputs, strict=True):
            below = {read[name] for name in {str(output), *ancestors(edges, str(output))} if name in read}
            found[target] = tuple(sorted(below, key=order.__getitem__))
        return found

    @property
    def mains(self) -> dict[str, str]:
        """For each weight of the result the one of the source whose type it has: its own path, else the largest.

        A weight that depends on none, such as a count that starts at 0, has none.
        """
        infos = {info.path: info for info in weights(self.source)}
        found = dict(self.kept)
        for path, below in self.origins.items():
            if below:
                found[path] = path if path in infos else max(below, key=lambda name: infos[name].elements)
        return found

    @property
    def dropped(self) -> tuple[str, ...]:
        """The weights of the source that the result does not need."""
        needed = {*self.consumed, *(path for _, path in self.kept)}
        return tuple(info.path for info in weights(self.source) if info.path not in needed)

    @property
    def is_identity(self) -> bool:
        """Whether every weight of the result is one of the source."""
        return not self.targets

    def __str__(self) -> str:
        unused = [f"not needed: {', '.join(self.dropped)}"] if self.dropped else []
        return "\n".join([*lines(self.definition.graph, self.targets), *unused])


def conversion(
    source: Model,
    result: Model,
    graph: Graph,
    targets: tuple[str, ...],
    kept: tuple[tuple[str, str], ...] | None = None,
) -> Conversion:
    """The conversion with this graph, whose outputs are the weights at `targets`; the others are kept, by path."""
    read = {node.path for node in graph.walk() if node.op == "weight"}
    members = tuple(_members(source, read))
    names = tuple(None for _ in targets)
    definition = Definition(
        f"{source.name}Conversion", "", (), (), graph, names, (), members, (),
        doc=f"The weights of {result.name} from those of {source.name}.",
    )  # fmt: skip
    made = set(targets)
    if kept is None:
        kept = tuple((info.path, info.path) for info in weights(result) if info.path not in made)
    return Conversion(source, result, definition, targets, kept)


def _members(source: Model, read: set[str]) -> list[Member]:
    loops: dict[str, Loop] = {}
    members: list[Member] = []
    for info in weights(source):
        if info.path in read:
            loops.update((loop.path, loop) for loop in _loops(info))
            members.append(Weight(info.path, _typed(info), info.weight.kind, Init("zeros")))
    return [*loops.values(), *members]


def _loops(info: WeightInfo) -> list[Loop]:
    parts = info.path.split(".")
    starts = [".".join(parts[:at]) for at, part in enumerate(parts) if part == "*"]
    return [Loop(start, size(count)) for start, count in zip(starts, info.iterations, strict=True)]


def _typed(info: WeightInfo) -> TensorType:
    return TensorType(info.elem, tuple(Axis(size(number)) for number in info.shape))
