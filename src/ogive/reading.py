"""Source files from disk: bytes to text, with a diagnostic where they are none."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.source import Chunk, Span


def text_of(path: str | PathLike[str]) -> tuple[str, Diagnostic | None]:
    """The text of a file, or what is left of it and the place of the first byte that is not UTF-8."""
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", errors="replace")
        start = len(data[: error.start].decode("utf-8"))
        span = Span(Chunk(text, fspath(path)), start, start + 1)
        return text, Diagnostic("E0101", f"byte {data[error.start]:#04x} is not UTF-8 text", span)
