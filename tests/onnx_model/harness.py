"""One operation as a model of its own, and what runtimes make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import ModelProto

from generated.evaluator import evaluated
from ogive.backends.onnx_model.export import Settings, exported
from ogive.backends.onnx_model.serialize.write import whole
from ogive.compiler.ir.model import Definition, Graph, Model, Node, Value
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Unknown


def model_of(node: Node, types: Sequence[Any], unknowns: Mapping[str, Unknown]) -> Model:
    """A model of one node, whose tensors are its inputs."""
    inputs = tuple(Value(f"x{i}", type, f"x{i}") for i, type in enumerate(types) if isinstance(type, TensorType))
    graph = Graph(inputs, (node,), tuple(value.name for value in node.outputs))
    names = tuple(f"y{i}" for i in range(len(node.outputs)))
    sizes = tuple(unknowns.values())
    block = Definition("Op", "Op", (), sizes, graph, names, (False,) * len(inputs), (), ())
    return Model("Op", block, (), ())


def proto_of(model: Model, arrays: Mapping[str, np.ndarray] | None = None, **settings: Any) -> ModelProto:
    """The whole model, checked with strict inference of shapes."""
    proto = whole(exported(model, arrays or {}, Settings(**settings)))
    checked(proto)
    return proto


def checked(proto: ModelProto) -> None:
    """What the standard demands of a model."""
    onnx.checker.check_model(proto, full_check=True)
    onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)


def array(value: torch.Tensor) -> np.ndarray:
    """A tensor as numpy has it; complex numbers as pairs."""
    value = value.detach()
    if value.is_complex():
        value = torch.view_as_real(value.resolve_conj())
    if value.dtype == torch.bfloat16:
        return value.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return value.contiguous().numpy()


def difference(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest finite number expected, or to 1; infinite where shapes differ."""
    if got.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    a, b = got.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b))
    scale = np.abs(np.where(np.isfinite(b), b, 0.0)).max()
    return float(np.nan_to_num(gap, nan=np.inf).max() / max(1.0, scale))


def session(proto: ModelProto) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def by_reference(proto: ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What the standard's own evaluator computes, mended where it does otherwise than the standard says."""
    return evaluated(proto, feeds)


__all__ = ["array", "by_reference", "checked", "difference", "model_of", "proto_of", "session"]
