"""Loops over tokens: recurrent layers by torch's own kernels, all others step by step."""

from __future__ import annotations

from ogive.backends.python_text.expr import Code, call, list_of, method, name, tuple_of
from ogive.backends.python_text.functions.regions import scan as steps
from ogive.backends.python_text.functions.writer import Writer
from ogive.backends.python_text.statements import Assign
from ogive.compiler.ir.model import Node
from ogive.compiler.passes.fusion.recurrent_cell import RecurrentCell, recurrent_cell


def scan(writer: Writer, node: Node) -> None:
    """`lstm(x, h, c, weights)`, a helper around a kernel whose second derivative torch lacks; else a loop."""
    found = None if writer.derived() else recurrent_cell(node)
    if found is None or not gates_in_order(found):
        steps(writer, node)
    else:
        _layer(writer, node, found)


def gates_in_order(cell: RecurrentCell) -> bool:
    """Whether the rows of its weights are those of torch's layers."""
    return cell.order == tuple(range(len(cell.order)))


def _layer(writer: Writer, node: Node, cell: RecurrentCell) -> None:
    scope = writer.scope
    scope.flush()
    code = _call(writer, cell)
    scope.frames[-1].now = False
    outputs = [value for value in cell.outputs if writer.uses(value)]
    lasts = [value if writer.uses(value) else None for value in cell.lasts]
    taken: list[str] = []
    for value, hint in zip((outputs[0] if outputs else None, *lasts), ("y", "h", "c"), strict=False):
        taken.append("_" if value is None else scope.unused(value.hint or hint, taken))
    comment = writer.comment(node, outputs[0]) if outputs else ""
    scope.add(Assign(tuple_of(list(map(name, taken))), code, comment))
    if outputs and cell.reverse:
        scope.add(Assign(name(taken[0]), _turned(name(taken[0]), cell)))
    for value, variable in zip((*outputs, *cell.lasts), (*taken[:1] * len(outputs), *taken[1:]), strict=True):
        scope.hold(value.name, name(variable))


def _call(writer: Writer, cell: RecurrentCell) -> Code:
    """A layer in one direction: kernels have one length for all of a batch."""
    x, *starts = (_operand(writer, operand) for operand in (cell.x, *cell.starts))
    weights = [_operand(writer, operand) for operand in (cell.weight_x, cell.weight_h)]
    if cell.bias_x is not None:
        bias = _operand(writer, cell.bias_x)
        other = call("torch.zeros_like", bias) if cell.bias_h is None else _operand(writer, cell.bias_h)
        weights += [bias, other]
    writer.helper("followed")
    settings = {"dim": 0} if cell.axis == 0 else {}
    return call(writer.helper(cell.kind), _turned(x, cell), *starts, list_of(weights), **settings)


def _operand(writer: Writer, operand: str) -> Code:
    code = writer.scope.operand(operand, writer._literal)
    assert code is not None, operand
    return code


def _turned(code: Code, cell: RecurrentCell) -> Code:
    """Along the steps from their end, where it runs so."""
    return method(code, "flip", cell.axis) if cell.reverse else code
