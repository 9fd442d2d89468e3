"""Builds graphs over open sizes, typed by the rules of `compiler.ops`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.ir.model import Const, Node, Operand
from ogive.compiler.ir.substitute import Fresh
from ogive.compiler.ir.types import TensorType
from ogive.compiler.ir_tools.unchecked_rules import Trusting
from ogive.compiler.ops import OPS
from ogive.compiler.ops.spec import Pattern
from ogive.compiler.sizes import Size
from ogive.grammar.source import Span


@dataclass(slots=True)
class Building:
    """A graph that grows by operations."""

    fresh: Fresh
    types: dict[str, TensorType]
    nodes: list[Node] = field(default_factory=list)
    span: Span | None = None

    def op(self, name: str, *inputs: Operand | int | float | Size, **statics: Any) -> str:
        """A new operation; the name of its first result."""
        return self.ops(name, *inputs, **statics)[0]

    def ops(self, name: str, *inputs: Operand | int | float | Size, **statics: Any) -> tuple[str, ...]:
        """A new operation; the names of its results."""
        spec = OPS[name]
        given = {static.name: statics.get(static.name, static.default) for static in spec.statics}
        operands = tuple(x if isinstance(x, str | Const | None) else Const(x) for x in inputs)
        types: list[Any] = [self.types[x] if isinstance(x, str) else x for x in operands]
        results, attrs = spec.rule(Trusting(), given, types)
        values = tuple(self.fresh.value(result, "") for result in results)
        self.add(Node(name, operands, values, tuple(attrs.items()), span=self.span))
        return tuple(value.name for value in values)

    def shaped(self, value: str, pattern: str, **sizes: Size) -> str:
        """A rearrangement."""
        return self.op("rearrange", value, pattern=Pattern(pattern, sizes))

    def add(self, node: Node) -> str:
        """Take a node; the name of its first result."""
        self.nodes.append(node)
        self.types.update((value.name, value.type) for value in node.outputs)
        return node.outputs[0].name
