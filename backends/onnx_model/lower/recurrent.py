"""Recurrent layers as the nodes that the standard has for them: `RNN`, `GRU`, `LSTM`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ogive.backends.onnx_model.ops.operands import squeezed, unsqueezed
from ogive.backends.onnx_model.walk_state import DefinitionFrame, Lowering
from ogive.compiler.ir.model import Definition, Node
from ogive.compiler.passes.fusion.recurrent_cell import RecurrentCell, recurrent_cell

# the gates of a node in the order of its weights, as places in the order of `RecurrentCell`
NODES: Mapping[str, tuple[str, tuple[int, ...], Mapping[str, Any]]] = MappingProxyType(
    {
        "rnn_tanh": ("RNN", (0,), {"activations": ["Tanh"]}),
        "rnn_relu": ("RNN", (0,), {"activations": ["Relu"]}),
        "gru": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),
        "lstm": ("LSTM", (0, 3, 1, 2), {}),
    }
)


def layer(walker: Lowering, frame: DefinitionFrame, node: Node) -> list[str | None] | None:
    """The results of a loop that is a recurrent layer; None for any other, and where runtimes have no kernel.

    ONNX Runtime has them for float32 alone.
    """
    builder = walker.builder
    if walker.tape is not None or builder.elem("float") != "f32":
        return None
    cell = recurrent_cell(node)
    width = None if cell is None else cell.width.subs(frame.sizes.unknowns)
    if cell is None or width is None or not width.is_number:
        return None
    operands = [_read(walker, frame, x) for x in (cell.x, cell.weight_x, cell.weight_h, *cell.starts)]
    x, weight_x, weight_h, *starts = operands
    op, gates, attrs = NODES[cell.kind]
    order = [cell.order[gate] for gate in gates]
    bias = _bias(walker, frame, cell, order, width.number)
    given = [
        x if cell.axis == 0 else builder.node("Transpose", x, perm=[1, 0, 2]),
        unsqueezed(builder, _gates(walker, weight_x, order, width.number), [0]),
        unsqueezed(builder, _gates(walker, weight_h, order, width.number), [0]),
        "" if bias is None else unsqueezed(builder, bias, [0]),
        "",  # all sequences are whole
        *(unsqueezed(builder, start, [0]) for start in starts),
    ]
    direction = {"direction": "reverse"} if cell.reverse else {}
    y, *lasts = builder.nodes(op, 1 + len(starts), *given, hidden_size=width.number, **attrs, **direction)
    steps = squeezed(builder, y, [1])
    steps = steps if cell.axis == 0 else builder.node("Transpose", steps, perm=[1, 0, 2])
    found: dict[str, str | None] = {value.name: steps for value in cell.outputs}
    for value, last in zip(cell.lasts, lasts, strict=True):
        found[value.name] = squeezed(builder, last, [0]) if _is_read(frame.definition, value.name) else None
    for value in node.outputs:
        if (result := found[value.name]) is not None:
            walker.note(result, value, frame)
    return [found[value.name] for value in node.outputs]


def _is_read(definition: Definition, name: str) -> bool:
    """Whether anything reads a value: a node that nothing reads would stay in the graph."""
    nodes = list(definition.graph.walk())
    outputs = (graph.outputs for graph in (definition.graph, *(region for node in nodes for region in node.regions)))
    return any(name in node.operands for node in nodes) or any(name in each for each in outputs)


def _read(walker: Lowering, frame: DefinitionFrame, operand: str) -> str:
    found = walker.read(frame, operand)
    assert isinstance(found, str), operand
    return found


def _bias(
    walker: Lowering, frame: DefinitionFrame, cell: RecurrentCell, order: Sequence[int], width: int
) -> str | None:
    """Both biases end to end, 0 for one that is not there."""
    if cell.bias_x is None:
        return None
    first = _gates(walker, _read(walker, frame, cell.bias_x), order, width)
    if cell.bias_h is None:
        zeros = walker.builder.array(np.zeros(len(order) * width, np.float32))
        return walker.builder.node("Concat", first, zeros, axis=0)
    second = _gates(walker, _read(walker, frame, cell.bias_h), order, width)
    return walker.builder.node("Concat", first, second, axis=0)


def _gates(walker: Lowering, weight: str, order: Sequence[int], width: int) -> str:
    """The rows of the gates in another order."""
    if list(order) == list(range(len(order))):
        return weight
    builder = walker.builder
    parts = builder.nodes("Split", len(order), weight, builder.array([width] * len(order)), axis=0)
    return builder.node("Concat", *(parts[at] for at in order), axis=0)
