"""Written types become tensor types."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.modules.statics_advice import quotient
from ogive.compiler.elaborate.rules.wholes import settled
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.partly import seen
from ogive.compiler.elaborate.state.values import BROKEN, PackValue, UnknownStatic, kind_of
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size
from ogive.grammar import syntax


def tensor_type(frame: Frame, tree: syntax.TypeExpr, bind: Any = None) -> TensorType | None:
    """The tensor type that is written; None where a part of it is broken. `bind(name)` gives a size to a free name."""
    axes: list[Axis] = []
    for dim in tree.dims:
        found = dim_axes(frame, dim, bind)
        if found is None:
            return None
        axes.extend(found)
    return TensorType(tree.elem, tuple(axes))


def dim_axes(frame: Frame, dim: syntax.Expr | syntax.StarDim, bind: Any = None) -> tuple[Axis, ...] | None:
    """The axes that one entry of a written type stands for."""
    if isinstance(dim, syntax.StarDim):
        return star_axes(frame, dim)
    if isinstance(dim, syntax.Name) and bind is not None and (bound := bind(dim.id)) is not None:
        return (Axis(bound, dim.id),)
    value = frame.evaluate(dim)
    if value is BROKEN:
        return None
    if isinstance(value, UnknownStatic):
        raise UnresolvedChoice(value.name, dim.span)
    value = settled(frame, value, dim.span)
    if not isinstance(value, Size):
        raise frame.fail(
            "E0407", f"a size is needed here, this is {kind_of(value)}", dim.span, help=quotient(value, dim.span)
        )
    if value.is_number and value.number < 1:
        raise frame.fail("E0304", f"an axis has at least one entry, this has {value}", dim.span)
    return (Axis(value, dim.id if isinstance(dim, syntax.Name) else None),)


def star_axes(frame: Frame, dim: syntax.StarDim) -> tuple[Axis, ...] | None:
    """The axes of `*b`, of a spliced list, or of `...`."""
    name = dim.name or "..."
    value = seen(frame, frame.scope.variables.get(name))
    if isinstance(value, PackValue):
        return value.axes
    if value is BROKEN:
        return None
    if isinstance(value, UnknownStatic):
        raise UnresolvedChoice(value.name, dim.span)
    if isinstance(value, tuple) and all(isinstance(v, Size) for v in value):
        return tuple(Axis(v) for v in value)
    if value is None:
        raise frame.fail("E0201", f"no input binds the pack `*{name}`", dim.span)
    raise frame.fail("E0407", f"`*{name}` needs a list of sizes, this is {kind_of(value)}", dim.span)
