"""Protobuf of what was built: nodes, graphs, types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto

from ogive.backends.onnx_model.graph.elems import OF_NUMPY, ONNX, concrete
from ogive.backends.onnx_model.graph.errors import held
from ogive.backends.onnx_model.graph.nodes import Body, Made
from ogive.compiler.ir.types import TensorType


def fill_node(proto: NodeProto, made: Made, floating: str) -> None:
    """A node."""
    proto.op_type, proto.name = made.op, made.name
    proto.input.extend(made.inputs)
    proto.output.extend(made.outputs)
    if made.domain:
        proto.domain = made.domain
    for key, value in made.attrs.items():
        fill_attribute(proto.attribute.add(), key, value, floating)


def fill_attribute(proto: AttributeProto, name: str, value: Any, floating: str) -> None:
    """An attribute: a number, a text, a list of integers or of texts, a constant or a graph."""
    proto.name = name
    match value:
        case bool() | int():
            proto.type, proto.i = AttributeProto.INT, value
        case float():
            proto.type, proto.f = AttributeProto.FLOAT, value
        case str():
            proto.type, proto.s = AttributeProto.STRING, value.encode()
        case Body():
            proto.type = AttributeProto.GRAPH
            fill_graph(proto.g, value, floating)
            proto.g.name = name
        case np.ndarray():
            proto.type = AttributeProto.TENSOR
            fill_tensor(proto.t, "", value)
        case [str(), *_]:
            proto.type = AttributeProto.STRINGS
            proto.strings.extend(item.encode() for item in value)
        case [*items]:
            proto.type = AttributeProto.INTS
            proto.ints.extend(items)
        case _:
            raise AssertionError(f"{name} = {value}")


def fill_tensor(proto: TensorProto, name: str, array: np.ndarray) -> None:
    """A tensor with its numbers."""
    proto.data_type = OF_NUMPY[array.dtype]
    proto.dims.extend(array.shape)
    proto.raw_data = array.tobytes()
    if name:
        proto.name = name


def fill_value(proto: ValueInfoProto, name: str, type: TensorType, floating: str) -> None:
    """A value with its type; sizes that are no numbers by their canonical text."""
    proto.name = name
    tensor = proto.type.tensor_type
    tensor.elem_type = ONNX[concrete(type.elem, floating)]
    shape = tensor.shape
    shape.SetInParent()
    for axis in type.axes:
        dim = shape.dim.add()
        if axis.size.is_number:
            dim.dim_value = held(axis.size.number)
        else:
            dim.dim_param = str(axis.size).replace(" ", "")


def fill_graph(proto: GraphProto, body: Body, floating: str) -> None:
    """A graph without its constants."""
    for made in body.nodes:
        fill_node(proto.node.add(), made, floating)
    for name, type in body.inputs:
        fill_value(proto.input.add(), name, type, floating)
    for name, type in body.outputs:
        fill_value(proto.output.add(), name, type, floating)


def without_size_names(proto: NodeProto) -> None:
    """Leave sizes without names in the graphs that a node holds.

    A function is put in where it is used, and there names of its own sizes would be taken for those of the graph: ONNX
    Runtime (1.31) gives values of equal names one memory.
    """
    for attribute in proto.attribute:
        graph = attribute.g
        for value in (*graph.input, *graph.output, *graph.value_info):
            for dim in value.type.tensor_type.shape.dim:
                dim.ClearField("dim_param")
        for node in graph.node:
            without_size_names(node)


def fill_values(proto: GraphProto, types: Mapping[str, TensorType], skip: Sequence[str], floating: str) -> None:
    """The types of values inside."""
    left_out = set(skip)
    for name, type in types.items():
        if name not in left_out:
            fill_value(proto.value_info.add(), name, type, floating)
