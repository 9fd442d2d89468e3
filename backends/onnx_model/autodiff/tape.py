"""An operation as it was lowered, for those who go through a graph backwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ogive.backends.onnx_model.ops.context import Args
from ogive.compiler.ir.model import Node

# (what flows back to results, what depends on the source) -> what flows back to arguments
Back = Callable[[Mapping[str, str], Collection[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Noted:
    """`node` reads values of ONNX; `args` and `results` are their names. A loop knows its way back itself."""

    node: Node
    args: Args
    results: tuple[str, ...]
    back: Back | None = None
