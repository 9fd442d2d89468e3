"""A text inside of a PNG: a chunk that every reader passes over."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = b"Software\0\0\0\0\0"  # of an iTXt chunk: not compressed, no language, no translation


def with_text(data: bytes, text: str) -> bytes:
    """The picture with a text behind its header."""
    body = KEYWORD + text.encode()
    crc = zlib.crc32(b"iTXt" + body)
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", crc)
    at = len(SIGNATURE) + next(_chunks(data))[1]
    return data[:at] + chunk + data[at:]


def without_text(data: bytes) -> tuple[bytes, bytes]:
    """The picture as it was before `with_text`, and the text; none where it has none."""
    start = len(SIGNATURE)
    for kind, length in _chunks(data):
        body = data[start + 8 : start + length - 4]
        if kind == b"iTXt" and body.startswith(KEYWORD):
            return data[:start] + data[start + length :], body[len(KEYWORD) :]
        start += length
    return data, b""


def _chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Kind and whole length of each chunk, as far as they can be read."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0] + 12
        yield data[at + 4 : at + 8], length
        at += length
