"""Conversions as text: one line for each operation, and for each weight of the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ogive.compiler.ir.model import Const, Graph, Node, Operand
from ogive.compiler.ir.types import Axis


def lines(graph: Graph, targets: Sequence[str]) -> Iterator[str]:
    """The operations in order, weights written where they are read, then what each target is."""
    names = {node.outputs[0].name: node.path for node in graph.nodes if node.op == "weight"}
    yield from _body(graph, names, "")
    for target, output in zip(targets, graph.outputs, strict=True):
        yield f"{target} := {_operand(output, names)}"


def _body(graph: Graph, names: dict[str, str], indent: str) -> Iterator[str]:
    for node in graph.nodes:
        if node.op == "weight":
            names[node.outputs[0].name] = node.path
            continue
        made = ", ".join(f"{value.name}: {value.type}" for value in node.outputs)
        if node.loop is not None:
            yield f"{indent}{made} = {node.op} {node.loop.count} as {node.path}:"
            yield from _body(node.regions[0], names, indent + "    ")
            outputs = ", ".join(_operand(output, names) for output in node.regions[0].outputs)
            yield f"{indent}    yield {outputs}"
        else:
            yield f"{indent}{made} = {node.op}{_attrs(node)}({', '.join(_operand(x, names) for x in node.inputs)})"


def _attrs(node: Node) -> str:
    shown = [str(value) if key == "recipe" else f"{key}={_value(value)}" for key, value in node.attrs]
    return f"[{', '.join(shown)}]" if shown else ""


def _value(value: object) -> str:
    match value:
        case tuple():
            return f"({', '.join(map(_value, value))})"
        case Axis(size=size):
            return str(size)
        case _:
            return str(value)


def _operand(operand: Operand, names: dict[str, str]) -> str:
    match operand:
        case Const(value=value):
            return str(value)
        case None:
            return "none"
        case str():
            return names.get(operand, operand)
