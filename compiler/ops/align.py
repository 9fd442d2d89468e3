"""How shapes align from the right, and which element types meet."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.ir.model import Const, Scalar
from ogive.compiler.ir.types import FLOATS, INTS, Axis, TensorType
from ogive.compiler.ops.held import fits
from ogive.compiler.ops.spec import Checker, ShapeError
from ogive.compiler.sizes import Size

Operand = TensorType | Const | None


def align(checker: Checker, types: Sequence[Operand], verb: str) -> tuple[Axis, ...]:
    """The axes of the result: a missing axis or a literal 1 broadcasts, two sizes must be equal.

    `verb` says in a message what meets: "adds {b} to {a}".
    """
    axes: tuple[Axis, ...] = ()
    for operand, type in enumerate(types):
        if isinstance(type, TensorType):
            axes = _pair(checker, axes, type.axes, verb, operand)
    return axes


def _pair(
    checker: Checker, left: tuple[Axis, ...], right: tuple[Axis, ...], verb: str, operand: int
) -> tuple[Axis, ...]:
    """Both lists of axes, aligned from the right."""
    shared = min(len(left), len(right))
    longer = left if len(left) >= len(right) else right
    met = [meet(checker, left[-i], right[-i], verb, i, operand) for i in range(shared, 0, -1)]
    return (*longer[: len(longer) - shared], *met)


def meet(checker: Checker, a: Axis, b: Axis, verb: str, place: int, operand: int) -> Axis:
    """Two axes in the same place from the right (1 is the last)."""
    if a.size is b.size and a.label == b.label and a.pack is b.pack is None:
        return b  # what is the same needs no words
    where = "the last axis" if place == 1 else f"axis {-place}"
    text = f"{verb.format(a=f'`{a}`', b=f'`{b}`')}, at {where}"
    if a.pack is not None or b.pack is not None:
        if a.pack is None or b.pack is None or a.size != b.size:
            raise ShapeError(f"{text}: a pack meets only itself", operand=operand)
        return a
    if is_one(a):
        return b
    if is_one(b):
        return a
    return checker.meet(a, b, text, operand)


def is_one(axis: Axis) -> bool:
    """Whether the axis is the literal 1, which broadcasts."""
    return axis.size.is_number and axis.size.number == 1


def literal_elem(const: Const) -> str:
    """The narrowest element type that holds the literal: "bool", "int" or "float"."""
    if isinstance(const.value, bool):
        return "bool"
    return "int" if isinstance(const.value, int | Size) else "float"


def common_elem(name: str, types: Sequence[Operand]) -> str:
    """The one element type of the operands; a literal adapts to its neighbour, E0501 where it cannot."""
    tensors = [(i, type.elem) for i, type in enumerate(types) if isinstance(type, TensorType)]
    literals = [literal_elem(type) for type in types if isinstance(type, Const)]
    if not tensors:
        return max(literals, key=("bool", "int", "float").index)
    first, elem = tensors[0]
    for operand, other in tensors[1:]:
        if other != elem:
            raise _mixed(name, elem, other, first, operand)
    for literal in literals:
        if not _adapts(literal, elem):
            article = "an" if literal == "int" else "a"
            text = f"`{name}` meets {article} `{literal}` number with `{elem}`"
            raise ShapeError(text, code="E0501", operand=first, help="cast[float](x)")
    for operand, type in enumerate(types):
        if isinstance(type, Const):
            fits(type, elem, operand=operand)
    return elem


def _adapts(literal: str, elem: str) -> bool:
    if elem in FLOATS or elem == "complex":
        return literal != "bool"
    return literal == ("int" if elem in INTS else "bool")


def _mixed(name: str, a: str, b: str, first: int, second: int) -> ShapeError:
    """The error for tensors of two element types; it blames the one that is to be cast."""
    target = next((elem for elem in ("complex", "float", *FLOATS) if elem in (a, b)), a)
    operand = second if target == a else first
    return ShapeError(
        f"`{name}` meets `{a}` with `{b}`; element types never mix silently",
        code="E0501",
        operand=operand,
        help=f"cast[{target}](x)",
    )


def require_elem(name: str, type: Operand, allowed: Sequence[str], operand: int = 0) -> None:
    """E0501 where the tensor's element type is none of these."""
    if not isinstance(type, TensorType) or type.elem in allowed:
        return
    wanted = "float" if "float" in allowed else allowed[0]
    article = "an" if wanted == "int" else "a"
    raise ShapeError(
        f"`{name}` takes {article} `{wanted}` tensor, not `{type.elem}`",
        code="E0501",
        operand=operand,
        help=f"cast[{wanted}](x)",
    )


def number_of(value: float | Size | Scalar) -> float | None:
    """The number that a static is, None where it depends on sizes."""
    if isinstance(value, Size):
        return value.number if value.is_number else None
    return None if isinstance(value, Scalar) else value
