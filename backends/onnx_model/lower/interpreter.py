"""A model walked from its inputs to its outputs: calls entered, loops unrolled, every node lowered in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ogive.backends.onnx_model.autodiff import grad as derive
from ogive.backends.onnx_model.autodiff.spelled import SPELLED
from ogive.backends.onnx_model.autodiff.steps import Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.graph import out_of_range as held
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.lower import loops, recurrent
from ogive.backends.onnx_model.lower.specialize import real, specialized
from ogive.backends.onnx_model.ops.complex import COMPLEX, PLAIN
from ogive.backends.onnx_model.ops.table import LOWER
from ogive.backends.onnx_model.walk_state import Bound, DefinitionFrame, Lowering
from ogive.compiler.ir.attributes import (
    AssumeAttrs,
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
from ogive.compiler.ir.model import CallAttrs, Node
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.interpreter import Interpreter


class Walker(Lowering):
    """Writes definitions into a graph."""

    __slots__ = ()

    def unhandled(self, node: Node) -> OnnxError:
        """What is raised for an operation that is not supported."""
        return OnnxError(f"`{node.op}` is not supported in ONNX yet", node.span)

    def node(self, frame: DefinitionFrame, node: Node) -> Sequence[Bound]:
        """Lower one node."""
        builder = self.builder
        builder.path = frame.place or frame.prefix.rstrip(".")
        builder.hints = tuple(value.hint for value in node.outputs)
        return Interpreter.node(self, frame, node)

    def visit_repeat(self, frame: DefinitionFrame, node: Node, told: RepeatAttrs) -> Sequence[Bound]:
        if told.sliced or told.results(node.outputs).yielded:
            self._no_derivative(node)
        return loops.lower(self, frame, node, told)

    def visit_scan(self, frame: DefinitionFrame, node: Node, told: ScanAttrs) -> Sequence[Bound]:
        found = recurrent.layer(self, frame, node)
        return loops.lower(self, frame, node, told) if found is None else found

    def visit_grad(self, frame: DefinitionFrame, node: Node, told: GradAttrs) -> Sequence[Bound]:
        return [derive.lower(self, frame, node)]

    def visit_custom_grad(self, frame: DefinitionFrame, node: Node, told: CustomGradAttrs) -> Sequence[Bound]:
        """The value alone: no derivative is taken of a deployed model."""
        self._no_derivative(node)
        operands = told.forward(self.inputs(frame, node))
        return self.region(frame, node.regions[0], (*operands.given, *operands.captured))

    def _no_derivative(self, node: Node) -> None:
        if self.tape is not None:
            raise OnnxError(f"`grad` through `{node.op}` is not supported in ONNX", node.span)

    def visit_phase(self, frame: DefinitionFrame, node: Node, told: PhaseAttrs) -> Sequence[Bound]:
        return self.region(frame, node.regions[1], self.inputs(frame, node))

    def visit_given(self, frame: DefinitionFrame, node: Node, told: GivenAttrs) -> Sequence[Bound]:
        values = self.inputs(frame, node)
        return self.region(frame, node.regions[0 if values[0] is not None else 1], values)

    def visit_tapped(self, frame: DefinitionFrame, node: Node, told: TappedAttrs) -> Sequence[Bound]:
        return self.region(frame, node.regions[0 if self.taps is not None else 1], self.inputs(frame, node))

    def visit_update(self, frame: DefinitionFrame, node: Node, told: UpdateAttrs) -> Sequence[Bound]:
        return ()

    def visit_assume(self, frame: DefinitionFrame, node: Node, told: AssumeAttrs) -> Sequence[Bound]:
        self.conditions.append((told.condition.subs(frame.sizes.unknowns), told.text))
        return ()

    def visit_tap(self, frame: DefinitionFrame, node: Node, told: TapAttrs) -> Sequence[Bound]:
        (value,) = self.inputs(frame, node)
        if self.taps is not None and isinstance(value, str):
            self.taps.put(frame.path(node.path or told.name), value)
        return ()

    def operation(self, frame: DefinitionFrame, node: Node) -> Sequence[Bound]:
        """Lower one operation of `compiler.ops`."""
        if node.op not in LOWER:
            raise self.unhandled(node)
        builder = self.builder
        there = specialized(node, frame.sizes, frame.types)
        there = replace(there, inputs=tuple(frame.values[x] if isinstance(x, str) else x for x in there.inputs))
        elems = [frame.types[x].elem for x in node.inputs if isinstance(x, str)]
        complex_ = "complex" in (*elems, *(value.type.elem for value in node.outputs))
        lower = LOWER[node.op]
        if complex_ and node.op in COMPLEX:
            lower = COMPLEX[node.op]
        elif complex_ and node.op not in PLAIN:
            raise OnnxError(f"`{node.op}` of complex numbers is not supported in ONNX", node.span)
        elem = _literal_elem(node, frame.types)
        if self.tape is not None and node.op in SPELLED and not complex_:
            given = [x if isinstance(x, str) else None for x in there.inputs]
            name = SPELLED[node.op](Steps(builder, self.tape.append), there, given)
            self.note(name, node.outputs[0], frame)
            return [name]
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
            self.note(name, value, frame)
        return found

    def visit_weight(self, frame: DefinitionFrame, node: Node, told: WeightAttrs) -> Sequence[Bound]:
        (value,), stacked = node.outputs, told.stacked
        name = frame.supplied.get(node.path)
        if name is None:
            type = real(frame.sizes.type(value.type))
            name = self._all_iterations(frame.path(node.path, stacked), type, stacked)
        else:
            name = self._iteration(frame, node.path, name, stacked)
        self.note(name, value, frame)
        return [name]

    def _all_iterations(self, path: str, type: TensorType, stacked: int) -> str:
        """A weight; those of the iterations of so many loops stacked on first axes."""
        if not stacked:
            return self.weight(path, type)
        count = type.axes[0].size
        if not count.is_number:
            raise OnnxError(f"`repeat {count}` with weights of its own needs a number; give the size with `sizes`")
        inner = type.with_axes(*type.axes[1:])
        before, after = path.split("*")[:-stacked], path.split("*")[-stacked:]
        iterations = (f"{'*'.join(before)}{number}{'*'.join(after)}" for number in range(count.number))
        rows = tuple(self._all_iterations(iteration, inner, stacked - 1) for iteration in iterations)
        zero = self.builder.array([0])
        name = self.builder.node("Concat", *(self.builder.node("Unsqueeze", row, zero) for row in rows), axis=0)
        self.rows[name] = rows
        return name

    def _iteration(self, frame: DefinitionFrame, path: str, name: str, stacked: int = 0) -> str:
        """Of weights that are supplied for all iterations, stacked, the one of this iteration."""
        for index in frame.iterations[: path.split(".").count("*") - stacked]:
            rows = self.rows.get(name)
            assert isinstance(index, int), path
            name = rows[index] if rows else self.builder.node("Gather", name, self.builder.number(index, "int"), axis=0)
        return name

    def visit_call(self, frame: DefinitionFrame, node: Node, told: CallAttrs) -> Sequence[Bound]:
        assert node.callee is not None, node
        args = self.inputs(frame, node)
        if self.on_call is not None and self.tape is None:
            found = self.on_call(self, frame, node, args)
            if found is not None:
                return found
        supplied = {path: str(frame.values[name]) for path, name in node.supplied}
        start = f"{node.path}."
        below = {p: name for p, name in frame.supplied.items() if node.path and p.startswith(start)}
        supplied = {p[len(start) :]: self._iteration(frame, node.path, name) for p, name in below.items()} | supplied
        unknowns = {unknown: value.subs(frame.sizes.unknowns) for unknown, value in node.bindings}
        prefix = frame.path(node.path) + "." if node.path else frame.prefix
        return self.definition(node.callee, args, unknowns, prefix, supplied)


def _literal_elem(node: Node, types: Mapping[str, TensorType]) -> str:
    """The element type that literal operands take: that of the tensors beside them, else of the result."""
    operands = node.inputs[1:] if node.op == "select" else node.inputs
    found = next((types[x].elem for x in operands if isinstance(x, str)), None)
    return found or node.outputs[0].type.elem
