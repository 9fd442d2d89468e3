"""The PyTorch lowerings by name of operation: one visible table, made of the families' own."""

from __future__ import annotations

from ogive.backends.python_text.functions.context import Lowering
from ogive.backends.pytorch.ops import algebra as lower_algebra
from ogive.backends.pytorch.ops import elementwise as lower_elementwise
from ogive.backends.pytorch.ops import index as lower_index
from ogive.backends.pytorch.ops import kernels as lower_kernels
from ogive.backends.pytorch.ops import layout as lower_layout
from ogive.backends.pytorch.ops import linear as lower_linear
from ogive.backends.pytorch.ops import norms as lower_norms
from ogive.backends.pytorch.ops import reduce as lower_reduce
from ogive.backends.pytorch.ops import sampling as lower_sampling
from ogive.backends.pytorch.ops import values as lower_values

FAMILIES: tuple[dict[str, Lowering], ...] = (
    lower_layout.LOWER,
    lower_linear.LOWER,
    lower_reduce.LOWER,
    lower_index.LOWER,
    lower_elementwise.LOWER,
    lower_kernels.LOWER,
    lower_sampling.LOWER,
    lower_norms.LOWER,
    lower_values.LOWER,
    lower_algebra.LOWER,
)


def _merged(families: tuple[dict[str, Lowering], ...]) -> dict[str, Lowering]:
    found: dict[str, Lowering] = {}
    for family in families:
        twice = found.keys() & family.keys()
        assert not twice, f"lowered twice: {', '.join(sorted(twice))}"
        found.update(family)
    return found


LOWER: dict[str, Lowering] = _merged(FAMILIES)
