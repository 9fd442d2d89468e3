"""What a graph is before it is laid in columns: steps in an order in which they can run."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.backends.diagram.figure.figure import Op
from ogive.backends.diagram.from_ir.wires import Wires
from ogive.compiler.ir.model import Definition


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """One operation. Each reading of a value has wires of its own (`ins`), the value's wires are those of `outs`."""

    op: Op  # its links speak of the wires of `ins` and `outs`
    ins: tuple[Wires, ...]
    reads: tuple[str, ...]  # for each of `ins`, the value that it reads
    outs: tuple[Wires, ...]
    callee: Definition | None = None  # of a call
