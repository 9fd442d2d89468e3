"""Graphs under construction: a stack of regions in which outer values are captured where they are used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Attrs, Graph, Node, Operand, Structure, Value
from ogive.compiler.ir.presence import ALWAYS, Presence
from ogive.compiler.ir.types import TensorType
from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A value of the graph. `when`: an operand of an optional input may be absent where this does not hold.

    Everywhere else a value that may be absent is a case of `Partly`, so that nothing takes it by mistake.
    """

    name: str
    type: TensorType
    home: GraphBuilder
    introduced: Span | None = None
    when: Presence = ALWAYS


class ValueNames:
    """Names of values, unique in one definition: `x`, `x_1`, `x_2`."""

    def __init__(self) -> None:
        self._counts: dict[str, count[int]] = {}

    def fresh(self, hint: str) -> str:
        """The next free name for the hint."""
        base = hint.replace("'", "_p") or "v"
        counter = self._counts.setdefault(base, count())
        number = next(counter)
        return base if number == 0 else f"{base}.{number}"


class GraphBuilder:
    """One graph under construction; `parent` is the graph that holds it as a region."""

    def __init__(self, names: ValueNames, parent: GraphBuilder | None = None) -> None:
        self.names, self.parent = names, parent
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self.captures: dict[str, tuple[Tensor, Value]] = {}
        self.weights: dict[str, Tensor] = {}
        self.hints: dict[str, str] = {}  # what the source calls results that it names after they are made

    def input(self, hint: str, type: TensorType, introduced: Span | None) -> Tensor:
        """A new input of this graph."""
        value = Value(self.names.fresh(hint), type, hint)
        self.inputs.append(value)
        return Tensor(value.name, type, self, introduced)

    def use(self, tensor: Tensor) -> str:
        """The name under which this graph reads a tensor; one from outside is captured, level by level."""
        if tensor.home is self:
            return tensor.name
        assert self.parent is not None, f"{tensor.name} comes from a graph that does not hold this one"
        if tensor.name not in self.captures:
            self.parent.use(tensor)
            hint = tensor.home.hints.get(tensor.name) or tensor.name.split(".")[0]
            value = Value(self.names.fresh(hint), tensor.type, hint)
            self.captures[tensor.name] = (tensor, value)
        return self.captures[tensor.name][1].name

    def node(
        self,
        op: str | Structure,
        inputs: tuple[Operand, ...],
        types: tuple[TensorType, ...],
        *,
        attrs: Attrs = (),
        regions: tuple[Graph, ...] = (),
        span: Span | None = None,
        hints: tuple[str, ...] = (),
    ) -> tuple[Tensor, ...]:
        """Append a node and return its results; a structural operation is told by its structure."""
        name, structure = (op, None) if isinstance(op, str) else (op.op, op)
        hints = hints or ("",) * len(types)
        outputs = tuple(Value(self.names.fresh(h or "v"), t, h) for h, t in zip(hints, types, strict=True))
        self.nodes.append(Node(name, inputs, outputs, attrs, regions, structure, span))
        return tuple(Tensor(v.name, v.type, self, span) for v in outputs)

    def weight(self, path: str, type: TensorType, span: Span | None, stacked: int = 0) -> Tensor:
        """A weight as a value of this graph: one node, however often it is read.

        Seen from outside of the last `stacked` loops of its path, it is the weights of all iterations, stacked.
        """
        if path not in self.weights:
            hint = path.rsplit(".", 1)[-1]
            (made,) = self.node(WeightAttrs(path, stacked), (), (type,), span=span, hints=(hint,))
            self.weights[path] = made
        return self.weights[path]

    def forget(self, paths: Collection[str]) -> None:
        """These states have new values from here on: what reads them reads them anew."""
        at: GraphBuilder | None = self
        while at is not None:
            for path in paths:
                at.weights.pop(path, None)
            at = at.parent

    def rename(self, tensor: Tensor, hint: str) -> None:
        """Note the name that the source gives to a result, where it has none yet."""
        for index in range(len(self.nodes) - 1, max(-1, len(self.nodes) - 5), -1):
            node = self.nodes[index]
            for position, value in enumerate(node.outputs):
                if value.name == tensor.name and not value.hint:
                    outputs = list(node.outputs)
                    outputs[position] = Value(value.name, value.type, hint)
                    self.nodes[index] = node.giving(tuple(outputs))
                    self.hints[value.name] = hint
                    return

    def finish(self, outputs: tuple[Operand, ...]) -> Graph:
        """The graph; captures come after the other inputs, in the order of their first use."""
        captured = tuple(value for _, value in self.captures.values())
        return Graph((*self.inputs, *captured), tuple(self.nodes), outputs)

    def captured(self) -> tuple[Tensor, ...]:
        """The outer tensors that the region reads, in the order of its last inputs."""
        return tuple(tensor for tensor, _ in self.captures.values())
