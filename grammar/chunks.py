"""Cuts a file into its top-level declarations."""

from __future__ import annotations

import re
from itertools import pairwise

# A line in the first column that starts a declaration, or what someone new to the language takes for one.
_START = re.compile(
    r"^(?:use|const|block|model|extern|recipe)[ \t]+[A-Za-z_./]"
    r"|^(?:use|const|block)\b(?!')"
    r"|^(?:def|class|import|from|async)[ \t]+[A-Za-z_.]|^@[A-Za-z_]",
    re.MULTILINE,
)
_COMMENT = re.compile(r"[ \t]*#")
_DOC = re.compile(r"[ \t]*##[ \t]?(.*)")


def cut(text: str) -> list[tuple[str, int]]:
    """The pieces of a file, whole lines each, with the number of their first line. Together they are the file.

    Comments right above a declaration go with it. What stands above the first declaration is a piece of its own.
    """
    borders = [0]
    for found in _START.finditer(text):
        start = _with_comments(text, found.start(), borders[-1])
        if start > borders[-1]:
            borders.append(start)
    borders.append(len(text))
    pieces: list[tuple[str, int]] = []
    line = 1
    for start, end in pairwise(borders):
        piece = text[start:end]
        if piece:
            pieces.append((piece, line))
        line += piece.count("\n")
    return pieces


def _with_comments(text: str, start: int, floor: int) -> int:
    """Where the run of comment lines above `start` begins."""
    while start > floor:
        above = text.rfind("\n", 0, start - 1) + 1
        if above < floor or not _COMMENT.match(text, above, start):
            break
        start = above
    return start


def doc(text: str) -> str:
    """The documentation of a piece: the `##` lines above its declaration."""
    lines: list[str] = []
    for line in text.split("\n"):
        if found := _DOC.match(line):
            lines.append(found[1].rstrip())
        elif not _COMMENT.match(line):
            break
    return "\n".join(lines)
