"""Passes: typed IR to typed IR. The pipelines of the backends are the tuples below."""

from __future__ import annotations

from ogive.compiler.passes.frame import Pass, optimized

# what runs before a PyTorch module is written, in this order
TORCH: tuple[Pass, ...] = ()

__all__ = ["TORCH", "Pass", "optimized"]
