"""Weights as numpy arrays that share memory with what they came from: files, modules, state dicts."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ogive.backends.onnx_model.graph.elems import NUMPY
from ogive.backends.weights.checkpoint import checkpoint, headed
from ogive.backends.weights.header import TensorEntry
from ogive.backends.weights.kinds import OF_TORCH, Found
from ogive.backends.weights.plan import Move
from ogive.backends.weights.source import Source
from ogive.backends.weights.steps import View

# by the kinds of stored tensors
DTYPES: Mapping[str, np.dtype] = {
    **{name: NUMPY[name] for name in ("f16", "bf16", "f32", "f64", "i32", "i64", "bool")},
    **{name: np.dtype(f"{name[0]}{int(name[1:]) // 8}") for name in ("i8", "u8", "i16", "u16", "u32", "u64")},
    "c64": np.dtype(np.complex64),
    "c128": np.dtype(np.complex128),
}
BITS: Mapping[str, tuple[type, int]] = {"f16": (np.uint16, 0x7C00), "bf16": (np.uint16, 0x7F80)}  # of infinity
PIECE = 1 << 20  # numbers that are looked at together


def of_file(path: str | PathLike[str]) -> Source[np.ndarray]:
    """The tensors of a file or of shards, mapped and not read. Raises `ArchError` where it is none.

    Only what `torch.save` wrote needs torch.
    """
    found = checkpoint(Path(path))
    if found.pickled:
        from ogive.backends.weights.pickles import unpickled

        return of_state(unpickled(found))
    head = headed(found)
    files = {entry.file for entry in head.entries.values() if entry.length}
    whole = {file: np.memmap(file, np.uint8, "r") for file in files}
    kinds = {name: Found(entry.shape, entry.kind) for name, entry in head.entries.items()}
    return Source(kinds, lambda name: _view(whole, head.entries[name]), head.ties)


def _view(whole: Mapping[Path, np.ndarray], entry: TensorEntry) -> np.ndarray:
    dtype = DTYPES[entry.kind]
    if not entry.length:
        return np.empty(entry.shape, dtype)
    return whole[entry.file][entry.start : entry.start + entry.length].view(dtype).reshape(entry.shape)


def of_state(state: Mapping[str, Any]) -> Source[np.ndarray]:
    """The tensors or arrays of a state dict."""
    if all(isinstance(value, np.ndarray) for value in state.values()):
        found = {
            name: Found(value.shape, OF_TORCH.get(value.dtype.name, value.dtype.name)) for name, value in state.items()
        }
        return Source(found, lambda name: state[name])
    # torch has made these tensors, so it is there
    from ogive.backends.weights.torch_source import of_state as of_tensors

    return Source(of_tensors(state).found, lambda name: _array(state[name]))


def arrays(weights: Any) -> dict[str, np.ndarray]:
    """The tensors of a module or of a mapping of tensors or arrays, without copying what lies on the CPU."""
    return dict(of_state(weights if isinstance(weights, Mapping) else weights.state_dict()))


def _array(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    tensor = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    dtype = DTYPES[OF_TORCH.get(name := str(tensor.dtype).removeprefix("torch."), name)]
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
    """Our weights from theirs; a copy is made where axes are merged or parts joined alone."""
    ours = {}
    for move in moves:
        parts = []
        for piece in move.pieces:
            array = _viewed(theirs[piece.name], piece.before)
            if piece.cut is not None:
                axis, start, stop, _ = piece.cut
                array = array[(*(slice(None),) * axis, slice(start, stop))]
            parts.append(_viewed(array, piece.after))
        ours[move.ours] = _viewed(parts[0] if len(parts) == 1 else np.concatenate(parts, move.axis), move.after)
    return ours


def _viewed(array: np.ndarray, views: Sequence[View]) -> np.ndarray:
    for view in views:
        array = array.reshape(view.before).transpose(view.order).reshape(view.after)
    return array


def strange(tensors: Mapping[str, np.ndarray]) -> list[str]:
    """The names of arrays in which some number is NaN or infinite."""
    return [name for name, array in tensors.items() if not _finite(array)]


def _finite(array: np.ndarray) -> bool:
    kind = OF_TORCH.get(array.dtype.name, array.dtype.name)
    if kind in BITS:  # numpy adds halves slowly: the bits of an exponent tell as much
        dtype, top = BITS[kind]
        flat: np.ndarray = array.view(dtype).reshape(-1)
        return not any(((flat[at : at + PIECE] & top) == top).any() for at in range(0, flat.size, PIECE))
    if kind not in ("f32", "f64", "c64", "c128"):
        return True
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
