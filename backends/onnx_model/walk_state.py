"""What is known where a definition is lowered: values, types, the path of the place; and what all places share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.lower.specialize import Sizes, real
from ogive.backends.onnx_model.taps import Taps
from ogive.compiler.ir.model import Const, Definition, Node, Operand, Value
from ogive.compiler.ir.substitute import in_sizes
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.interpreter import Interpreter
from ogive.compiler.sizes import Condition, Size, Unknown

Bound = str | Const | None  # what a value of the IR is here: a value of ONNX, a literal, nothing


@dataclass(slots=True)
class DefinitionFrame:
    """One definition at one place of use."""

    definition: Definition
    sizes: Sizes
    prefix: str  # the path of the place, with a dot behind it
    types: dict[str, TensorType]  # of its values, as it is written
    values: dict[str, Bound] = field(default_factory=dict)
    iterations: tuple[int | str, ...] = ()  # of the loops around the current node
    place: str = ""  # the path of the innermost of their iterations
    supplied: Mapping[str, str] = field(default_factory=dict)  # weights given at the call, by their path below

    def path(self, path: str, stacked: int = 0) -> str:
        """The path of a member, iterations filled in, but for those of its last `stacked` loops."""
        iterations = iter(self.iterations[: path.split(".").count("*") - stacked])
        parts = (str(next(iterations, "*")) if part == "*" else part for part in path.split("."))
        return self.prefix + ".".join(parts)


@dataclass(slots=True)
class Lowering(Interpreter[DefinitionFrame, Bound]):
    """Definitions written into one graph, as loops and derivatives see it; `Walker` lowers each operation.

    `weight` gives the value of a path; `on_call` may write a call instead of what is called.
    """

    builder: OnnxBuilder
    weight: Callable[[str, TensorType], str]
    taps: Taps | None = None  # where taps are collected
    conditions: list[tuple[Condition, str]] = field(default_factory=list)
    on_call: Callable[[Lowering, DefinitionFrame, Node, Sequence[Bound]], tuple[Bound, ...] | None] | None = None
    tape: list[Noted] | None = None  # what is lowered, inside of `grad`
    on_iteration: Callable[[Lowering, DefinitionFrame, Node, Sequence[Bound]], Sequence[Bound]] | None = None
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)  # weights of all iterations, stacked: those of each

    def definition(
        self,
        definition: Definition,
        args: Sequence[Bound],
        unknowns: Mapping[Unknown, Size],
        prefix: str = "",
        supplied: Mapping[str, str] | None = None,
    ) -> tuple[Bound, ...]:
        """The results of a definition on these values."""
        sizes = Sizes(unknowns, self.packs(definition, args))
        frame = DefinitionFrame(definition, sizes, prefix, {}, supplied=supplied or {})
        return self.region(frame, definition.graph, args)

    def packs(self, definition: Definition, args: Sequence[Bound]) -> dict[str, tuple[Axis, ...]]:
        """The axes that packs stand for, from the types of what is handed over."""
        found: dict[str, tuple[Axis, ...]] = {}
        for value, arg in zip(definition.graph.inputs, args, strict=True):
            at = next((i for i, axis in enumerate(value.type.axes) if axis.pack is not None), None)
            if at is None or not isinstance(arg, str):
                continue
            pack = value.type.axes[at].pack
            axes = self.builder.types[arg].axes
            axes = axes[:-1] if self.builder.paired(arg) else axes
            assert pack is not None
            found.setdefault(pack, axes[at : len(axes) - (len(value.type.axes) - at - 1)])
        return found

    def read(self, frame: DefinitionFrame, operand: Operand) -> Bound:
        """What an operand is here."""
        if isinstance(operand, str):
            return frame.values[operand]
        return in_sizes(operand, frame.sizes.unknowns) if isinstance(operand, Const) else None

    def bind(self, frame: DefinitionFrame, value: Value, meaning: Bound) -> None:
        """Note what a value is here, and its type."""
        frame.values[value.name], frame.types[value.name] = meaning, value.type

    def note(self, name: str, value: Value, frame: DefinitionFrame) -> None:
        """Keep the type of a value of the IR."""
        self.builder.types.setdefault(name, real(frame.sizes.type(value.type)))
        if value.type.elem == "complex":
            self.builder.complex.add(name)
