"""Written types meet what a body gives: sizes must be equal, and names that nothing binds are bound."""

from __future__ import annotations

from typing import Any

from ogive.compiler.elaborate.modules.statics_advice import quotient
from ogive.compiler.elaborate.rules.checker import RuleChecker
from ogive.compiler.elaborate.rules.type_exprs import star_axes
from ogive.compiler.elaborate.rules.wholes import settled
from ogive.compiler.elaborate.state.control import StatementFailed
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.elaborate.state.values import BROKEN, PackValue, kind_of
from ogive.compiler.elaborate.walk.evaluate import evaluate
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.sizes import Size
from ogive.grammar import syntax
from ogive.grammar.diagnostics import Label
from ogive.grammar.source import Span


def declared_type(frame: Frame, tree: syntax.TypeExpr, actual: TensorType, span: Span, what: str) -> TensorType | None:
    """Meet a written type with what a body gives: names that nothing binds are bound to the sizes found."""
    label = (Label(tree.span, "declared here"),)
    if tree.elem != actual.elem:
        raise frame.fail(
            "E0501",
            f"{what} is declared {tree.elem}, this is {actual.elem}",
            span,
            labels=label,
            help=f"`cast[{tree.elem}](...)`",
        )
    slots: list[Any] = []
    for dim in tree.dims:
        if not isinstance(dim, syntax.StarDim):
            slots.append(dim)
        elif (dim.name or "...") in frame.scope.variables:
            slots.extend(star_axes(frame, dim) or ())
        else:  # a pack that nothing binds: the axes that the body gives
            count = len(actual.axes) - len(tree.dims) + 1
            free = actual.axes[len(slots) : len(slots) + max(count, 0)]
            frame.scope.variables[dim.name or "..."] = PackValue(dim.name or "...", free)
            slots.extend(free)
    if len(slots) != len(actual.axes):
        raise frame.fail(
            "E0301",
            f"{what} is declared {tree.span.text}, this is {actual}: {len(slots)} axes and {len(actual.axes)}",
            span,
            labels=label,
        )
    checker = RuleChecker(frame, "", span, labels=label)
    axes: list[Axis] = []
    for slot, axis in zip(slots, actual.axes, strict=True):
        if isinstance(slot, Axis):
            if (slot.pack is None) != (axis.pack is None):
                raise frame.fail("E0301", f"{what} is declared {tree.span.text}, this is {actual}", span, labels=label)
            checker.equal(axis.size, slot.size, f"{what} is declared {tree.span.text}, this is {actual}")
            axes.append(axis)
            continue
        if axis.pack is not None:
            raise frame.fail("E0301", f"{what} is declared {tree.span.text}, this is {actual}", span, labels=label)
        axes.append(_slot(frame, slot, axis, checker, f"{what} is declared {tree.span.text}, this is {actual}"))
    return None if checker.failed else TensorType(actual.elem, tuple(axes))


def _slot(frame: Frame, dim: syntax.Expr, axis: Axis, checker: RuleChecker, text: str) -> Axis:
    if isinstance(dim, syntax.Name) and dim.id not in frame.scope.variables and dim.id not in frame.module.scope:
        frame.scope.variables[dim.id] = axis.size
        return axis.labelled(dim.id)
    value = settled(frame, evaluate(frame, dim), dim.span)
    if isinstance(value, Size):
        checker.equal(axis.size, value, text)
        return Axis(value, dim.id if isinstance(dim, syntax.Name) else axis.label)
    if value is not BROKEN:
        raise frame.fail(
            "E0407", f"a size is needed here, this is {kind_of(value)}", dim.span, help=quotient(value, dim.span)
        )
    raise StatementFailed
