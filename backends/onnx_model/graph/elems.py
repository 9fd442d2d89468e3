"""Element types of the language as those of ONNX and of numpy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import ml_dtypes
import numpy as np
from onnx import TensorProto

FLOATS = ("f16", "bf16", "f32", "f64")

# f32 stands for the float type of the model until that is known: see `concrete`
ONNX: Mapping[str, int] = MappingProxyType(
    {
        "f16": TensorProto.FLOAT16,
        "bf16": TensorProto.BFLOAT16,
        "f32": TensorProto.FLOAT,
        "f64": TensorProto.DOUBLE,
        "int": TensorProto.INT64,
        "i64": TensorProto.INT64,
        "i32": TensorProto.INT32,
        "bool": TensorProto.BOOL,
    }
)
NUMPY: Mapping[str, np.dtype] = MappingProxyType(
    {
        "f16": np.dtype(np.float16),
        "bf16": np.dtype(ml_dtypes.bfloat16),
        "f32": np.dtype(np.float32),
        "f64": np.dtype(np.float64),
        "int": np.dtype(np.int64),
        "i64": np.dtype(np.int64),
        "i32": np.dtype(np.int32),
        "bool": np.dtype(np.bool_),
    }
)
# integers of as many bits, without a sign
UNSIGNED: Mapping[str, int] = MappingProxyType(
    {"int": TensorProto.UINT64, "i64": TensorProto.UINT64, "i32": TensorProto.UINT32}
)
BYTE: int = TensorProto.UINT8  # of numbers on steps
OF_NUMPY: Mapping[np.dtype, int] = MappingProxyType(
    {
        **{NUMPY[name]: ONNX[name] for name in ONNX},
        np.dtype(np.uint64): UNSIGNED["int"],
        np.dtype(np.uint32): UNSIGNED["i32"],
        np.dtype(np.uint8): BYTE,
    }
)


def concrete(elem: str, floating: str) -> str:
    """The element type in a model whose float type is `floating`; a complex number is two floats."""
    return floating if elem in ("float", "complex") else elem


def dense(array: np.ndarray) -> np.ndarray:
    """The same numbers in the order of memory. The rank stays, where `np.ascontiguousarray` gives a scalar an axis."""
    return np.asarray(array, order="C")
