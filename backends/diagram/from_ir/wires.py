"""Tensors as stacks of wires, while a figure is built; and which wires are the same axis."""

from __future__ import annotations

from dataclasses import dataclass, field

from ogive.compiler.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Wires:
    """The wires of one tensor: one for each axis (a pack is one), then one for an element type that is not float."""

    tid: str
    type: TensorType
    name: str = ""

    @property
    def axes(self) -> tuple[str, ...]:
        """The wires of the axes, in order."""
        return tuple(f"{self.tid}.{i}" for i in range(len(self.type.axes)))

    @property
    def dtype(self) -> str | None:
        """The wire of the element type; a scalar has one whatever its type, so that it is seen."""
        shown = self.type.elem != "float" or not self.type.axes
        return f"{self.tid}.e" if shown else None

    @property
    def all(self) -> tuple[str, ...]:
        """All wires, top to bottom."""
        return (*self.axes, self.dtype) if self.dtype else self.axes


@dataclass(slots=True)
class Classes:
    """Which wires are one axis: a union of sets, each known by its first wire."""

    parent: dict[str, str] = field(default_factory=dict)

    def find(self, sid: str) -> str:
        """The wire by which the set is known."""
        root = sid
        while (up := self.parent.get(root, root)) != root:
            root = up
        while (up := self.parent.get(sid, root)) != root:
            self.parent[sid], sid = root, up
        return root

    def unite(self, *sids: str) -> None:
        """These are one axis."""
        if sids:
            first = self.find(sids[0])
            for sid in sids[1:]:
                self.parent[self.find(sid)] = first
