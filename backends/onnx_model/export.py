"""A model as ONNX: the graph, its weights, and what its file says about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from onnx import ModelProto

from ogive.backends.onnx_model.graph.builder import RANDOM, OnnxBuilder
from ogive.backends.onnx_model.graph.elems import FLOATS, NUMPY, concrete
from ogive.backends.onnx_model.graph.errors import OnnxError, Unheld
from ogive.backends.onnx_model.graph.size_sources import note_source
from ogive.backends.onnx_model.lower.functions import DOMAIN, Functions
from ogive.backends.onnx_model.lower.interpreter import Walker
from ogive.backends.onnx_model.lower.specialize import Sizes, real
from ogive.backends.onnx_model.passes.channel_maxima import channel_maxima
from ogive.backends.onnx_model.passes.factors import keep_factors
from ogive.backends.onnx_model.passes.post_passes import (
    Stored,
    Weights,
    all_ops,
    fold_batch_norms,
    renamed,
    store_transposed,
    uses_of,
)
from ogive.backends.onnx_model.passes.quantized import as_bytes
from ogive.backends.onnx_model.serialize.protos import fill_graph, fill_tensor, fill_values
from ogive.backends.onnx_model.taps import Taps
from ogive.backends.onnx_model.walk_state import Bound
from ogive.compiler.ir.model import Definition, Model, Value
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ir_tools.entry import conditions_at_entry, declared
from ogive.compiler.ir_tools.open_sizes import open_sizes, unfit_names
from ogive.compiler.passes.fusion.recurrent_inputs import recurrent_inputs
from ogive.compiler.passes.infra.driver import optimized
from ogive.compiler.passes.pipelines.lowering import lowered
from ogive.compiler.passes.taps.unasked import without_taps
from ogive.compiler.sizes import Condition, Size, Unknown, size
from ogive.compiler.sizes.condition import Truth

OPSET = 23  # the first with `Attention` and `RMSNormalization`
OPSET_RANDOM = 21  # runtimes have the random nodes of no later one yet
SUPPORTED = (20, 26)
IR_VERSIONS = {20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 12, 26: 13}


@dataclass(frozen=True, slots=True)
class Settings:
    """What an export is asked for."""

    sizes: Mapping[str, int | Sequence[int]] = field(default_factory=dict)  # a number; for a pack one for each axis
    ranks: Mapping[str, int] = field(default_factory=dict)  # how many axes a pack of an input stands for
    dtype: str | None = None  # the float type of the model; that of its weights unless given
    opset: int | None = None  # `OPSET`, unless the graph draws random numbers
    functions: bool = False
    taps: bool = False
    optional: tuple[str, ...] = ()  # optional inputs that the graph takes


@dataclass(slots=True)
class Exported:
    """A model without its weights' numbers, and where these come from."""

    proto: ModelProto
    weights: dict[str, Stored]


def exported(model: Model, arrays: Mapping[str, np.ndarray], settings: Settings) -> Exported:
    """The model with these weights, by path."""
    _refuse(settings)
    floating = settings.dtype or _floating(arrays)
    model = optimized(
        recurrent_inputs(lowered(model if settings.taps else without_taps(model)), instances=True), (channel_maxima,)
    )
    builder = OnnxBuilder(settings.opset or OPSET, floating)
    weights = Weights()
    unknowns, packs = bound_sizes(model, settings)
    builder.taken.update(dict.fromkeys(arrays, 0))
    args = _inputs(model.definition, builder, Sizes(unknowns, packs), settings)
    reserved = [name for name in _output_names(model.definition) if name not in builder.taken]
    builder.taken.update(dict.fromkeys(reserved, 0))

    def weight(path: str, type: TensorType) -> str:
        if path not in weights.stored:
            builder.taken.setdefault(path, 0)
            weights.stored[path] = _stored(path, type, arrays, floating)
        return path

    walker = Walker(builder, weight, taps=Taps() if settings.taps else None)
    proto = ModelProto()
    if settings.functions:
        functions = Functions(proto)
        walker.on_call, walker.on_iteration = functions.call, functions.iteration
    results = walker.definition(model.definition, args, unknowns)
    if settings.opset is None and draws(builder, proto):
        return exported(model, arrays, replace(settings, opset=OPSET_RANDOM))
    for name in reserved:
        del builder.taken[name]
    _outputs(model.definition, builder, results, {} if walker.taps is None else walker.taps.outputs(builder))
    keep_factors(builder, weights.stored)
    if not settings.functions:
        fold_batch_norms(builder.body, weights, builder.types)
        as_bytes(builder, weights.stored)
        store_transposed(builder.body, weights)
    conditions = _conditions(model, walker, unknowns)
    _fill(proto, model, builder, conditions, settings)
    return Exported(proto, weights.stored)


def _refuse(settings: Settings) -> None:
    """Settings that cannot be met."""
    if settings.dtype not in (None, *FLOATS):
        raise OnnxError(f"no float type {settings.dtype}: one of {', '.join(FLOATS)}")
    if settings.opset is not None and not SUPPORTED[0] <= settings.opset <= SUPPORTED[1]:
        raise OnnxError(f"opset {settings.opset} is not written, but {SUPPORTED[0]} to {SUPPORTED[1]}")
    if settings.functions and settings.taps:
        raise OnnxError("taps cannot leave functions; ask for one of the two")


def draws(builder: OnnxBuilder, proto: ModelProto) -> bool:
    """Whether the graph or one of its functions draws random numbers."""
    functions = (node.op_type for function in proto.functions for node in function.node)
    return any(op in RANDOM for op in (*functions, *all_ops(builder.body)))


def _floating(arrays: Mapping[str, np.ndarray]) -> str:
    """The float type of the model: that of its weights, or of the parts of complex ones where there are no others."""
    kinds = {dtype: name for name, dtype in NUMPY.items() if name in FLOATS}
    found = {kinds[array.dtype] for array in arrays.values() if array.dtype in kinds}
    found = found or {kinds[array.real.dtype] for array in arrays.values() if array.dtype.kind == "c"}
    return found.pop() if len(found) == 1 else "f32"


def bound_sizes(model: Model, settings: Settings) -> tuple[dict[Unknown, Size], dict[str, tuple[Axis, ...]]]:
    """The unknowns of the definition as numbers and as sizes of its inputs; its packs as axes."""
    found = {unknown: size(number) for unknown, number in model.bindings}
    axes_ = [axis for value in model.definition.graph.inputs for axis in value.type.axes if axis.pack is not None]
    packs: dict[str, tuple[Axis, ...]]
    packs = {str(axis.pack): (Axis(axis.size),) for axis in axes_ if axis.size.is_number}  # a pass has fixed them
    named = {unknown: str(axis.pack) for axis in axes_ for unknown in axis.size.unknowns}
    names = dict.fromkeys(named.get(unknown, unknown.name) for unknown in open_sizes(model))
    if said := unfit_names(model, settings.sizes.keys() | settings.ranks.keys(), names):
        raise OnnxError(said)
    empty = _empty(model.definition, settings)
    for unknown in model.definition.sizes:
        name = named.get(unknown, unknown.name)
        given = settings.sizes.get(name)
        least = 0 if unknown in empty else unknown.low or 0
        if given is not None and any(each < least for each in (given if isinstance(given, Sequence) else (given,))):
            raise OnnxError(f"`{name}` is a size of at least {least}, not {given}")
        if unknown in named:
            _fits_rank(name, given, settings.ranks.get(name))
            axes = packs[name] = _pack(name, given, settings.ranks.get(name, 1))
            total = size(1)
            for axis in axes:
                total = total * axis.size
            found[unknown] = total
        elif given is not None:
            if not isinstance(given, int):
                raise OnnxError(f"the size {unknown.name} is one number, not {given}")
            found[unknown] = size(given)
        elif unknown not in found:
            found[unknown] = size(0) if unknown in empty else size(unknown)
    return found, packs


def _empty(definition: Definition, settings: Settings) -> set[Unknown]:
    """The sizes that may be 0 and are told by an absent input alone: those of an empty cache."""
    told: tuple[set[Unknown], set[Unknown]] = (set(), set())
    for value, optional in zip(definition.graph.inputs, definition.optional, strict=True):
        absent = optional and (value.hint or value.name) not in settings.optional
        told[absent].update(unknown for axis in value.type.axes for unknown in axis.size.unknowns)
    return {unknown for unknown in told[1] - told[0] if unknown.low == 0}


def _fits_rank(name: str, given: int | Sequence[int] | None, rank: int | None) -> None:
    count = 1 if isinstance(given, int) else None if given is None else len(given)
    if rank is not None and count not in (None, rank):
        numbers = f"{count} size" + ("s" if count != 1 else "")
        raise OnnxError(f"`*{name}` stands for {rank} axes by `ranks`, but has {numbers} in `sizes`")


def _pack(name: str, given: int | Sequence[int] | None, rank: int) -> tuple[Axis, ...]:
    if isinstance(given, int):
        return (Axis(size(given)),)
    if given is not None:
        return tuple(Axis(size(number)) for number in given)
    names = [name] if rank == 1 else [f"{name}{i}" for i in range(1, rank + 1)]
    return tuple(Axis(size(Unknown(each))) for each in names)


def _inputs(definition: Definition, builder: OnnxBuilder, sizes: Sizes, settings: Settings) -> list[Bound]:
    pairs = zip(definition.graph.inputs, definition.optional, strict=True)
    there = [value.hint or value.name for value, optional in pairs if optional]
    if wrong := set(settings.optional) - set(there):
        what = f"its optional inputs are {', '.join(there)}" if there else "it has no optional inputs"
        raise OnnxError(f"there is no optional input {', '.join(sorted(wrong))}: {what}")
    args: list[Bound] = []
    for value, optional in zip(definition.graph.inputs, definition.optional, strict=True):
        name = value.hint or value.name
        if optional and name not in settings.optional:
            args.append(None)
            continue
        name = builder.name(name)
        type = real(sizes.type(value.type))
        builder.types[name] = type
        builder.body.inputs.append((name, type))
        if value.type.elem == "complex":
            builder.complex.add(name)
        for at, axis in enumerate(type.axes):
            note_source(builder, name, at, axis.size)
        args.append(name)
    return args


def _output_names(definition: Definition) -> list[str]:
    """As they are declared."""
    names = definition.output_names
    return [name or ("output" if len(names) == 1 else f"output_{i}") for i, name in enumerate(names)]


def _outputs(definition: Definition, builder: OnnxBuilder, results: Sequence[Bound], taps: Mapping[str, str]) -> None:
    """Name the outputs: a node that makes one gives it its name, unless it is one already."""
    pairs = [(n, result) for n, result in zip(_output_names(definition), results, strict=True) if result is not None]
    builder.path = ""
    for name, result in [*pairs, *((f"taps/{path}", value) for path, value in taps.items())]:
        value = result if isinstance(result, str) else builder.literal(result, "float")
        builder.hints = (name,)
        found = builder.add("Identity", [value], 1, {})[0]
        builder.types[found] = builder.types.get(value, TensorType("float", ()))
        builder.body.outputs.append((found, builder.types[found]))
    _direct(builder)


def _direct(builder: OnnxBuilder) -> None:
    """Drop the `Identity` of an output that a node makes for it: the node makes the output itself."""
    body = builder.body
    copies = {made.inputs[0]: made for made in reversed(body.nodes) if made.op == "Identity"}
    outputs = {name for name, _ in body.outputs}
    makers = {name: made for made in body.nodes for name in made.outputs}
    for source, copy in copies.items():
        maker = makers.get(source)
        if copy.outputs[0] not in outputs or maker is None or source in outputs:
            continue
        maker.outputs = [copy.outputs[0] if name == source else name for name in maker.outputs]
        body.nodes.remove(copy)
        renamed(body, {source: copy.outputs[0]})
        builder.types.pop(source, None)


def _stored(path: str, type: TensorType, arrays: Mapping[str, np.ndarray], floating: str) -> Stored:
    if path not in arrays:
        raise OnnxError(f"there is no weight `{path}`")
    array = arrays[path]
    if type.elem == "float" and array.dtype.kind == "c":  # a pair
        array = np.ascontiguousarray(array).view(array.real.dtype).reshape(*array.shape, 2)
    dtype = NUMPY[concrete(type.elem, floating)]
    wanted = tuple(axis.size.number for axis in type.axes)
    if tuple(array.shape) != wanted:
        raise OnnxError(f"the weight `{path}` is {list(array.shape)}, and the model has {list(wanted)}")
    if array.dtype == dtype:
        return Stored(path, wanted, dtype, lambda: array)
    _refuse_lost(path, array, dtype)
    return Stored(path, wanted, dtype, lambda: array.astype(dtype))


def _refuse_lost(path: str, array: np.ndarray, dtype: np.dtype) -> None:
    """A weight that is infinite in its type, or of which nothing is left; that small numbers round to 0 is as it is."""
    if dtype.itemsize >= array.dtype.itemsize or not array.size:
        return
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if (np.isfinite(array) & ~np.isfinite(cast)).any():
        largest = np.abs(np.where(np.isfinite(array), array, 0)).max()
        raise Unheld(f"the weight `{path}` has {largest:g}, which is infinite in {dtype.name}")
    if array.any() and not cast.any():
        raise Unheld(f"the weight `{path}` is 0 in {dtype.name}: its largest number is {np.abs(array).max():g}")


def _conditions(model: Model, walker: Walker, unknowns: Mapping[Unknown, Size]) -> list[str]:
    """What must hold of the sizes of inputs, as text."""
    stated: list[Condition] = [*conditions_at_entry(model), *(c for c, _ in walker.conditions)]
    found: dict[str, None] = {}
    for condition in stated:
        there = condition.subs(unknowns)
        if isinstance(there, Truth) and not there.value:
            raise OnnxError(f"the sizes given break `{condition}`")
        if not isinstance(there, Truth):
            found[str(there)] = None
    return list(found)


def _fill(proto: ModelProto, model: Model, builder: OnnxBuilder, conditions: Sequence[str], settings: Settings) -> None:
    proto.ir_version = IR_VERSIONS[builder.opset]
    proto.producer_name = "ogive"
    proto.opset_import.add(domain="", version=builder.opset)
    if settings.functions:
        proto.opset_import.add(domain=DOMAIN, version=1)
    said = {"conditions": list(conditions), "inputs": _declarations(builder), "empty": _empty_sizes(builder)}
    for key, value in (("model", model.name), *((key, json.dumps(value)) for key, value in said.items() if value)):
        proto.metadata_props.add(key=f"ogive.{key}", value=value)
    graph = proto.graph
    graph.name = model.name
    graph.doc_string = model.doc.strip() or model.definition.doc.strip()
    fill_graph(graph, builder.body, builder.floating)
    proto.doc_string = graph.doc_string
    used = uses_of(builder.body)
    for name, array in builder.constants.items():
        if used[name]:
            fill_tensor(graph.initializer.add(), name, array)
    made = {name for node in builder.body.nodes for name in node.outputs}
    shown = {name: type for name, type in builder.types.items() if name in made}
    fill_values(graph, shown, [name for name, _ in builder.body.outputs], builder.floating)


def _declarations(builder: OnnxBuilder) -> dict[str, str]:
    """The inputs as they are declared."""
    return {name: declared(Value(name, type)) for name, type in builder.body.inputs}


def _empty_sizes(builder: OnnxBuilder) -> list[str]:
    """The sizes of inputs that may be 0."""
    unknowns = {unknown for _, type in builder.body.inputs for axis in type.axes for unknown in axis.size.unknowns}
    return sorted(unknown.name for unknown in unknowns if unknown.low == 0)
