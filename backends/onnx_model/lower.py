"""The ONNX lowerings by name of operation: one visible table made of the families' own."""

from __future__ import annotations

from ogive.backends.onnx_model import (
    lower_algebra,
    lower_arithmetic,
    lower_elementwise,
    lower_index,
    lower_kernels,
    lower_layout,
    lower_linear,
    lower_norms,
    lower_reduce,
    lower_special,
    lower_systems,
    lower_values,
)
from ogive.backends.onnx_model.lowering import Lowering

FAMILIES: tuple[dict[str, Lowering], ...] = (
    lower_layout.LOWER,
    lower_linear.LOWER,
    lower_reduce.LOWER,
    lower_index.LOWER,
    lower_elementwise.LOWER,
    lower_arithmetic.LOWER,
    lower_special.LOWER,
    lower_kernels.LOWER,
    lower_norms.LOWER,
    lower_values.LOWER,
    lower_algebra.LOWER,
    lower_systems.LOWER,
)


def _merged(families: tuple[dict[str, Lowering], ...]) -> dict[str, Lowering]:
    found: dict[str, Lowering] = {}
    for family in families:
        twice = found.keys() & family.keys()
        assert not twice, f"lowered twice: {', '.join(sorted(twice))}"
        found.update(family)
    return found


LOWER: dict[str, Lowering] = _merged(FAMILIES)
