"""What a reader asks of a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SizeStyle = Literal["symbolic", "numeric", "both"]


@dataclass(frozen=True, slots=True)
class Options:
    """What of a block is drawn: `depth` levels of calls are open, and those named in `open`; weights as data or not."""

    depth: int = 0
    open: frozenset[str] = frozenset()
    weights: bool = False
    fold: bool = True  # runs that the source has unrolled are drawn once
    settings: bool = False  # what changes numbers alone stands under the glyphs
    sizes: SizeStyle | None = None  # how sizes are written; None: as suits (figure_of)
    at: tuple[tuple[str, int], ...] = ()  # numbers for sizes, by name
    live: bool = False  # for a page, which computes numbers itself: sizes stay what they are

    @property
    def style(self) -> SizeStyle:
        """How sizes are written."""
        return self.sizes or ("numeric" if self.at else "symbolic")
