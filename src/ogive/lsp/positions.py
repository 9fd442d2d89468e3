"""Positions of the protocol, which count in code units, and ours, which count characters."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types
from pygls import uris

from ogive.language.places import Position, TextLines, TextRegion


@dataclass(frozen=True)
class Columns:
    """The columns of one text, in the units that client and server have agreed on."""

    lines: TextLines
    encoding: str = "utf-16"

    def ours(self, place: types.Position) -> Position:
        """A position of the protocol in characters."""
        line = self.lines.line(place.line)
        if self.encoding == "utf-32" or line.isascii():
            return place.line, min(place.character, len(line))
        units = 0
        for column, char in enumerate(line):
            if units >= place.character:
                return place.line, column
            units += self._width(char)
        return place.line, len(line)

    def theirs(self, place: Position) -> types.Position:
        """A position in characters for the protocol."""
        line, column = place
        before = self.lines.line(line)[:column]
        if self.encoding == "utf-32" or before.isascii():
            return types.Position(line, column)
        return types.Position(line, sum(map(self._width, before)))

    def region(self, of: types.Range) -> TextRegion:
        """A range of the protocol in characters."""
        return TextRegion(self.ours(of.start), self.ours(of.end))

    def range(self, of: TextRegion) -> types.Range:
        """A region for the protocol."""
        return types.Range(self.theirs(of.start), self.theirs(of.end))

    def width(self, of: TextRegion) -> int:
        """The units of a region of one line."""
        return self.theirs(of.end).character - self.theirs(of.start).character

    def _width(self, char: str) -> int:
        return len(char.encode()) if self.encoding == "utf-8" else 2 if ord(char) > 0xFFFF else 1


def path_of_uri(uri: str) -> str:
    """The path of a file; of a text that no file holds its address, under which nothing is found beside it."""
    if not uri.startswith("file:"):
        return uri
    return uris.to_fs_path(uri) or uri


def uri_of_path(path: str) -> str:
    """The address of a file."""
    return path if "://" in path or path.startswith("untitled:") else uris.from_fs_path(path) or path
