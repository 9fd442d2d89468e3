"""The files of a model: one, or with heavy weights a second one that holds their bytes, as they lie in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from onnx import ModelProto, TensorProto

from ogive.backends.onnx_model.elems import OF_NUMPY, dense
from ogive.backends.onnx_model.export import Exported
from ogive.backends.onnx_model.protos import fill_tensor
from ogive.backends.onnx_model.tidy import Stored

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


def write(exported: Exported, path: Path, progress: Progress = lambda done, total: None) -> tuple[Path, ...]:
    """Write PATH, and PATH.data beside it where weights are heavy: all files are put in their place, or none."""
    total = sum(_bytes(stored) for stored in exported.weights.values())
    data = path.with_name(path.name + ".data")
    heavy = [s for s in exported.weights.values() if _bytes(s) >= LIGHT] if total > HEAVY else []
    proto = ModelProto()
    proto.CopyFrom(exported.proto)
    with _beside(path) as model, _beside(data) as bytes_:
        done = 0
        chosen = {stored.name for stored in heavy}
        for stored in exported.weights.values():
            if stored.name in chosen:
                array = _numbers(stored)
                _reference(proto.graph.initializer.add(), stored, array, data.name, _append(bytes_, array))
            else:
                _inside(proto, stored)
            done += _bytes(stored)
            progress(done, total)
        model.write(proto.SerializeToString())
        files = [(model, path), *([(bytes_, data)] if heavy else [])]
        for file, _ in files:
            file.flush()
            os.fsync(file.fileno())
        for file, target in reversed(files):
            os.chmod(file.name, _mode(target))
            os.replace(file.name, target)
    return tuple(target for _, target in files)


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


@contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """A file that is gone at the end, unless it was put in the place of another."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            yield file  # type: ignore[misc]
        finally:
            Path(file.name).unlink(missing_ok=True)


def _mode(path: Path) -> int:
    """The mode that a plain open would give: a temporary file is private."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
