"""Places in a text: offsets, and lines with columns, both from 0 and counted in characters."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from ogive.grammar.source import Span

Position = tuple[int, int]  # line and column, from 0


@dataclass(frozen=True, slots=True)
class TextRegion:
    """From one position to another, which does not belong to it."""

    start: Position
    end: Position

    def holds(self, place: Position) -> bool:
        """Whether a cursor there touches it."""
        return self.start <= place <= self.end


def region(span: Span) -> TextRegion:
    """Where a span stands in its file."""
    (line, column), (end_line, end_column) = span.begin(), span.finish()
    return TextRegion((line - 1, column - 1), (end_line - 1, end_column - 1))


@dataclass(frozen=True)
class TextLines:
    """A text with the offsets of its lines."""

    text: str
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        starts = [0]
        starts.extend(at + 1 for at, char in enumerate(self.text) if char == "\n")
        object.__setattr__(self, "starts", starts)

    def offset(self, place: Position) -> int:
        """The offset of a position; one behind the end of a line is its end, and so for the text."""
        line, column = place
        if line >= len(self.starts):
            return len(self.text)
        end = self.starts[line + 1] - 1 if line + 1 < len(self.starts) else len(self.text)
        return min(self.starts[max(line, 0)] + max(column, 0), end)

    def position(self, offset: int) -> Position:
        """The position of an offset."""
        line = bisect_right(self.starts, max(0, min(offset, len(self.text)))) - 1
        return line, max(0, min(offset, len(self.text))) - self.starts[line]

    def line(self, number: int) -> str:
        """A line without its end; nothing where there is none."""
        if not 0 <= number < len(self.starts):
            return ""
        end = self.starts[number + 1] - 1 if number + 1 < len(self.starts) else len(self.text)
        return self.text[self.starts[number] : end]
