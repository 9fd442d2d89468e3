"""Products and sums of an affine value with what is known: numbers, and vectors by channel."""

from __future__ import annotations

from collections.abc import Callable

from ogive.compiler.ir.model import Const, Operand
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import TensorType
from ogive.compiler.passes.weight_folding import affine_kernels as kernels
from ogive.compiler.passes.weight_folding.affine import Affine, scaled
from ogive.compiler.passes.weight_folding.context import Layout, TransferContext


def layout_of(type: TensorType) -> Layout:
    """The layout that a lone value is taken to have: the last axis, or images with channels first."""
    rank = len(type.axes)
    return (1, rank - 2) if rank >= 4 else (rank - 1, 0)


def _known(context: TransferContext, operand: Operand, result: TensorType) -> tuple[str | float, Layout | None] | None:
    """A static operand as one number for each channel, with its layout; or as one number for all."""
    if isinstance(operand, Const):
        value = value_of(operand.value)
        return None if value is None else (float(value), None)
    if not isinstance(operand, str) or not context.static(operand):
        return None
    shape, rank = context.scope.shape(operand), len(result.axes)
    wide = [at for at, count in enumerate(shape) if count != 1]
    if len(shape) > rank or len(wide) > 1 or any(axis.pack for axis in result.axes[rank - len(shape) :]):
        return None
    if not wide:
        return operand if len(shape) < 2 else context.scope.shaped(operand, f"{' 1' * len(shape)} -> 1"), None
    axis = rank - len(shape) + wide[0]
    names = " ".join("c" if at == wide[0] else "1" for at in range(len(shape)))
    vector = operand if len(shape) == 1 else context.scope.shaped(operand, f"{names} -> c")
    return vector, (axis, rank - 1 - axis) if axis == 1 and rank > 2 else (axis, 0)


def _met(
    context: TransferContext,
    x: Operand,
    operand: Operand,
    result: TensorType,
    change: Callable[[str | float], str | float],
) -> tuple[Affine, str] | None:
    """An affine value, and what `change` makes of a static operand as one number for each of its channels."""
    found = _known(context, operand, result)
    if found is None or not isinstance(x, str) or context.static(x) or context.type(x) != result:
        return None
    value, layout = found
    if layout is not None and layout[1] == 0 and layout[0] != len(result.axes) - 1:
        return None
    absorbed = context.absorbed(x)
    source = absorbed if absorbed is not None and layout is None else context.affine(x, layout or layout_of(result))
    if source is None:
        return None
    value, out = change(value), source.terms[0].out
    if isinstance(value, float):
        return source, kernels.filled(context.scope, (out,), value)
    if layout is None:
        value = context.scope.op("mul", kernels.filled(context.scope, (out,), 1.0), value)
    return source, value


def times(context: TransferContext, x: Operand, factor: Operand, invert: bool, result: TensorType) -> Affine | None:
    """X times a static factor, or by it."""

    def inverse(value: str | float) -> str | float:
        return 1 / value if isinstance(value, float) else context.scope.op("div", 1.0, value)

    found = _met(context, x, factor, result, inverse if invert else lambda value: value)
    return None if found is None else scaled(context.scope, found[0], found[1], None)


def plus_known(
    context: TransferContext, x: Operand, shift: Operand, result: TensorType, signs: tuple[float, float] = (1.0, 1.0)
) -> Affine | None:
    """X plus a static shift, each with its sign."""

    def signed(value: str | float) -> str | float:
        if signs[1] > 0:
            return value
        return -value if isinstance(value, float) else context.scope.op("neg", value)

    found = _met(context, x, shift, result, signed)
    if found is None:
        return None
    source, moved = found
    minus = None if signs[0] > 0 else kernels.filled(context.scope, (source.terms[0].out,), -1.0)
    return scaled(context.scope, source, minus, moved)
