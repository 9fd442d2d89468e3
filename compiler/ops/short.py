"""Operations that are written as others where they are applied (`elaborate/rules/shorthand.py`): nothing further on
knows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogive.compiler.ir.types import TensorType
from ogive.compiler.ops.elems import shown, tensors
from ogive.compiler.ops.spec import Checker, OpSpec, ShapeError, Told, Trait

Result = tuple[tuple[TensorType, ...], Mapping[str, Any]]


def meshgrid(checker: Checker, statics: Mapping[str, Any], types: Sequence[object]) -> Result:
    """y_k[i_0, ..., i_n] = x_k[i_k]."""
    given = tensors(types)
    for operand, type in enumerate(given):
        if len(type.axes) != 1 or type.axes[0].pack is not None:
            text = f"takes tensors of one axis, `{shown(type)}` is none"
            raise ShapeError(text, code="E0303", operand=operand)
    axes = tuple(type.axes[0] for type in given)
    return tuple(type.with_axes(*axes) for type in given), {}


OPS = (
    OpSpec(
        "meshgrid",
        "*xs",
        (),
        meshgrid,
        "layout",
        "y_k[i, j] = x_k[i] or x_k[j]",
        "own",
        linear=(0,),
        traits=Trait.HANDS_ON,
        outputs=-1,
        told=Told(
            'Each tensor over a grid with one axis for every tensor, in their order (torch: `indexing="ij"`).',
            "(*xs: [n_k]) -> (*ys: [n_1, n_2, ...])",
            "(x: [m], y: [n]) -> (rows: [m, n], columns: [m, n])",
            "meshgrid(x, y)",
            "every result has the axes of all operands",
        ),
    ),
)
