"""Other sizes and other names in a graph: what putting one definition's graph into another needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ogive.compiler.ir.model import Const, Graph, Node, Operand, Scalar, Value
from ogive.compiler.ir.scalars import value_of
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Condition, Size, Unknown

Sizes = Mapping[Unknown, Size]


@dataclass(slots=True)
class Fresh:
    """Names that no value of a definition has yet."""

    taken: set[str]
    counts: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(graph: Graph) -> Fresh:
        """Names beside those of a definition's graph."""
        taken = set(graph.values)
        for node in graph.walk():
            for region in node.regions:
                taken.update(region.values)
        return Fresh(taken)

    def name(self, base: str) -> str:
        """A new name that starts with `base`."""
        stem = base.split(".")[0] or "v"
        number = self.counts.get(stem, 0)
        while f"{stem}.{number}" in self.taken:
            number += 1
        self.counts[stem] = number + 1
        self.taken.add(f"{stem}.{number}")
        return f"{stem}.{number}"

    def value(self, type: TensorType, hint: str = "") -> Value:
        """A new value."""
        return Value(self.name(hint or "v"), type, hint)


def in_sizes(value: Any, sizes: Sizes) -> Any:
    """An attribute with sizes in the place of unknowns."""
    match value:
        case Scalar(fn=fn, args=args):
            return Scalar(fn, tuple(in_sizes(arg, sizes) for arg in args))
        case Const(value=inner):
            return Const(in_sizes(inner, sizes))
        case tuple():
            return tuple(in_sizes(item, sizes) for item in value)
        case TensorType():
            return type_in_sizes(value, sizes)
        case Size() | Condition():
            return value.subs(sizes)
        case _:
            return value.subs(sizes) if hasattr(value, "subs") else value


def with_numbers(node: Node, sizes: Sizes | None = None) -> Node:
    """The node with a number for each setting that is a formula, as far as these sizes tell it."""
    if not any(isinstance(value, Scalar) for _, value in node.attrs):
        return node
    attrs = []
    for key, value in node.attrs:
        number = value_of(in_sizes(value, sizes or {})) if isinstance(value, Scalar) else None
        attrs.append((key, value if number is None else number))
    return replace(node, attrs=tuple(attrs))


def open_settings(node: Node) -> list[str]:
    """The settings that are formulas still."""
    return [key for key, value in node.attrs if isinstance(value, Scalar)]


def type_in_sizes(type: TensorType, sizes: Sizes) -> TensorType:
    """A type at other sizes."""
    return TensorType(type.elem, tuple(axis.at(sizes) for axis in type.axes))


def copied(
    graph: Graph, sizes: Sizes, names: dict[str, Operand], fresh: Fresh, path: Callable[[str], str]
) -> tuple[tuple[Node, ...], tuple[Operand, ...]]:
    """The nodes of a graph for use elsewhere, and its outputs. `names` gives the operands in place of its inputs."""
    nodes = tuple(_node(node, sizes, names, fresh, path) for node in graph.nodes)
    return nodes, tuple(_operand(output, sizes, names) for output in graph.outputs)


def _operand(operand: Operand, sizes: Sizes, names: Mapping[str, Operand]) -> Operand:
    if isinstance(operand, str):
        return names[operand]
    return in_sizes(operand, sizes) if isinstance(operand, Const) else None


def _renamed(value: Value, sizes: Sizes, names: dict[str, Operand], fresh: Fresh) -> Value:
    new = Value(fresh.name(value.hint or value.name), type_in_sizes(value.type, sizes), value.hint)
    names[value.name] = new.name
    return new


def _node(node: Node, sizes: Sizes, names: dict[str, Operand], fresh: Fresh, path: Callable[[str], str]) -> Node:
    read = node.reading(lambda operand: _operand(operand, sizes, names))
    regions = tuple(_region(region, sizes, names, fresh, path) for region in node.regions)
    made = replace(
        read.map_settings(lambda value: in_sizes(value, sizes)),
        outputs=tuple(_renamed(value, sizes, names, fresh) for value in node.outputs),
        regions=regions,
    )
    return made.at(path(node.path)) if node.path else made


def _region(region: Graph, sizes: Sizes, names: dict[str, Operand], fresh: Fresh, path: Callable[[str], str]) -> Graph:
    inputs = tuple(_renamed(value, sizes, names, fresh) for value in region.inputs)
    nodes = tuple(_node(node, sizes, names, fresh, path) for node in region.nodes)
    return Graph(inputs, nodes, tuple(_operand(output, sizes, names) for output in region.outputs))


def with_operands(node: Node, names: Mapping[str, Operand]) -> Node:
    """The node reading other values."""
    if not any(name in names for name in node.operands):
        return node
    return node.reading(lambda x: names.get(x, x) if isinstance(x, str) else x)
