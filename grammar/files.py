"""Reading source files: bytes to text, or to a diagnostic."""

from __future__ import annotations

import os

from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.parser import LIMIT, over_limit
from ogive.grammar.source import Chunk, Span


def read_source(path: str | os.PathLike[str], limit: int = LIMIT) -> str | Diagnostic:
    """The text of a file, its line ends made `\\n`; or why it cannot be had."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read(4 * limit + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Diagnostic("E0202", f"cannot read `{name}`: {reason}", Span(Chunk("", name), 0, 0))
    return decoded(data, name, limit)


def decoded(data: bytes, name: str, limit: int = LIMIT) -> str | Diagnostic:
    """The text of a file that holds `data`, its line ends made `\\n`; or why that is no text."""
    if len(data) > 4 * limit:
        return over_limit(name, len(data), limit)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        chunk = Chunk(_lines(data.decode("utf-8-sig", "replace")), name)
        start = len(_lines(before))
        message = f"byte {data[error.start]:#04x} is no UTF-8"
        return Diagnostic("E0101", message, Span(chunk, start, start + 1), help="save the file as UTF-8")
    return _lines(text)


def as_read(text: str, path: str) -> str | Diagnostic:
    """A text as a file gives it that holds it: without a byte order mark, its line ends made `\\n`."""
    text = _lines(text.removeprefix("\ufeff"))
    half = next((at for at, each in enumerate(text) if "\ud800" <= each <= "\udfff"), None)
    if half is None:
        return text
    message = f"U+{ord(text[half]):04X} is no character: no file can hold it"
    shown = Chunk(text.encode("utf-8", "replace").decode(), path)
    return Diagnostic("E0101", message, Span(shown, half, half + 1), help="leave it out")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
