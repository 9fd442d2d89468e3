"""`grad` and `custom_grad`: an inner function, handed to torch.func."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ogive.backends.pytorch.code import Code, call
from ogive.backends.pytorch.names import identifier
from ogive.backends.pytorch.writer import Writer
from ogive.compiler.ir import Graph, Node


def gradient(writer: Writer, node: Node) -> None:
    """`torch.func.grad(energy)(x)`."""
    _settle(writer)
    region = node.regions[0]
    count = int(node.attr("operands"))
    args = _args(writer, node, count)
    function = _inner(writer, node, region, count, node.inputs[count:])
    _bind(writer, node, Code(f"torch.func.grad({function})({', '.join(map(str, args))})"))


def custom(writer: Writer, node: Node) -> None:
    """The value of one function with the derivative that another gives."""
    _settle(writer)
    captured = int(node.attr("captured"))
    (x,) = _args(writer, node, 1)
    forward = _inner(writer, node, node.regions[0], 1, node.inputs[1 : 1 + captured])
    backward = _inner(writer, node, node.regions[1], 2, node.inputs[1 + captured :])
    writer.helper("CustomGrad")
    _bind(writer, node, call("CustomGrad.apply", Code(forward), Code(backward), x))


def _inner(writer: Writer, node: Node, region: Graph, count: int, captured: Sequence[object]) -> str:
    scope = writer.scope
    names = [scope.claim(identifier(value.hint or value.name)) for value in region.inputs[:count]]
    function = scope.claim("inner")
    scope.line(f"def {function}({', '.join(f'{name}: Tensor' for name in names)}) -> Tensor:")
    _function(writer, node, region, names, captured)
    return function


def _function(writer: Writer, node: Node, region: Graph, names: Sequence[str], captured: Sequence[object]) -> None:
    """The body of the inner function; what it captures it sees by scope."""
    scope = writer.scope
    scope.indent += 4
    captures = region.inputs[len(names) :]
    scope.enter(region, function=True, keep=[value.name for value in captures])
    for value, name in zip(region.inputs, names, strict=False):
        scope.hold(value.name, Code(name))
    for value, operand in zip(captures, captured, strict=True):
        assert isinstance(operand, str), node
        scope.hold(value.name, scope.codes[operand])
    writer.run(region)
    codes = [scope.operand(output, writer._literal) for output in region.outputs]
    scope.line(f"return {', '.join(map(str, codes))}")
    for output in region.outputs:
        scope.waiting.pop(str(output), None)
    scope.flush()
    scope.leave()
    scope.indent -= 4


def _settle(writer: Writer) -> None:
    writer.scope.flush()
    writer.scope.frames[-1].now = False


def _args(writer: Writer, node: Node, count: int) -> list[Code]:
    found = writer.args(replace(node, inputs=node.inputs[:count]))
    assert all(code is not None for code in found), node
    return [code for code in found if code is not None]


def _bind(writer: Writer, node: Node, code: Code) -> None:
    writer.place(node, code, False)
