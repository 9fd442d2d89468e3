"""The ONNX lowerings by name of operation: one visible table made of the families' own."""

from __future__ import annotations

from ogive.backends.onnx_model.ops import algebra as lower_algebra
from ogive.backends.onnx_model.ops import arithmetic as lower_arithmetic
from ogive.backends.onnx_model.ops import bits as lower_bits
from ogive.backends.onnx_model.ops import elementwise as lower_elementwise
from ogive.backends.onnx_model.ops import index as lower_index
from ogive.backends.onnx_model.ops import kernels as lower_kernels
from ogive.backends.onnx_model.ops import layout as lower_layout
from ogive.backends.onnx_model.ops import linear as lower_linear
from ogive.backends.onnx_model.ops import norms as lower_norms
from ogive.backends.onnx_model.ops import reduce as lower_reduce
from ogive.backends.onnx_model.ops import sampling as lower_sampling
from ogive.backends.onnx_model.ops import scatter as lower_scatter
from ogive.backends.onnx_model.ops import special as lower_special
from ogive.backends.onnx_model.ops import systems as lower_systems
from ogive.backends.onnx_model.ops import values as lower_values
from ogive.backends.onnx_model.ops.context import Lowering

FAMILIES: tuple[dict[str, Lowering], ...] = (
    lower_layout.LOWER,
    lower_linear.LOWER,
    lower_reduce.LOWER,
    lower_index.LOWER,
    lower_scatter.LOWER,
    lower_elementwise.LOWER,
    lower_arithmetic.LOWER,
    lower_bits.LOWER,
    lower_special.LOWER,
    lower_kernels.LOWER,
    lower_sampling.LOWER,
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
