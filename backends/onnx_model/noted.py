"""An operation as it was lowered, for those who go through a graph backwards."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.backends.onnx_model.lowering import Args
from ogive.compiler.ir import Node


@dataclass(frozen=True, slots=True)
class Noted:
    """`node` reads values of ONNX; `args` and `results` are their names."""

    node: Node
    args: Args
    results: tuple[str, ...]
