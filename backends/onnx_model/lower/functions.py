"""Blocks as functions of the model: each definition, and the body of each `repeat`, is written once and called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from onnx import FunctionProto, ModelProto

from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.graph.nodes import Made
from ogive.backends.onnx_model.graph.size_sources import note_source
from ogive.backends.onnx_model.lower.interpreter import Walker
from ogive.backends.onnx_model.lower.specialize import Sizes, real
from ogive.backends.onnx_model.passes.factors import keep_factors_of_function
from ogive.backends.onnx_model.passes.post_passes import uses_of
from ogive.backends.onnx_model.serialize.protos import fill_node, without_size_names
from ogive.backends.onnx_model.walk_state import Bound, DefinitionFrame, Lowering
from ogive.compiler.ir.model import Const, Graph, Node, Value
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Condition, Size, Unknown, size

DOMAIN = "ogive"


@dataclass(frozen=True, slots=True)
class LoweredFunction:
    """A function: after its inputs come weights, by their path below it, and sizes that no input tells."""

    name: str
    weights: tuple[tuple[str, TensorType], ...]
    sizes: tuple[Unknown, ...]
    outputs: tuple[bool, ...]  # whether each result is there
    conditions: tuple[tuple[Condition, str], ...]  # what it assumes, in its own sizes
    elems: tuple[int | None, ...]  # of the results that are there, in ONNX


@dataclass(slots=True)
class Functions:
    """The functions of one model."""

    proto: ModelProto
    written: dict[object, LoweredFunction] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def call(
        self, walker: Lowering, frame: DefinitionFrame, node: Node, args: Sequence[Bound]
    ) -> tuple[Bound, ...] | None:
        """The call of a block as that of its function; None for one that is handed weights, which is inlined."""
        callee = node.callee
        assert callee is not None, node
        if node.supplied or any(path.startswith(f"{node.path}.") for path in frame.supplied):
            return None
        values = [_tensor(walker, arg, value.type.elem) for arg, value in zip(args, callee.graph.inputs, strict=True)]
        unknowns = {unknown: value.subs(frame.sizes.unknowns) for unknown, value in node.bindings}
        local, packs = _local(unknowns, walker.packs(callee, values))
        key = (callee.name, _numbers(local), _ranks(packs), tuple(value is None for value in values))

        def run(inner: Lowering, bound: Sequence[Bound], supplied: Mapping[str, str]) -> tuple[Bound, ...]:
            return inner.definition(callee, bound, local, "", supplied)

        written = self.written.get(key)
        if written is None:
            name = self._free(callee.name)
            written = self._write(walker, name, callee.graph, values, Sizes(local, packs), run, callee.doc)
            self.written[key] = written
        start = f"{node.path}." if node.path else ""
        builder = walker.builder
        builder.path = frame.path(node.path) if node.path else (frame.place or frame.prefix.rstrip("."))

        def path(relative: str) -> str:
            return frame.path(start + relative)

        return self._called(walker, frame, node.outputs, written, values, path, unknowns)

    def iteration(self, walker: Lowering, frame: DefinitionFrame, node: Node, args: Sequence[Bound]) -> Sequence[Bound]:
        """One iteration of a `repeat` as the call of a function."""
        region = node.regions[0]
        values = [_tensor(walker, x, v.type.elem) for x, v in zip(args, region.inputs, strict=True)]
        local, packs = _local(frame.sizes.unknowns, frame.sizes.packs)
        own = frame.definition
        key = (own.name, node.path, id(region), _numbers(local), _ranks(packs), tuple(v is None for v in values))
        depth = len(frame.iterations)

        def run(inner: Lowering, bound: Sequence[Bound], supplied: Mapping[str, str]) -> tuple[Bound, ...]:
            there = DefinitionFrame(
                own, Sizes(local, packs), "", {}, iterations=("*",) * depth, place="", supplied=supplied
            )
            return inner.region(there, region, bound)

        written = self.written.get(key)
        if written is None:
            label = "_".join(part for part in node.path.split(".") if part != "*")
            name = self._free(f"{own.name}_{label or 'turn'}")
            doc = f"One iteration of `{label}` in {own.name}."
            written = self.written[key] = self._write(walker, name, region, values, Sizes(local, packs), run, doc)
        walker.builder.path = frame.place
        outputs = [region.values[x] if isinstance(x, str) else None for x in region.outputs]
        return self._called(walker, frame, outputs, written, values, frame.path, frame.sizes.unknowns)

    def _free(self, name: str) -> str:
        found, number = name, 1
        while found in self.names:
            number += 1
            found = f"{name}_{number}"
        self.names.add(found)
        return found

    def _called(
        self,
        walker: Lowering,
        frame: DefinitionFrame,
        outputs: Sequence[Value | None],
        written: LoweredFunction,
        values: Sequence[str | None],
        path: Callable[[str], str],
        unknowns: Mapping[Unknown, Size],
    ) -> tuple[Bound, ...]:
        builder = walker.builder
        inputs = [value for value in values if value is not None]
        for relative, type in written.weights:
            there = path(relative)
            inputs.append(frame.supplied.get(there) or walker.weight(there, type))
        inputs += [builder.size(unknowns[unknown]) for unknown in written.sizes]
        walker.conditions += [(condition.subs(unknowns), text) for condition, text in written.conditions]
        present = [value for value, there in zip(outputs, written.outputs, strict=True) if there]
        builder.hints = tuple(value.hint if value is not None else "" for value in present)
        results = builder.add(written.name, inputs, len(present), {}, DOMAIN)
        builder.elems.update(zip(results, written.elems, strict=True))
        made = iter(results)
        found: list[Bound] = []
        for value, is_there in zip(outputs, written.outputs, strict=True):
            name = next(made) if is_there else None
            if name is not None and value is not None:
                walker.note(name, value, frame)
            found.append(name)
        return tuple(found)

    def _write(
        self,
        outer: Lowering,
        name: str,
        graph: Graph,
        values: Sequence[str | None],
        sizes: Sizes,
        run: Callable[[Lowering, Sequence[Bound], Mapping[str, str]], tuple[Bound, ...]],
        doc: str,
    ) -> LoweredFunction:
        builder = OnnxBuilder(outer.builder.opset, outer.builder.floating)
        inputs: list[str] = []
        bound: list[Bound] = []
        for value, given in zip(graph.inputs, values, strict=True):
            if given is None:
                bound.append(None)
                continue
            inputs.append(builder.name(value.hint or value.name))
            bound.append(inputs[-1])
            builder.types[inputs[-1]] = real(sizes.type(value.type))
            if value.type.elem == "complex":
                builder.complex.add(inputs[-1])
            for at, axis in enumerate(builder.types[inputs[-1]].axes):
                note_source(builder, inputs[-1], at, axis.size)
        weights: dict[str, tuple[str, TensorType]] = {}
        told: dict[Unknown, str] = {}

        def weight(path: str, type: TensorType) -> str:
            if path not in weights:
                weights[path] = (builder.name(path), type)
                builder.types[weights[path][0]] = type
            return weights[path][0]

        def ask(unknown: Unknown) -> str:
            told[unknown] = builder.name(unknown.name)
            return told[unknown]

        builder.ask = ask
        inner = Walker(builder, weight, None, [], self.call, on_iteration=self.iteration)
        results = run(inner, bound, {})
        function = self.proto.functions.add()
        _outputs(builder, function, results)
        all_inputs = [*inputs, *(n for n, _ in weights.values()), *told.values()]
        keep_factors_of_function(builder, all_inputs, function.output)
        _fill(function, name, doc, builder, all_inputs)
        kept = tuple((path, type) for path, (_, type) in weights.items())
        there = tuple(result is not None for result in results)
        elems = tuple(map(builder.elem_of, function.output))
        return LoweredFunction(name, kept, tuple(told), there, tuple(inner.conditions), elems)


def _tensor(walker: Lowering, bound: Bound, elem: str) -> str | None:
    """A literal that is handed over becomes a tensor."""
    if not isinstance(bound, Const):
        return bound
    name = walker.builder.literal(bound, elem)
    walker.builder.types.setdefault(name, TensorType(elem, ()))
    return name


def _local(
    unknowns: Mapping[Unknown, Size], packs: Mapping[str, tuple[Axis, ...]]
) -> tuple[dict[Unknown, Size], dict[str, tuple[Axis, ...]]]:
    """Sizes as the function sees them: numbers, or unknowns of its own."""
    axes = {
        pack: tuple(a if a.size.is_number else Axis(size(Unknown(f"{pack}{i}")), a.label) for i, a in enumerate(found))
        for pack, found in packs.items()
    }
    local: dict[Unknown, Size] = {}
    for unknown, value in unknowns.items():
        local[unknown] = value if value.is_number else size(unknown)
        if unknown.kind == "pack" and unknown.name.lstrip("*") in axes:
            total = size(1)
            for axis in axes[unknown.name.lstrip("*")]:
                total = total * axis.size
            local[unknown] = total
    return local, axes


def _numbers(local: Mapping[Unknown, Size]) -> tuple[tuple[str, int], ...]:
    return tuple((unknown.name, value.number) for unknown, value in local.items() if value.is_number)


def _ranks(packs: Mapping[str, tuple[Axis, ...]]) -> tuple[tuple[str, tuple[int | None, ...]], ...]:
    def known(axis: Axis) -> int | None:
        return axis.size.number if axis.size.is_number else None

    return tuple((pack, tuple(map(known, axes))) for pack, axes in sorted(packs.items()))


def _outputs(builder: OnnxBuilder, function: FunctionProto, results: Sequence[Bound]) -> None:
    """Outputs of a function are made by nodes of their own where they would be inputs or constants, or one twice."""
    builder.path = ""
    made = {name for node in builder.body.nodes for name in node.outputs}
    taken: set[str] = set()
    for result in results:
        if result is None:
            continue
        name = builder.literal(result, "float") if isinstance(result, Const) else result
        if name not in made or name in taken:
            builder.hints = ("output",)
            name = builder.add("Identity", [name], 1, {})[0]
        taken.add(name)
        function.output.append(name)


def _fill(function: FunctionProto, name: str, doc: str, builder: OnnxBuilder, inputs: Sequence[str]) -> None:
    function.name, function.domain, function.doc_string = name, DOMAIN, doc.strip()
    function.input.extend(inputs)
    function.opset_import.add(domain="", version=builder.opset)
    function.opset_import.add(domain=DOMAIN, version=1)
    used = uses_of(builder.body)
    for constant, array in builder.constants.items():
        if used[constant]:
            made = Made("Constant", [], [constant], {"value": array}, constant)
            fill_node(function.node.add(), made, builder.floating)
    for made in builder.body.nodes:
        fill_node(function.node.add(), made, builder.floating)
    for node in function.node:
        without_size_names(node)
