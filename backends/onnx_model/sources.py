"""Weights by path as numpy arrays that share memory with what they came from: files, modules, state dicts."""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from ogive.backends.onnx_model.elems import NUMPY
from ogive.backends.weights.plan import Move
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Chunk, Span

SAFETENSORS = {
    "F16": "f16", "BF16": "bf16", "F32": "f32", "F64": "f64", "I32": "i32", "I64": "i64", "BOOL": "bool",
}  # fmt: skip
TORCH = {
    "torch.float16": "f16", "torch.bfloat16": "bf16", "torch.float32": "f32", "torch.float64": "f64",
    "torch.int32": "i32", "torch.int64": "i64", "torch.bool": "bool",
}  # fmt: skip
LARGEST_HEADER = 100_000_000  # bytes; the format allows no more


def read_file(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a file of weights. Raises `ArchError` where it is none."""
    try:
        return read_safetensors(path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fault = Diagnostic("E0822", f"not a safetensors file: {error}", Span(Chunk("", fspath(path)), 0, 0))
        raise ArchError((fault,)) from None


def read_safetensors(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a file, mapped and not read, with ties of our own files. Raises ValueError where it is none."""
    file = Path(fspath(path))
    with file.open("rb") as stream:
        first = stream.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else LARGEST_HEADER + 1
        if length > min(LARGEST_HEADER, file.stat().st_size):
            raise ValueError("the header is longer than the file")
        header = json.loads(stream.read(length))
    metadata = header.pop("__metadata__", {})
    whole = np.memmap(file, np.uint8, "r", offset=8 + length) if header else np.empty(0, np.uint8)
    found = {name: _view(whole, name, entry) for name, entry in header.items()}
    ties: dict[str, str] = json.loads(metadata.get("ogive.ties", "{}"))
    return found | {name: found[kept] for name, kept in ties.items()}


def _view(whole: np.ndarray, name: str, entry: Mapping[str, Any]) -> np.ndarray:
    if entry["dtype"] not in SAFETENSORS:
        raise ValueError(f"`{name}` holds {entry['dtype']}")
    start, end = entry["data_offsets"]
    dtype = NUMPY[SAFETENSORS[entry["dtype"]]]
    return whole[start:end].view(dtype).reshape(entry["shape"])


def arrays(weights: Any) -> dict[str, np.ndarray]:
    """The tensors of a module or of a mapping of tensors or arrays, without copying what lies on the CPU."""
    state = weights if isinstance(weights, Mapping) else weights.state_dict()
    return {name: _array(value) for name, value in state.items()}


def _array(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    tensor = value.detach().cpu().contiguous()
    dtype = NUMPY[TORCH[str(tensor.dtype)]]
    if not tensor.numel():
        return np.empty(tuple(tensor.shape), dtype)
    # numpy has no bfloat16 that torch would hand over, so the memory itself is taken
    memory = (ctypes.c_byte * (tensor.numel() * tensor.element_size())).from_address(tensor.data_ptr())
    memory.owner = tensor
    return np.frombuffer(memory, dtype).reshape(tuple(tensor.shape))


def equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two names stand for one tensor."""
    return a is b or (a.dtype == b.dtype and np.array_equal(a, b))


def moved(moves: Iterable[Move], theirs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Our weights from theirs; a copy is made of joined parts alone."""
    ours = {}
    for move in moves:
        parts = [theirs[p.name].swapaxes(-2, -1) if p.transpose else theirs[p.name] for p in move.parts]
        ours[move.ours] = parts[0] if len(parts) == 1 else np.concatenate(parts, move.axis)
    return ours
