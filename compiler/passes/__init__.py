"""Passes: typed IR to typed IR. The pipelines of the backends are the tuples below."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir import Model
from ogive.compiler.passes.dead import dead
from ogive.compiler.passes.fills import mark_fills
from ogive.compiler.passes.frame import Pass, optimized
from ogive.compiler.passes.fuse import fuse
from ogive.compiler.passes.inline import inline
from ogive.compiler.passes.lift import lift
from ogive.compiler.passes.rows import mark_rows
from ogive.compiler.passes.simplify import simplify
from ogive.compiler.passes.taps import taps_apart

# what runs before a PyTorch module is written, in this order
TORCH: tuple[Pass, ...] = (inline, dead, taps_apart, simplify, fuse, simplify, dead)


def lowered(model: Model, passes: Sequence[Pass] = TORCH) -> Model:
    """The model as targets take it: optimized, `over` and `each` lifted; rows that surely have an entry, and numbers
    that only hide others, are marked.
    """
    return mark_fills(mark_rows(lift(optimized(model, passes), (simplify, *passes))))


__all__ = ["TORCH", "Pass", "lowered", "optimized"]
