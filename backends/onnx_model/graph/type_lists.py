"""Which element types an operator takes and gives at an opset, as its schema in the standard lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from onnx import TensorProto, defs

from ogive.backends.onnx_model.graph.elems import OF_NUMPY, ONNX, UNSIGNED

OF_SCHEMA: Mapping[str, int] = MappingProxyType(
    {
        "tensor(float16)": ONNX["f16"],
        "tensor(bfloat16)": ONNX["bf16"],
        "tensor(float)": ONNX["f32"],
        "tensor(double)": ONNX["f64"],
        "tensor(int64)": ONNX["i64"],
        "tensor(int32)": ONNX["i32"],
        "tensor(bool)": ONNX["bool"],
        "tensor(uint64)": UNSIGNED["i64"],
        "tensor(uint32)": UNSIGNED["i32"],
    }
)
# where a type is not listed: one that holds the same numbers
WIDER: Mapping[int, int] = MappingProxyType(
    {ONNX["bf16"]: ONNX["f32"], ONNX["f16"]: ONNX["f32"], ONNX["i32"]: ONNX["i64"]}
)


@dataclass(frozen=True, slots=True)
class Signature:
    """The type of each input and output: a variable with its list, one element type, or "" where anything goes."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    repeats: bool  # whether the last input stands for any number of them
    listed: Mapping[str, frozenset[int]]

    def variable(self, at: int) -> str:
        """What the type of an input is called."""
        return self.inputs[min(at, len(self.inputs) - 1) if self.repeats else at]


@cache
def signature(op: str, opset: int) -> Signature:
    """Of an operator of the standard."""
    schema = defs.get_schema(op, opset, "")
    listed = {
        each.type_param_str: frozenset(OF_SCHEMA[name] for name in each.allowed_type_strs if name in OF_SCHEMA)
        for each in schema.type_constraints
    }

    def called(param: defs.OpSchema.FormalParameter) -> str:
        return param.type_str if param.is_homogeneous else ""

    last = schema.inputs[-1:]
    repeats = any(param.option == defs.OpSchema.FormalParameterOption.Variadic for param in last)
    return Signature(tuple(map(called, schema.inputs)), tuple(map(called, schema.outputs)), repeats, listed)


def bound(found: Signature, elems: Sequence[int | None], attrs: Mapping[str, Any]) -> dict[str, int]:
    """The variables of a signature, by the element types of inputs as far as they are known, or by settings."""
    types: dict[str, int] = {}
    asked, result = told(attrs), found.outputs[0]
    if asked is not None and result in found.listed and result not in found.inputs:
        types[result] = asked
    for at, elem in enumerate(elems):
        name = found.variable(at)
        if elem is not None and name in found.listed:
            types.setdefault(name, elem)
    return types


def results(found: Signature, types: Mapping[str, int], attrs: Mapping[str, Any], count: int) -> list[int | None]:
    """The element types of the outputs, as far as they are known."""
    return [_result(found, types, found.outputs[min(at, len(found.outputs) - 1)], told(attrs)) for at in range(count)]


def told(attrs: Mapping[str, Any]) -> int | None:
    """The element type that the settings of a node ask for."""
    value = attrs.get("value")
    asked: int | None = OF_NUMPY[value.dtype] if isinstance(value, np.ndarray) else attrs.get("to", attrs.get("dtype"))
    return asked


def retold(attrs: Mapping[str, Any], elem: int | None) -> Mapping[str, Any]:
    """The same settings, with another element type where they ask for one."""
    return {**attrs, "dtype": elem} if elem is not None and "dtype" in attrs else attrs


def _result(found: Signature, types: Mapping[str, int], name: str, asked: int | None) -> int | None:
    only = OF_SCHEMA.get(name)
    if name in found.listed and len(found.listed[name]) == 1:
        (only,) = found.listed[name]
    return types.get(name, asked if only is None else only)


def unlisted(found: Signature, types: Mapping[str, int]) -> dict[str, int]:
    """The variables that do not list their type, each with a listed one that holds all of its numbers.

    Raises KeyError with the type where there is none.
    """
    wide: dict[str, int] = {}
    for name, elem in types.items():
        if elem not in found.listed[name]:
            if WIDER.get(elem) not in found.listed[name]:
                raise KeyError(elem)
            wide[name] = WIDER[elem]
    return wide


def shown(elem: int) -> str:
    """A type by its name in the standard."""
    return str(TensorProto.DataType.Name(elem)).lower()
