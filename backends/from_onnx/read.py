"""A graph that is read from a file of anybody's: checked before anything of it is believed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

LARGEST = 2**33  # bytes of one tensor
DEEPEST = 64  # functions in functions
MOST = 2**17  # operators, those of functions counted as often as they are called
OPSETS = range(9, 27)
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
              "MatMulInteger", "ConvInteger")  # fmt: skip
_FLOW = ("Loop", "If", "Scan", "SequenceMap")


class OnnxRefused(Exception):
    """The graph is not imported: why."""


def read_model(path: Path) -> Any:
    """The model of a file, with its weights. Raises `OnnxRefused`."""
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise OnnxRefused(f"`{path}` is no ONNX file, or is cut off: {str(error).partition(chr(10))[0]}") from error
    except OSError as error:
        raise OnnxRefused(f"`{path}` is not read: {error.strerror or error}") from error
    if not model.graph.node:
        raise OnnxRefused(f"`{path}` has no graph of nodes, or is cut off")
    _domains(model)
    functions = {(each.domain, each.name): each for each in model.functions}
    _ordered(
        model.graph.node,
        [*(v.name for v in model.graph.input), *(t.name for t in model.graph.initializer)],
        "the graph",
    )
    known: dict[tuple[str, str], int] = {}
    for each in model.functions:
        _ordered(each.node, each.input, f"the function `{each.name}`")
    _counted(model.graph.node, "the graph", functions, known, ())
    if model.graph.sparse_initializer:
        raise OnnxRefused("sparse weights have no form here")
    return model


def _domains(model: Any) -> None:
    known = {(each.domain, each.name) for each in model.functions}
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), None)
    if version not in OPSETS:
        raise OnnxRefused(f"its operators are of version {version}; {OPSETS.start} to {OPSETS.stop - 1} are read")
    for node in _all_nodes(model):
        where = f" (`{node.name}`)" if node.name else ""
        if node.domain not in ("", "ai.onnx") and (node.domain, node.op_type) not in known:
            raise OnnxRefused(f"`{node.domain}.{node.op_type}`{where} is of a domain that nobody here knows")
        if node.op_type in _QUANTIZED:
            raise OnnxRefused(f"`{node.op_type}`{where}: quantized numbers have no form here")
        if node.op_type in _FLOW and (node.domain, node.op_type) not in known:
            raise OnnxRefused(f"`{node.op_type}`{where}: control flow has no form here")


def _all_nodes(model: Any) -> Iterable[Any]:
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


def _ordered(nodes: Sequence[Any], given: Iterable[str], where: str) -> None:
    """Each value is made once, before it is read."""
    made = set(given)
    for node in nodes:
        missing = next((each for each in node.input if each and each not in made), None)
        if missing is not None:
            later = any(missing in each.output for each in nodes)
            why = "before it is made: the graph has a cycle, or is out of order" if later else "and nothing makes it"
            raise OnnxRefused(f"`{node.name or node.op_type}` in {where} reads `{missing}` {why}")
        for each in node.output:
            if each and each in made:
                raise OnnxRefused(f"`{each}` in {where} is made twice")
            made.add(each)


def _counted(
    nodes: Sequence[Any], where: str, functions: Mapping[tuple[str, str], Any], known: dict[tuple[str, str], int],
    above: tuple[tuple[str, str], ...],
) -> int:  # fmt: skip
    """How many operators nodes are when functions are written out. Raises `OnnxRefused` where that has no end."""
    total = 0
    for node in nodes:
        key = (node.domain, node.op_type)
        function = functions.get(key)
        if function is None:
            total += 1
            continue
        if key in above or len(above) > DEEPEST:
            raise OnnxRefused(f"the function `{function.name}` calls itself, or is called too deep")
        if key not in known:
            known[key] = _counted(function.node, f"the function `{function.name}`", functions, known, (*above, key))
        total += known[key]
    if total > MOST:
        raise OnnxRefused(f"{where} is {total} operators when its functions are written out; at most {MOST} are read")
    return total


def array_of(tensor: Any, folder: Path) -> np.ndarray[Any, Any]:
    """The numbers of a tensor. Raises `OnnxRefused` where they are not there, or not where they may be."""
    dims = list(tensor.dims)
    if any(each < 0 for each in dims) or math.prod(dims) * 8 > LARGEST:
        raise OnnxRefused(f"`{tensor.name}` claims to have {' x '.join(map(str, dims))} numbers")
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return _external(tensor, folder)
        found: np.ndarray[Any, Any] = numpy_helper.to_array(tensor)
        return found
    except (ValueError, TypeError, KeyError) as error:
        raise OnnxRefused(f"`{tensor.name}` does not have the numbers that it claims: {error}") from error


def _external(tensor: Any, folder: Path) -> np.ndarray[Any, Any]:
    told = {each.key: each.value for each in tensor.external_data}
    name = told.get("location", "")
    place = folder / name
    if not name or PureWindowsPath(name).is_absolute() or (place.is_absolute() and not place.is_relative_to(folder)):
        raise OnnxRefused(f"`{tensor.name}` is in `{name}`, outside of the folder of the graph")
    inside = place.resolve().is_relative_to(folder.resolve())
    if not inside or ".." in PureWindowsPath(name).parts or Path(name).is_absolute() or place.is_symlink():
        raise OnnxRefused(f"`{tensor.name}` is in `{name}`, outside of the folder of the graph")
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    size = math.prod(tensor.dims) * kind.itemsize
    offset = int(told.get("offset", 0))
    if not place.is_file() or offset < 0 or place.stat().st_size < offset + size:
        raise OnnxRefused(f"`{tensor.name}`: `{name}` is not there, or shorter than {offset + size} bytes")
    with place.open("rb") as file:
        file.seek(offset)
        return np.frombuffer(file.read(size), dtype=kind).reshape(tuple(tensor.dims))
