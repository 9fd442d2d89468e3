"""What every model goes through before a target writes it."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir.model import Model
from ogive.compiler.passes.analysis.fills import mark_fills
from ogive.compiler.passes.analysis.rows import mark_rows
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.simplify import simplify
from ogive.compiler.passes.cleanup.ungiven import without_ungiven
from ogive.compiler.passes.fusion.fuse import fuse
from ogive.compiler.passes.infra.dce import dead
from ogive.compiler.passes.infra.driver import Pass, optimized
from ogive.compiler.passes.taps.unasked import taps_apart
from ogive.compiler.passes.vectorize.driver import vectorize_model

# what runs before a PyTorch module is written, in this order
TORCH: tuple[Pass, ...] = (inline, dead, taps_apart, simplify, fuse, simplify, dead)


def lowered(model: Model, passes: Sequence[Pass] = TORCH) -> Model:
    """The model as targets take it: optimized, `over` and `each` vectorized; rows that surely have an entry, and
    numbers that only hide others, are marked. What no call gives is no input.
    """
    model = vectorize_model(optimized(model, passes), (simplify, *passes))
    return mark_fills(mark_rows(without_ungiven(model)))
