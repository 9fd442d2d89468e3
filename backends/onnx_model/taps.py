"""Taps as outputs of a graph: values by path, stacked in the order in which they are seen where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size, size


@dataclass(frozen=True, slots=True)
class StepTap:
    """What a step of a `Scan` saw at a path: a value and its type; where it saw `several`, on a first axis."""

    path: str
    value: str
    type: TensorType
    several: Size | None


@dataclass(slots=True)
class Taps:
    """What is seen in one graph, or in a step of a loop that is a graph of its own."""

    values: dict[str, list[str]] = field(default_factory=dict)
    stacks: dict[str, Size] = field(default_factory=dict)  # values that are those of so many steps

    def put(self, path: str, value: str) -> None:
        self.values.setdefault(path, []).append(value)

    def outputs(self, builder: OnnxBuilder) -> dict[str, str]:
        """The value at each path; several are stacked on a first axis."""
        return {path: self._joined(builder, path, values) for path, values in self.values.items()}

    def of_a_step(self, builder: OnnxBuilder) -> list[StepTap]:
        """What a step of a `Scan` gives of what it saw."""
        found = []
        for path, values in self.values.items():
            name = self._joined(builder, path, values)
            several = len(values) > 1 or values[0] in self.stacks
            found.append(StepTap(path, name, builder.types[name], self._count(values) if several else None))
        return found

    def _count(self, values: Sequence[str]) -> Size:
        return sum((self.stacks.get(value, size(1)) for value in values), size(0))

    def _joined(self, builder: OnnxBuilder, path: str, values: list[str]) -> str:
        if len(values) == 1:
            return values[0]
        types = [builder.types[v].with_axes(*builder.types[v].axes[v in self.stacks :]) for v in values]
        other = next((type for type in types if type != types[0]), None)
        if other is not None:
            text = f"the tap `{path}` shows {types[0]} and {other}, which cannot be stacked"
            raise OnnxError(f"{text}: give one of them another name or place (W0910)")
        rows = [v if v in self.stacks else builder.node("Unsqueeze", v, builder.array([0])) for v in values]
        y = builder.node("Concat", *rows, axis=0)
        builder.types[y] = types[0].with_axes(Axis(self._count(values)), *types[0].axes)
        return y


def steps_seen(builder: OnnxBuilder, taps: Taps, found: list[StepTap], names: tuple[str, ...], count: Size) -> None:
    """What a `Scan` gives of what its steps saw, in the order of the steps, and in each in the order of the step."""
    for seen, name in zip(found, names, strict=True):
        whole = seen.type.with_axes(Axis(count), *seen.type.axes)
        if seen.several is not None:
            axes = (Axis(count * seen.several), *seen.type.axes[1:])
            name = builder.reshape(name, whole.sizes, [axis.size for axis in axes])
            whole = seen.type.with_axes(*axes)
        builder.types[name] = whole
        taps.stacks[name] = whole.axes[0].size
        taps.put(seen.path, name)
