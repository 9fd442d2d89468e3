"""Where text came from: chunks of a file, and spans inside them.

A file is cut into its top-level declarations, one `Chunk` each, which are parsed on their own: an error in one does not
hide another, and an edit parses one chunk again. A `Span` is relative to its chunk, so it survives edits elsewhere.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(eq=False)
class Chunk:
    """A run of whole lines of one file. `line` (from 1) moves when text above it changes; the text never does."""

    text: str
    path: str = "<text>"
    line: int = 1

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column in the file, both from 1."""
        row = bisect_right(self._starts, offset) - 1
        return self.line + row, offset - self._starts[row] + 1


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) of a chunk."""

    chunk: Chunk = field(repr=False)
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.chunk.text[self.start : self.end]

    @property
    def path(self) -> str:
        return self.chunk.path

    def begin(self) -> tuple[int, int]:
        return self.chunk.position(self.start)

    def finish(self) -> tuple[int, int]:
        return self.chunk.position(self.end)

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of another one of the same chunk."""
        return Span(self.chunk, self.start, max(self.end, other.end))

    def inner(self, start: int, end: int) -> Span:
        """A part of this span, by offsets from its start (places inside a pattern string)."""
        return Span(self.chunk, self.start + start, self.start + end)
