"""What a page computes with, so that the sizes in a figure follow those that a reader sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ogive.backends.diagram.figure.labels import size_label
from ogive.compiler.sizes import Size, Unknown
from ogive.compiler.sizes import size as size_of


@dataclass(frozen=True)
class LiveSizes:
    """The sizes of a figure by their text; which operations speak of them; those of each closed block, by turns."""

    sizes: Mapping[str, Size] = field(default_factory=dict)
    unknowns: tuple[Unknown, ...] = ()
    own: int = 0  # how many of them, from the first on, are the block's own, and may be set
    uses: Mapping[str, tuple[Mapping[Unknown, Size], ...]] = field(default_factory=dict)
    spoken: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()  # rows of the legend that a page has among its sizes
    numeric: bool = False  # numbers stand on the wires at first

    def spots(self, text: str) -> Iterator[tuple[str, Size]]:
        """The names of sizes in the text of an operation, with a number before them: `4d`."""
        names = {size_label(unknown.name): unknown for unknown in self.unknowns}
        for match in re.finditer(r"(?<![\w.])(\d*)([^\W\d]\w*)(?![\w(])", text):
            if match[2] in names:
                yield match[0], size_of(names[match[2]]) * int(match[1] or 1)
