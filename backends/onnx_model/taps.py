"""Taps as outputs of a graph: values by path, stacked in the order in which they are seen where there are several."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size, size


@dataclass(slots=True)
class Taps:
    """What is seen in one graph, or in a step of a loop that is a graph of its own."""

    values: dict[str, list[str]] = field(default_factory=dict)
    stacks: dict[str, Size] = field(default_factory=dict)  # values that are those of so many steps

    def put(self, path: str, value: str) -> None:
        self.values.setdefault(path, []).append(value)

    def outputs(self, builder: OnnxBuilder) -> dict[str, str]:
        """The value at each path; several are stacked on a first axis."""
        return {path: self._joined(builder, values) for path, values in self.values.items()}

    def of_a_step(self, builder: OnnxBuilder, node: Node) -> list[tuple[str, str, TensorType]]:
        """The path, the value and its type, as a step of a `Scan` gives them."""
        if any(len(values) > 1 or values[0] in self.stacks for values in self.values.values()):
            raise OnnxError("a tap that one step of a `scan` sees more than once is not supported in ONNX", node.span)
        return [(path, value, builder.types[value]) for path, (value,) in self.values.items()]

    def _joined(self, builder: OnnxBuilder, values: list[str]) -> str:
        if len(values) == 1:
            return values[0]
        rows = [v if v in self.stacks else builder.node("Unsqueeze", v, builder.array([0])) for v in values]
        count = sum((self.stacks.get(v, size(1)) for v in values), size(0))
        axes = builder.types[values[0]].axes[1 if values[0] in self.stacks else 0 :]
        y = builder.node("Concat", *rows, axis=0)
        builder.types[y] = builder.types[values[0]].with_axes(Axis(count), *axes)
        return y


def steps_seen(
    builder: OnnxBuilder, taps: Taps, found: list[tuple[str, str, TensorType]], names: tuple[str, ...], count: Size
) -> None:
    """What a `Scan` gives of what its steps saw, in the order of the steps."""
    for (path, _, type), name in zip(found, names, strict=True):
        builder.types[name] = type.with_axes(Axis(count), *type.axes)
        taps.stacks[name] = count
        taps.put(path, name)
