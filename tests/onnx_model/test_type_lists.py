"""Every node of an exported graph takes and gives element types that its schema at that opset lists.

So for every operation, in every float type of the model, of every element type that its rule allows, at every opset.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import GraphProto, ModelProto, NodeProto, TypeProto, defs

import ogive
from generated.evaluator import evaluated
from generated.program import program
from generated.subject import Subject, Unfit
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.graph.builder import OnnxBuilder
from ogive.backends.onnx_model.graph.elems import NUMPY
from ogive.backends.onnx_model.graph.errors import OnnxError
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.ir.types import FLOATS, TensorType
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import ShapeError
from onnx_model.cases import CASES, Stated, stated
from onnx_model.harness import array, checked, model_of, proto_of
from onnx_model.test_ops import choices, fixed_sizes
from ops.cases import Case
from ops.derived import derived
from ops.harness import Collected, Names, node_of
from ops.test_derivatives import TRIED

OPSETS = (20, 21, 22, 23, 24, 25, 26)
SOME = (20, 23)
# instead of an element type of a case
INSTEAD = {"float": ("f16", "bf16", "f32", "f64", "int", "i32", "bool"), "int": ("i32", "i64", "float", "bool"),
           "bool": ("float", "int", "i32")}  # fmt: skip
OFTEN = {"float": ("bf16", "f64", "i32"), "int": ("i32",), "bool": ()}


def of_op(op: str) -> list[Case]:
    return [case for case in CASES if case.op == op]


def swapped(case: Case, old: str, new: str) -> Stated | None:
    """The case with another element type; None where its rule refuses that."""
    names = Names()
    kinds = [names.operand(item) for item in case.inputs]
    if not any(isinstance(kind, TensorType) and kind.elem == old for kind in kinds):
        return None
    types = [k.with_elem(new) if isinstance(k, TensorType) and k.elem == old else k for k in kinds]
    checker = Collected(case.given)
    try:
        node = node_of(case.op, types, case.statics(names) if callable(case.statics) else case.statics, checker)
    except ShapeError:
        return None
    return Stated(case, names, types, node, checker)


def check(state: Stated, dtype: str, opsets: tuple[int, ...]) -> None:
    """The graphs at these opsets, with fixed sizes so that nothing depends on what a length is."""
    sizes = fixed_sizes(state, next(choices(state)))
    for opset in opsets:
        try:
            proto = proto_of(
                model_of(state.node, state.types, state.names.known), sizes=sizes, dtype=dtype, opset=opset
            )
        except OnnxError:
            continue  # refused by name: other tests say which
        assert list(unlisted(proto)) == []


@pytest.mark.parametrize("op", OPS)
def test_of_the_float_type_of_the_model(op: str) -> None:
    for case in of_op(op):
        for dtype in ("bf16", "f16", "f64"):
            check(stated(case), dtype, SOME)


@pytest.mark.parametrize("op", OPS)
def test_of_element_types_of_their_own(op: str) -> None:
    for case in of_op(op):
        for old, new in ((old, new) for old, wanted in OFTEN.items() for new in wanted):
            if (state := swapped(case, old, new)) is not None:
                check(state, "f32", SOME)


@pytest.mark.slow
@pytest.mark.parametrize("op", OPS)
def test_of_all_element_types_at_all_opsets(op: str) -> None:
    for case in of_op(op):
        for dtype in FLOATS[1:]:
            check(stated(case), dtype, OPSETS)
        for old, new in ((old, new) for old, wanted in INSTEAD.items() for new in wanted):
            if (state := swapped(case, old, new)) is not None:
                check(state, "f32", OPSETS)
                check(state, "f64", SOME)


@pytest.mark.parametrize(
    "elem", ["f64", "bf16", *(pytest.param(elem, marks=pytest.mark.slow) for elem in ("f16", "f32"))]
)
def test_of_derivatives(elem: str) -> None:
    """A number whose derivative is taken is of the type that it is computed in, not of that of the model."""
    for case in TRIED:
        inputs = tuple(f"{elem}: {x}" if isinstance(x, str) and ":" not in x else x for x in case.inputs)
        try:
            found = derived(replace(case, inputs=inputs))
        except ShapeError:
            continue  # complex numbers are of the type of the model alone
        for opset in SOME:
            if found is None:  # nothing to derive
                continue
            try:
                proto = proto_of(found.model(), opset=opset)
            except OnnxError:
                continue
            assert list(unlisted(proto)) == []


@pytest.mark.parametrize("number", [*range(12), 84, 163, 178, 369, 387, 402, 453, 484])
def test_of_whole_programs(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random ones, with loops, derivatives and calls: of no value is the type unknown while the graph is built."""
    unknown, listed = list[str](), OnnxBuilder._listed

    def asked(
        self: OnnxBuilder, op: str, inputs: Sequence[str], count: int, attrs: Mapping[str, Any]
    ) -> tuple[str, ...]:
        unknown.extend(f"{op} of {x}" for x in inputs if x and self.elem_of(x) is None)
        return listed(self, op, inputs, count, attrs)

    monkeypatch.setattr(OnnxBuilder, "_listed", asked)
    subject = Subject.of(program(f"Q2/{number}"))
    try:
        subject.settle(random.Random(number))
    except Unfit:
        return
    weights = {path: w.astype(NUMPY["bf16"]) if w.dtype.kind == "f" else w for path, w in subject.weights.items()}
    settings = Settings(
        {unknown.name: size for unknown, size in subject.sizes.items() if size},
        dtype="bf16",
        opset=20,
        optional=tuple(subject.program.optional),
    )
    for functions in (False, True):
        try:
            proto = whole(exported(subject.model.ir, weights, replace(settings, functions=functions)))
        except OnnxError:
            continue  # refused by name
        checked(proto)
        assert functions or list(unlisted(proto)) == []
    assert unknown == []


# operations that the standard lists for bfloat16 from some opset on, and what they compute
LATER = ["round", "sin", "asinh", "softplus", "hardswish", "max_pool", "conv", "topk", "sort", "det"]


@pytest.mark.parametrize("op", LATER)
def test_it_computes_the_same_where_it_is_not_listed(op: str) -> None:
    state = stated(of_op(op)[0])
    sizes = fixed_sizes(state, next(choices(state)))
    made = [proto_of(model_of(state.node, state.types, state.names.known), sizes=sizes, dtype="bf16", opset=opset)
            for opset in (20, 26)]  # fmt: skip
    assert sum(node.op_type == "Cast" for node in made[0].graph.node) > sum(
        node.op_type == "Cast" for node in made[1].graph.node
    )
    rng = np.random.default_rng(0)
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in made[0].graph.input}
    kind = onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.BFLOAT16)
    feeds = {name: rng.standard_normal(shape).astype(kind) for name, shape in shapes.items()}
    for y, z in zip(*(evaluated(proto, feeds) for proto in made), strict=True):
        assert y.dtype in (kind, np.int64)
        np.testing.assert_allclose(y.astype(np.float64), z.astype(np.float64), rtol=2.0**-6, atol=2.0**-8)


KINDS = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64, "int": torch.int64,
         "i32": torch.int32, "bool": torch.bool}  # fmt: skip


@pytest.mark.parametrize("elem", [*KINDS, "float", "complex"])
def test_complex_numbers_are_of_the_type_of_the_model(elem: str) -> None:
    kind = "" if elem == "float" else elem
    text = (
        f"block F(x: [n], y: {kind}[n]) -> complex[n]:\n    return cast[complex](y) * cast[complex](x)\nmodel M = F\n"
    )
    model = ogive.source(text).models["M"]
    x, numbers = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1.0, 0.0, 3.0])
    for dtype, name in ((torch.float32, "f32"), (torch.float64, "f64")):
        kinds = {**KINDS, "float": dtype, "complex": dtype.to_complex()}
        given = (x.to(dtype), numbers.to(kinds[elem]))
        wanted = model.torch().to(dtype)(*given)
        assert wanted.dtype == dtype.to_complex()
        proto = whole(exported(model.ir, {}, Settings(dtype=name)))
        assert list(unlisted(proto)) == []
        assert np.array_equal(evaluated(proto, {"x": array(given[0]), "y": array(given[1])})[0], array(wanted))


# --- the schemas ------------------------------------------------------------------------------------------------------


def unlisted(proto: ModelProto) -> Iterator[str]:
    """What a node takes or gives that its schema does not list, or whose type nobody knows."""
    checked(proto)
    opsets = {each.domain: each.version for each in proto.opset_import}
    found = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    yield from _in_graph(found.graph, {}, opsets[""])


def _in_graph(graph: GraphProto, around: Mapping[str, str], opset: int) -> Iterator[str]:
    known = dict(around)
    for value in (*graph.input, *graph.value_info, *graph.output):
        known[value.name] = _shown(value.type)
    for tensor in graph.initializer:
        known[tensor.name] = f"tensor({_name(tensor.data_type)})"
    for node in graph.node:
        yield from _in_node(node, known, opset)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _in_graph(attribute.g, known, opset)


def _in_node(node: NodeProto, known: Mapping[str, str], opset: int) -> Iterator[str]:
    schema = defs.get_schema(node.op_type, opset, node.domain)
    listed = {each.type_param_str: each.allowed_type_strs for each in schema.type_constraints}
    for names, params in ((node.input, schema.inputs), (node.output, schema.outputs)):
        same: dict[str, str] = {}
        for at, name in enumerate(names):
            if not name:
                continue
            param = params[min(at, len(params) - 1)]
            type = known.get(name, "of no known type")
            if type not in listed.get(param.type_str, [param.type_str]):
                yield f"{node.op_type} at opset {opset}: {name} is {type}, not {param.type_str}"
            if param.is_homogeneous and same.setdefault(param.type_str, type) != type:
                yield f"{node.op_type}: {name} is {type}, not {same[param.type_str]} as others of {param.type_str}"


def _shown(type: TypeProto) -> str:
    return f"tensor({_name(type.tensor_type.elem_type)})"


def _name(elem: int) -> str:
    return str(onnx.TensorProto.DataType.Name(elem)).lower()


def test_the_schemas_tell() -> None:
    value = onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.BFLOAT16
    node = onnx.helper.make_node("Sin", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value("x", kind, [2])], [value("y", kind, [2])])
    assert list(_in_graph(graph, {}, 22)) == []
    assert len(list(_in_graph(graph, {}, 21))) == 2
