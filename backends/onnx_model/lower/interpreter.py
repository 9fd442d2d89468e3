"""A model walked from its inputs to its outputs: calls entered, loops counted out, every node lowered in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ogive.backends.onnx_model.autodiff import grad as derive
from ogive.backends.onnx_model.autodiff.reduce import SPELLED
from ogive.backends.onnx_model.autodiff.steps import Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph import out_of_range as held
from ogive.backends.onnx_model.graph.builder import Builder
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.lower import loops
from ogive.backends.onnx_model.lower.specialize import Sizes, real, specialized
from ogive.backends.onnx_model.ops.complex import COMPLEX, PLAIN
from ogive.backends.onnx_model.ops.table import LOWER
from ogive.backends.onnx_model.taps import Taps
from ogive.compiler.ir.attributes import (
    AssumeAttrs,
    CallAttrs,
    CustomGradAttrs,
    GivenAttrs,
    GradAttrs,
    PhaseAttrs,
    RepeatAttrs,
    ScanAttrs,
    TapAttrs,
    TappedAttrs,
    UpdateAttrs,
    WeightAttrs,
)
from ogive.compiler.ir.model import Const, Definition, Graph, Node, Operand, Value
from ogive.compiler.ir.substitute import in_sizes
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Condition, Size, Unknown

Bound = str | Const | None  # what a value of the IR is here: a value of ONNX, a literal, nothing


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of ONNX that is handed to a definition, with its type in the sizes of the model."""

    name: str
    type: TensorType


@dataclass(slots=True)
class Frame:
    """One definition at one place of use."""

    definition: Definition
    sizes: Sizes
    prefix: str  # the path of the place, with a dot behind it
    types: dict[str, TensorType]  # of its values, as it is written
    values: dict[str, Bound] = field(default_factory=dict)
    turns: tuple[int | str, ...] = ()  # of the loops around the current node
    place: str = ""  # the path of the innermost of their turns
    supplied: Mapping[str, str] = field(default_factory=dict)  # weights given at the call, by their path below

    def path(self, path: str, stacked: int = 0) -> str:
        """The path of a member, turns filled in, but for those of its last `stacked` loops."""
        turns = iter(self.turns[: path.split(".").count("*") - stacked])
        parts = (str(next(turns, "*")) if part == "*" else part for part in path.split("."))
        return self.prefix + ".".join(parts)


@dataclass(slots=True)
class Walker:
    """Writes definitions into a graph. `weight` gives the value of a path; `on_call` may write a call instead."""

    builder: Builder
    weight: Callable[[str, TensorType], str]
    taps: Taps | None = None  # where taps are collected
    conditions: list[tuple[Condition, str]] = field(default_factory=list)
    on_call: Callable[[Walker, Frame, Node, Sequence[Bound]], tuple[Bound, ...] | None] | None = None
    tape: list[Noted] | None = None  # what is lowered, inside of `grad`
    on_turn: Callable[[Walker, Frame, Node], Sequence[Bound]] | None = None
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)  # weights of all turns, stacked: those of each

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
        frame = Frame(definition, sizes, prefix, {}, supplied=supplied or {})
        for value, arg in zip(definition.graph.inputs, args, strict=True):
            frame.values[value.name] = arg
        return self.graph(frame, definition.graph)

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

    def graph(self, frame: Frame, graph: Graph) -> tuple[Bound, ...]:
        """Lower the nodes of a graph whose inputs are bound."""
        frame.types.update((value.name, value.type) for value in graph.inputs)
        for node in graph.nodes:
            frame.types.update((value.name, value.type) for value in node.outputs)
            self.node(frame, node)
        return tuple(self.bound(frame, output) for output in graph.outputs)

    def bound(self, frame: Frame, operand: Operand) -> Bound:
        """What an operand is here."""
        if isinstance(operand, str):
            return frame.values[operand]
        return in_sizes(operand, frame.sizes.unknowns) if isinstance(operand, Const) else None

    def node(self, frame: Frame, node: Node) -> None:
        """Lower one node."""
        builder = self.builder
        builder.path = frame.place or frame.prefix.rstrip(".")
        builder.hints = tuple(value.hint for value in node.outputs)
        match node.structure:
            case WeightAttrs(stacked=stacked):
                self._weight(frame, node, stacked)
            case CallAttrs():
                self._call(frame, node)
            case RepeatAttrs() | ScanAttrs() | CustomGradAttrs() | GradAttrs():
                self._loop(frame, node)
            case PhaseAttrs():
                self._bind(frame, node, self._region(frame, node, node.regions[1], node.inputs))
            case GivenAttrs():
                there = self.bound(frame, node.inputs[0]) is not None
                self._bind(frame, node, self._region(frame, node, node.regions[0 if there else 1], node.inputs))
            case UpdateAttrs():
                pass
            case AssumeAttrs(condition=condition, text=text):
                self.conditions.append((condition.subs(frame.sizes.unknowns), text))
            case TappedAttrs():
                region = node.regions[0 if self.taps is not None else 1]
                self._bind(frame, node, self._region(frame, node, region, node.inputs))
            case TapAttrs(name=name):
                self._tap(frame, node, node.path or name)
            case _:
                self._operation(frame, node)

    def _operation(self, frame: Frame, node: Node) -> None:
        if node.op not in LOWER:
            raise OnnxError(f"`{node.op}` has no form in ONNX yet", node.span)
        builder = self.builder
        there = specialized(node, frame.sizes, frame.types)
        there = replace(there, inputs=tuple(frame.values[x] if isinstance(x, str) else x for x in there.inputs))
        elems = [frame.types[x].elem for x in node.inputs if isinstance(x, str)]
        complex_ = "complex" in (*elems, *(value.type.elem for value in node.outputs))
        lower = LOWER[node.op]
        if complex_ and node.op in COMPLEX:
            lower = COMPLEX[node.op]
        elif complex_ and node.op not in PLAIN:
            raise OnnxError(f"`{node.op}` of complex numbers has no form in ONNX", node.span)
        elem = _literal_elem(node, frame.types)
        if self.tape is not None and node.op in SPELLED and not complex_:
            given = [x if isinstance(x, str) else None for x in there.inputs]
            name = SPELLED[node.op](Steps(builder, self.tape.append), there, given)
            frame.values[node.outputs[0].name] = name
            self.note(name, node.outputs[0], frame)
            return
        try:
            args, found = held.lowered(builder, lower, there, elem)
        except OnnxError as error:
            error.span = error.span or node.span
            raise
        if self.tape is not None:
            if node.op in ("stop_gradient", "grad_as"):  # what is cut must not be what flows on
                found = builder.add("Identity", found, 1, {})
            self.tape.append(Noted(there, args, found))
        for value, name in zip(node.outputs, found, strict=True):
            frame.values[value.name] = name
            self.note(name, value, frame)

    def note(self, name: str, value: Value, frame: Frame) -> None:
        """Keep the type of a value of the IR."""
        self.builder.types.setdefault(name, real(frame.sizes.type(value.type)))
        if value.type.elem == "complex":
            self.builder.complex.add(name)

    def _weight(self, frame: Frame, node: Node, stacked: int) -> None:
        (value,) = node.outputs
        name = frame.supplied.get(node.path)
        if name is None:
            type = real(frame.sizes.type(value.type))
            name = self._all_turns(frame.path(node.path, stacked), type, stacked)
        else:
            name = self._turn(frame, node.path, name, stacked)
        self.note(name, value, frame)
        frame.values[value.name] = name

    def _all_turns(self, path: str, type: TensorType, stacked: int) -> str:
        """A weight; those of the turns of so many loops stacked on first axes."""
        if not stacked:
            return self.weight(path, type)
        count = type.axes[0].size
        if not count.is_number:
            raise OnnxError(f"`repeat {count}` with weights of its own needs a number; give the size with `sizes`")
        inner = type.with_axes(*type.axes[1:])
        before, after = path.split("*")[:-stacked], path.split("*")[-stacked:]
        turns = (f"{'*'.join(before)}{number}{'*'.join(after)}" for number in range(count.number))
        rows = tuple(self._all_turns(turn, inner, stacked - 1) for turn in turns)
        zero = self.builder.array([0])
        name = self.builder.node("Concat", *(self.builder.node("Unsqueeze", row, zero) for row in rows), axis=0)
        self.rows[name] = rows
        return name

    def _turn(self, frame: Frame, path: str, name: str, stacked: int = 0) -> str:
        """Of weights that are supplied for all turns, stacked, the one of this turn."""
        for index in frame.turns[: path.split(".").count("*") - stacked]:
            rows = self.rows.get(name)
            assert isinstance(index, int), path
            name = rows[index] if rows else self.builder.node("Gather", name, self.builder.number(index, "int"), axis=0)
        return name

    def _call(self, frame: Frame, node: Node) -> None:
        assert node.callee is not None, node
        args = [self.bound(frame, operand) for operand in node.inputs]
        if self.on_call is not None and self.tape is None:
            found = self.on_call(self, frame, node, args)
            if found is not None:
                self._bind(frame, node, found)
                return
        supplied = {path: str(frame.values[name]) for path, name in node.supplied}
        start = f"{node.path}."
        below = {p: name for p, name in frame.supplied.items() if node.path and p.startswith(start)}
        supplied |= {p[len(start) :]: self._turn(frame, node.path, name) for p, name in below.items()}
        unknowns = {unknown: value.subs(frame.sizes.unknowns) for unknown, value in node.bindings}
        prefix = frame.path(node.path) + "." if node.path else frame.prefix
        self._bind(frame, node, self.definition(node.callee, args, unknowns, prefix, supplied))

    def _bind(self, frame: Frame, node: Node, results: Sequence[Bound]) -> None:
        for value, name in zip(node.outputs, results, strict=True):
            frame.values[value.name] = name

    def _region(self, frame: Frame, node: Node, region: Graph, inputs: Sequence[Operand]) -> tuple[Bound, ...]:
        for value, operand in zip(region.inputs, inputs, strict=True):
            frame.values[value.name] = self.bound(frame, operand)
        return self.graph(frame, region)

    def _loop(self, frame: Frame, node: Node) -> None:
        loop = node.structure if isinstance(node.structure, RepeatAttrs) else None
        plain = loop is not None and not loop.sliced and not loop.results(node.outputs).yielded
        if self.tape is not None and not plain and node.op not in ("grad", "scan"):
            raise OnnxError(f"`grad` through `{node.op}` has no form in ONNX", node.span)
        if node.op == "custom_grad":
            loops.custom(self, frame, node)
        elif node.op == "grad":
            derive.lower(self, frame, node)
        else:
            loops.lower(self, frame, node)

    def _tap(self, frame: Frame, node: Node, path: str) -> None:
        if self.taps is not None:
            value = self.bound(frame, node.inputs[0])
            if isinstance(value, str):
                self.taps.put(frame.path(path), value)


def _literal_elem(node: Node, types: Mapping[str, TensorType]) -> str:
    """The element type that literal operands take: that of the tensors beside them, else of the result."""
    operands = node.inputs[1:] if node.op == "select" else node.inputs
    found = next((types[x].elem for x in operands if isinstance(x, str)), None)
    return found or node.outputs[0].type.elem
