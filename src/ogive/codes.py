"""The codes of diagnostics, read from `codes.md`: a title, an explanation, an example that brings the code about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class CodeSection:
    """One code."""

    code: str
    title: str
    text: str

    @property
    def examples(self) -> tuple[str, ...]:
        """The programs in the explanation that bring the code about."""
        return tuple(re.findall(r"(?ms)^```arch\n(.*?)^```$", self.text))

    @property
    def right(self) -> tuple[str, ...]:
        """The programs in the explanation that say the same without a fault."""
        return tuple(re.findall(r"(?ms)^```arch right\n(.*?)^```$", self.text))


def sections() -> dict[str, CodeSection]:
    """All codes in order."""
    found = {}
    for piece in _text().split("\n## ")[1:]:
        head, _, body = piece.partition("\n")
        code, _, title = head.partition(" ")
        found[code] = CodeSection(code, title.strip(), body.strip())
    return found


def successors() -> dict[str, tuple[str, ...]]:
    """The codes that were split, by the table at the head of `codes.md`: those that its other meanings have now."""
    head = _text().partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| ([EWH]\d{4}) \|.*\| ([EWH\d ]+?) \|$", head)
    return {code: tuple(later.split()) for code, later in rows}


def _text() -> str:
    return files("ogive").joinpath("codes.md").read_text(encoding="utf-8")
