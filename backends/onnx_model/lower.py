"""The ONNX lowerings by name of operation: one visible table made of the families' own, and what ONNX cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ogive.backends.onnx_model import (
    lower_algebra,
    lower_elementwise,
    lower_index,
    lower_kernels,
    lower_layout,
    lower_linear,
    lower_norms,
    lower_reduce,
    lower_special,
    lower_values,
)
from ogive.backends.onnx_model.lowering import Lowering

FAMILIES: tuple[dict[str, Lowering], ...] = (
    lower_layout.LOWER,
    lower_linear.LOWER,
    lower_reduce.LOWER,
    lower_index.LOWER,
    lower_elementwise.LOWER,
    lower_special.LOWER,
    lower_kernels.LOWER,
    lower_norms.LOWER,
    lower_values.LOWER,
    lower_algebra.LOWER,
)

# why an operation has no form in ONNX
UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "solve_triangular": "the standard has no linear solver",
        "solve": "the standard has no linear solver",
        "cholesky": "the standard has no factorization of matrices",
        "inverse": "the standard has no inverse of a matrix",
    }
)


def _merged(families: tuple[dict[str, Lowering], ...]) -> dict[str, Lowering]:
    found: dict[str, Lowering] = {}
    for family in families:
        twice = found.keys() & family.keys()
        assert not twice, f"lowered twice: {', '.join(sorted(twice))}"
        found.update(family)
    return found


LOWER: dict[str, Lowering] = _merged(FAMILIES)
