"""`over`, `each`, `grad` and `custom_grad`: an inner function, handed to torch.func."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ogive.backends.pytorch.code import Code, call
from ogive.backends.pytorch.errors import LoweringError
from ogive.backends.pytorch.names import identifier
from ogive.backends.pytorch.writer import Writer
from ogive.compiler.ir import Graph, Instance, Node


def lifted(writer: Writer, node: Node) -> None:
    """`torch.vmap(at_e, in_dims=1, out_dims=1)(x)`; weights of `each` are mapped along their first axis."""
    scope = writer.scope
    _settle(writer)
    region = node.regions[0]
    mapped = int(node.attr("mapped"))
    args = _args(writer, node, mapped)
    names = [scope.claim(identifier(value.hint or value.name)) for value in region.inputs[:mapped]]
    stacks = (
        {} if node.op == "over" else {path: scope.claim("weights") for path in dict.fromkeys(_stacked(writer, region))}
    )
    function = scope.claim(
        f"{node.op}_{identifier(str(node.attr('size')))}" if len(str(node.attr("size"))) < 9 else node.op
    )
    params = [f"{name}: Tensor" for name in names] + [f"{name}: dict[str, Tensor]" for name in stacks.values()]
    scope.line(f"def {function}({', '.join(params)}) -> {_returns(region)}:")
    before, writer.stacks = writer.stacks, {**writer.stacks, **stacks}
    _function(writer, node, region, names, node.inputs[mapped:])
    writer.stacks = before
    weights = [call("weights_of", writer.path(path)) for path in stacks]
    if stacks:
        writer.helper("weights_of")
    ins = (*node.attr("in_axes"), *(0 for _ in stacks))
    settings = {"in_dims": Code(_dims(ins)), "out_dims": Code(_dims(node.attr("out_axes")))}
    if any(writer.file.draws(inner) or writer.file.acts_call(inner) for inner in region.walk()):
        settings["randomness"] = Code('"different"')
    code = call("torch.vmap", Code(function), **{n: v for n, v in settings.items() if v.text != "0"})
    _bind(writer, node, Code(f"{code}({', '.join(map(str, [*args, *weights]))})"))


def _dims(places: Sequence[int]) -> str:
    return str(places[0]) if len(set(places)) == 1 else str(tuple(places))


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


def _stacked(writer: Writer, region: Graph) -> Iterator[str]:
    """The instances that the region applies whose weights are stacked."""
    members = {m.path: m for m in writer.unit.definition.members if isinstance(m, Instance)}
    for node in region.walk():
        member = members.get(node.path)
        if node.op == "call" and member is not None and member.lift is not None:
            if node.supplied:
                raise LoweringError("a weight that is supplied inside `each` has no form in torch yet")
            yield node.path


def _settle(writer: Writer) -> None:
    writer.scope.flush()
    writer.scope.frames[-1].now = False


def _args(writer: Writer, node: Node, count: int) -> list[Code]:
    found = writer.args(replace(node, inputs=node.inputs[:count]))
    assert all(code is not None for code in found), node
    return [code for code in found if code is not None]


def _returns(region: Graph) -> str:
    count = len(region.outputs)
    return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"


def _bind(writer: Writer, node: Node, code: Code) -> None:
    writer._place(node, code, False)
