"""An ONNX file on the CPU: by ONNX Runtime, in float32 where it has no kernels for the type of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from ogive.backends.onnx_model.graph.errors import OnnxError

OTHERS = (TensorProto.BFLOAT16, TensorProto.FLOAT16, TensorProto.DOUBLE)
CPU = ["CPUExecutionProvider"]


class RunError(Exception):
    """The runtime refuses the file, or stops."""


class Runner:
    """A session. Of bfloat16 there are no arrays, and of halves and float64 not all kernels: then it is in float32."""

    def __init__(self, file: Path, dtype: Any) -> None:
        self.file = file
        self.by = "ONNX Runtime"
        self.in_float32 = str(dtype) == "torch.bfloat16"
        self.session = self._session()
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            if not self.in_float32:
                session = onnxruntime.InferenceSession(str(self.file), options, providers=CPU)
                if not any("bfloat16" in each.type for each in (*session.get_inputs(), *session.get_outputs())):
                    return session
                self.in_float32 = True
        except runtime.NotImplemented:
            self.in_float32 = True
        except Exception as error:
            raise OnnxError(f"ONNX Runtime refuses the file: {_first(error)}") from error
        self.by = "ONNX Runtime, in float32 for lack of kernels,"
        try:
            proto = in_float32(onnx.load(self.file))
            return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=CPU)
        except Exception as error:
            raise OnnxError(f"ONNX Runtime refuses the file: {_first(error)}") from error

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs."""
        if self.in_float32:
            arrays = [x if x.dtype.kind in "biu" else x.astype(np.float32) for x in arrays]
        try:
            found: list[np.ndarray] = self.session.run(None, dict(zip(self.inputs, arrays, strict=True)))
        except Exception as error:  # the runtime has a class of its own for each kind, without a common one
            if self.in_float32 or "not supported" not in str(error):
                raise RunError(_first(error)) from error
        else:
            return found
        self.in_float32 = True  # a kernel that is only for some uses says so when it runs
        self.session = self._session()
        return self.run(arrays)


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def in_float32(model: ModelProto) -> ModelProto:
    """The model with float32 in the place of other float types."""
    _graph(model.graph)
    for function in model.functions:
        for value in function.value_info:
            _type(value.type)
        for node in function.node:
            _node(node)
    return model


def _graph(graph: GraphProto) -> None:
    for tensor in graph.initializer:
        _tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        _type(value.type)
    for node in graph.node:
        _node(node)


def _node(node: NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype") and attribute.i in OTHERS:
            attribute.i = TensorProto.FLOAT
        elif attribute.type == AttributeProto.TENSOR:
            _tensor(attribute.t)
        for graph in _graphs(attribute):
            _graph(graph)


def _graphs(attribute: AttributeProto) -> Iterator[GraphProto]:
    if attribute.type == AttributeProto.GRAPH:
        yield attribute.g
    yield from attribute.graphs


def _tensor(tensor: TensorProto) -> None:
    if tensor.data_type in OTHERS:
        array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _type(type_: TypeProto) -> None:
    if type_.tensor_type.elem_type in OTHERS:
        type_.tensor_type.elem_type = TensorProto.FLOAT
