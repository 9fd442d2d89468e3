"""Finite partial orders, as `poset_pool` takes them: `chain(1).below(antichain(2)).below(chain(1))`.

"Order theory in the context of machine learning", arXiv:2412.06097.
"""

from __future__ import annotations

from ogive.compiler.posets.poset import Poset, PosetError, antichain, chain, composed, minkowski, product

__all__ = ["Poset", "PosetError", "antichain", "chain", "composed", "minkowski", "product"]
