"""Tensor types: an element type and labelled axes with symbolic sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ogive.compiler.sizes import Size, Unknown, size

FLOATS = ("float", "f16", "bf16", "f32", "f64")
INTS = ("int", "i32", "i64")
ELEMENTS = (*FLOATS, *INTS, "bool", "complex")


class OneOf(str):
    """A label that axes of several labels bear together: brackets find it, but it tells no axis from another."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis; or, where `pack` is given, any number of axes (then `size` is their product, one atom).

    The label is the name under which brackets may speak of the axis. It is not part of the type: it does not compare.
    """

    size: Size
    label: str | None = field(default=None, compare=False)
    pack: str | None = field(default=None, compare=False)

    def labelled(self, label: str | None) -> Axis:
        return replace(self, label=label)

    def at(self, sizes: Mapping[Unknown, Size]) -> Axis:
        """The axis with sizes in the place of unknowns; a pack has the name of the one that it is there."""
        length = self.size.subs(sizes)
        return replace(self, size=length, pack=self.pack and pack_name(length, self.pack))

    @property
    def named(self) -> str:
        """The axis by its size, and by its label where that says something else: `n`, `h = 2*n`."""
        if self.pack is not None or self.label is None or self.label.startswith("*") or self.label == str(self.size):
            return str(self)
        return f"{self.label} = {self}"

    def __str__(self) -> str:
        if self.pack is None:
            return str(self.size)
        return self.pack if self.pack == "..." else f"*{self.pack}"


def pack_name(length: Size, otherwise: str) -> str:
    """The name of the pack whose axes have this product: that of its unknown, so that two of one name are one."""
    found = next(iter(length.unknowns)) if len(length.unknowns) == 1 else None
    return found.name if found is not None and found.kind == "pack" and length == size(found) else otherwise


@dataclass(frozen=True, slots=True)
class TensorType:
    """`elem[axes]`."""

    elem: str
    axes: tuple[Axis, ...]

    @property
    def rank(self) -> int | None:
        """The number of axes, None where a pack leaves it open."""
        return None if any(axis.pack is not None for axis in self.axes) else len(self.axes)

    @property
    def sizes(self) -> tuple[Size, ...]:
        return tuple(axis.size for axis in self.axes)

    @property
    def floating(self) -> bool:
        return self.elem in FLOATS

    def with_axes(self, *axes: Axis) -> TensorType:
        return TensorType(self.elem, axes)

    def with_elem(self, elem: str) -> TensorType:
        return TensorType(elem, self.axes)

    @property
    def named(self) -> str:
        """The type with the labels of its axes, where they say something else than the sizes."""
        body = f"[{', '.join(axis.named for axis in self.axes)}]"
        return body if self.elem == "float" else self.elem + body

    def __str__(self) -> str:
        body = f"[{', '.join(map(str, self.axes))}]"
        return body if self.elem == "float" else self.elem + body
