"""Where a definition speaks of sizes: members, initializers, graphs; and the unknowns of what is found there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ogive.compiler.ir.model import Const, Graph, Init, Loop, Member, Scalar, Weight
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.recipe import AxisPattern
from ogive.compiler.sizes import Condition, Size, Unknown


def mentioned(member: Member) -> Iterator[Any]:
    """What a member holds that may speak of sizes."""
    if isinstance(member, Loop):
        yield member.count
    elif isinstance(member, Weight):
        yield member.type
        yield from in_init(member.init)
        yield from in_graph(member.keep) if member.keep is not None else ()
    else:
        yield from (value for _, value in member.bindings)
        yield member.vectorized
        yield from (item for _, init in member.inits for item in in_init(init))


def in_init(init: Init) -> Iterator[Any]:
    """The same of an initializer."""
    yield from (value for _, value in init.attrs)
    yield from in_graph(init.graph) if init.graph is not None else ()


def in_graph(graph: Graph) -> Iterator[Any]:
    """The same of a graph and its regions."""
    yield from (value.type for value in graph.inputs)
    for node in graph.nodes:
        yield from (value.type for value in node.outputs)
        yield from (value for _, value in (*node.settings, *node.bindings))
        yield from (operand for operand in node.inputs if isinstance(operand, Const))
        for region in node.regions:
            yield from in_graph(region)


def unknowns_of(value: Any) -> Iterable[Unknown]:
    """The unknowns of a size, a number, a type, an attribute."""
    match value:
        case Size() | Condition() | Unknown():
            return value.unknowns
        case TensorType():
            return {u for axis in value.axes for u in axis.size.unknowns}
        case Axis(size=inner):
            return inner.unknowns
        case Scalar(args=items) | tuple(items):
            return {u for item in items for u in unknowns_of(item)}
        case Const(value=inner):
            return unknowns_of(inner)
        case _:
            return {u for item in getattr(value, "sizes", {}).values() for u in item.unknowns}


def determined(value: object) -> bool:
    """Whether an attribute or a literal holds no size that is open."""
    match value:
        case Size():
            return value.is_number
        case Const(value=literal):
            return determined(literal)
        case Scalar(args=args):
            return value.fn != "static" and all(map(determined, args))
        case tuple():
            return all(map(determined, value))
        case str() | int() | float() | None:
            return True
        case AxisPattern():
            return all(map(determined, value.sizes.values()))
        case _:
            return hasattr(value, "size") and determined(value.size)
