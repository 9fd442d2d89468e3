"""The files of a model: one, or with heavy weights a second one that holds their bytes, as they lie in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from onnx import ModelProto, TensorProto

from ogive.backends.onnx_model.export import Exported
from ogive.backends.onnx_model.graph.elems import OF_NUMPY, dense
from ogive.backends.onnx_model.passes.post_passes import Stored
from ogive.backends.onnx_model.serialize.protos import fill_tensor
from ogive.backends.weights.whole import Files

HEAVY = 64 << 20  # bytes of weights beyond which they go to a file of their own
LIGHT = 1 << 10  # a tensor below this stays in the model all the same
PAGE = 4096  # where tensors start, so that a runtime may map them
Progress = Callable[[int, int], None]  # bytes written, bytes in all


def whole(exported: Exported) -> ModelProto:
    """The model with all its weights inside."""
    proto = ModelProto()
    proto.CopyFrom(exported.proto)
    for stored in exported.weights.values():
        _inside(proto, stored)
    return proto


def write(
    exported: Exported,
    path: Path,
    places: Callable[[Sequence[Path]], Files] = Files,
    about: Mapping[str, str] = MappingProxyType({}),
    size: str = "",
    progress: Progress = lambda done, total: None,
    checked: Callable[[Path], None] = lambda made: None,
) -> tuple[Path, ...]:
    """Write PATH, and PATH.data beside it where weights are heavy: all files are put in their place, or none.

    `places` opens the files; `about` goes into the metadata, and under the name `size` the bytes of PATH.data.
    `checked` looks at the model before it is put in its place, and may refuse it by an exception.
    """
    total = sum(_bytes(stored) for stored in exported.weights.values())
    data = path.with_name(path.name + ".data")
    heavy = {s.name for s in exported.weights.values() if _bytes(s) >= LIGHT} if total > HEAVY else set()
    proto = ModelProto()
    proto.CopyFrom(exported.proto)
    targets = (path, data) if heavy else (path,)
    with places(targets) as files:
        done = 0
        for stored in exported.weights.values():
            if stored.name in heavy:
                array = np.ascontiguousarray(stored.array())
                _reference(proto.graph.initializer.add(), stored, array, data.name, _append(files[data], array))
            else:
                _inside(proto, stored)
            done += _bytes(stored)
            progress(done, total)
        _tell(proto, {**about, **({size: str(files[data].tell())} if heavy and size else {})})
        files[path].write(proto.SerializeToString())
        files.flush()
        checked(files.made(path))
    return targets


def _tell(proto: ModelProto, about: Mapping[str, str]) -> None:
    """Entries of the metadata, in the place of those that are there."""
    kept = {entry.key: entry.value for entry in proto.metadata_props} | dict(about)
    del proto.metadata_props[:]
    for key, value in kept.items():
        proto.metadata_props.add(key=key, value=value)


def _bytes(stored: Stored) -> int:
    return int(np.prod(stored.shape, dtype=np.int64)) * stored.dtype.itemsize


def _numbers(stored: Stored) -> np.ndarray:
    array = dense(stored.array())
    assert array.shape == stored.shape, (stored, array.shape)
    return array


def _inside(proto: ModelProto, stored: Stored) -> None:
    tensor = proto.graph.initializer.add()
    fill_tensor(tensor, stored.name, _numbers(stored))
    if stored.note:
        tensor.doc_string = stored.note


def _append(file: BinaryIO, array: np.ndarray) -> int:
    """Write the bytes of an array from the next page on; where they start."""
    start = -(-file.tell() // PAGE) * PAGE
    file.seek(start)
    file.write(array.reshape(-1).view(np.uint8).data)
    return start


def _reference(tensor: TensorProto, stored: Stored, array: np.ndarray, location: str, start: int) -> None:
    tensor.name, tensor.data_type = stored.name, OF_NUMPY[array.dtype]
    tensor.dims.extend(array.shape)
    tensor.data_location = TensorProto.EXTERNAL
    if stored.note:
        tensor.doc_string = stored.note
    for key, value in (("location", location), ("offset", start), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
