"""The metadata of an ONNX file, read without its graph: only the outermost fields of the message are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PROPS = 14  # ModelProto.metadata_props
LONGEST = 1 << 24  # bytes of one entry


def metadata(path: Path) -> dict[str, str]:
    """The entries by key. Raises ValueError where the file is no message of this kind."""
    found: dict[str, str] = {}
    with path.open("rb") as file:
        size = path.stat().st_size
        for field, start, length in _fields(file, size):
            if field == PROPS and length <= LONGEST:
                file.seek(start)
                entry = file.read(length)
                key, value = _entry(entry)
                found[key] = value
            file.seek(start + length)
    return found


def _entry(data: bytes) -> tuple[str, str]:
    """A StringStringEntryProto: key (1) and value (2)."""
    texts = {1: "", 2: ""}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        length, at = _varint(data, at)
        if tag & 7 != 2 or at + length > len(data):
            raise ValueError("no entry of metadata")
        texts[tag >> 3] = data[at : at + length].decode()
        at += length
    return texts[1], texts[2]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("no number here")


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and length of each field; the caller leaves the file at its end."""
    while (start := file.tell()) < size:
        head = file.read(20)
        tag, at = _varint(head, 0)
        kind = tag & 7
        if kind == 0:
            _, end = _varint(head, at)
            yield tag >> 3, start + at, end - at
        elif kind in (1, 5):
            yield tag >> 3, start + at, 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _varint(head, at)
            if start + at + length > size:
                raise ValueError("a field is longer than the file")
            yield tag >> 3, start + at, length
        else:
            raise ValueError("no message of ONNX")
