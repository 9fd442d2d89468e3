"""Numbers rounded to steps, in a graph: (clip(round(x / scale) + zero) - zero) scale."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

from ogive.compiler.ir.attributes import WeightAttrs
from ogive.compiler.ir.model import Graph, Node, Value
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.unchecked_rules import Trusting
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import Pattern

LEAST, MOST = 0, 255  # of a result: with an offset, so that all of them are used
LARGEST = 127  # of a weight, both ways: 0 is 0, and so is the sum of what opposite numbers give
SCALAR = TensorType("float", ())


@dataclass(frozen=True, slots=True)
class RoundedSteps:
    """The states that tell the steps: a scale, along an axis one for each entry, and an offset where there is one."""

    scale: str
    zero: str = ""
    axis: int | None = None


@dataclass(slots=True)
class Rounding:
    """What is put into graphs. `steps` are those of values by name; `alone` are (reader, operand) that read rounded
    what others read as it is. With `probing` values are divided by their scale, which is 1, and nothing else.
    """

    fresh: Fresh
    values: dict[str, RoundedSteps] = field(default_factory=dict)
    operands: dict[tuple[str, int], RoundedSteps] = field(default_factory=dict)  # result of a map, place
    probing: bool = False

    def graph(self, graph: Graph) -> Graph:
        """A graph, and those in it."""
        renamed: dict[str, str] = {}
        shared: dict[tuple[str, RoundedSteps], str] = {}
        nodes: list[Node] = []
        for node in graph.nodes:
            read = [renamed.get(x, x) if isinstance(x, str) else x for x in node.inputs]
            for at, x in enumerate(node.inputs):
                own = self.operands.get((node.outputs[0].name, at)) if node.outputs else None
                if own is not None and isinstance(x, str) and x not in renamed:
                    if (x, own) not in shared:
                        made = list(self.rounded(graph.values[x], own))
                        nodes += made
                        shared[x, own] = made[-1].outputs[0].name
                    read[at] = shared[x, own]
            nodes.append(replace(node, inputs=tuple(read), regions=tuple(map(self.graph, node.regions))))
            for value in node.outputs:
                if value.name in self.values and not (self.probing and not self.values[value.name].zero):
                    made = list(self.rounded(value, self.values[value.name]))
                    nodes += made
                    renamed[value.name] = made[-1].outputs[0].name
        outputs = tuple(renamed.get(x, x) if isinstance(x, str) else x for x in graph.outputs)
        return Graph(graph.inputs, tuple(nodes), outputs)

    def rounded(self, value: Value, steps: RoundedSteps) -> Generator[Node, None, None]:
        """The nodes after which the last result is the value on its steps."""
        length = None if steps.axis is None else value.type.axes[steps.axis]
        scale = yield from self._read(steps.scale, length)
        whole = yield from self._spread(scale, value, steps.axis)
        x = yield from self._op("div", value, whole)
        if self.probing:
            return
        x = yield from self._op("round", x)
        bounds = {"lo": float(-LARGEST), "hi": float(LARGEST)}
        zero = None
        if steps.zero:
            zero = yield from self._read(steps.zero, None)
            x = yield from self._op("add", x, zero)
            bounds = {"lo": float(LEAST), "hi": float(MOST)}
        x = yield from self._op("clamp", x, **bounds)
        if zero is not None:
            x = yield from self._op("sub", x, zero)
        yield from self._op("mul", x, whole)

    def _spread(self, scale: Value, like: Value, axis: int | None) -> Generator[Node, None, Value]:
        """A scale for each entry of an axis, so that it meets it."""
        behind = 0 if axis is None else len(like.type.axes) - 1 - axis
        if not behind:
            return scale
        return (yield from self._op("expand", scale, pattern=Pattern(f"c -> c {' '.join('1' * behind)}")))

    def _read(self, path: str, length: Axis | None) -> Generator[Node, None, Value]:
        type = SCALAR if length is None else TensorType("float", (Axis(length.size),))
        value = Value(self.fresh.name("steps"), type)
        yield Node.of(WeightAttrs(path, 0), (), (value,))
        return value

    def _op(self, name: str, *operands: Value, **statics: Any) -> Generator[Node, None, Value]:
        spec = OPS[name]
        given = {static.name: statics.get(static.name, static.default) for static in spec.statics}
        results, attrs = spec.rule(Trusting(), given, [x.type for x in operands])
        made = Value(self.fresh.name("rounded"), results[0])
        yield Node(name, tuple(x.name for x in operands), (made,), tuple(attrs.items()))
        return made
