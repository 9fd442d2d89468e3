"""`grad` and `custom_grad`: an inner function, handed to torch.func."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ogive.backends.python_text.expr import NONE, Code, binary, call, method, name, tuple_of
from ogive.backends.python_text.functions.writer import Writer
from ogive.backends.python_text.names import identifier
from ogive.backends.python_text.statements import FunctionDef, Parameter, Return
from ogive.compiler.ir.attributes import CustomGradAttrs, GradAttrs
from ogive.compiler.ir.model import Definition, Graph, Model, Node, Operand
from ogive.compiler.passes.infra.driver import with_callees

NORMS = ("layer_norm", "batch_norm_train")  # whose kernels have right derivatives up to the second


def apart(model: Model, depths: Mapping[str, int]) -> Model:
    """The model with norms that run in two `grad` written as blocks of their own: no layers of torch."""
    done: dict[int, Definition] = {}

    def rewritten(definition: Definition) -> Definition:
        if id(definition) not in done:
            found = with_callees(definition, rewritten)
            deep = depths.get(definition.name, 0) > 1 and any(node.op in NORMS for node in definition.graph.walk())
            done[id(definition)] = replace(found, block="") if deep else found
        return done[id(definition)]

    if max(depths.values()) < 2:
        return model
    found = rewritten(model.definition)
    return model if found is model.definition else replace(model, definition=found)


def gradient(writer: Writer, node: Node) -> None:
    """`derivative(energy)(x)`."""
    _settle(writer)
    region, told = node.regions[0], node.structure
    assert isinstance(told, GradAttrs), node
    operands = told.parts(node.inputs)
    args = _args(writer, node, operands.given)
    writer.deriving += 1
    function = _inner(writer, node, region, told.operands, operands.captured)
    writer.deriving -= 1
    derived = call(writer.helper("derivative"), function)
    if _overrides(region):  # torch.compile (2.13) derives what is inside of CustomGrad by itself: left to eager mode
        derived = call("torch.compiler.disable", derived)
    _bind(writer, node, call(derived, *args))


def _overrides(graph: Graph) -> bool:
    """Whether a graph, or a block that it applies, holds a derivative of its own."""
    nodes = list(graph.walk())
    callees = {id(node.callee): node.callee for node in nodes if node.callee is not None}
    return any(node.op == "custom_grad" for node in nodes) or any(_overrides(d.graph) for d in callees.values())


def custom(writer: Writer, node: Node) -> None:
    """The value of one function with the derivative that another gives; what it captures is derived as ever."""
    _settle(writer)
    told = node.structure
    assert isinstance(told, CustomGradAttrs), node
    ahead, back = told.forward(node.inputs), told.backward(node.inputs)
    (x,) = _args(writer, node, ahead.given)
    forward = _inner(writer, node, node.regions[0], 1, ahead.captured)
    backward = _inner(writer, node, node.regions[1], 2, back.captured)
    writer.helper("CustomGrad")
    x = writer.once(x, "x")
    _bind(writer, node, call("CustomGrad.apply", backward, call(forward, method(x, "detach")), x))


def _inner(writer: Writer, node: Node, region: Graph, count: int, captured: Sequence[object]) -> Code:
    scope = writer.scope
    values = region.inputs[:count]
    names = [scope.claim(identifier(value.hint or value.name)) for value in values]
    maybe = binary(name("Tensor"), "|", NONE)
    kinds = [maybe if value.name in writer.unit.maybe else name("Tensor") for value in values]
    function = scope.claim("inner")
    with scope.block() as body:
        _function(writer, node, region, names, captured)
    parameters = tuple(map(Parameter, names, kinds))
    scope.add(FunctionDef(function, parameters, name("Tensor"), tuple(body)))
    return name(function)


def _function(writer: Writer, node: Node, region: Graph, names: Sequence[str], captured: Sequence[object]) -> None:
    """The body of the inner function; what it captures it sees by scope."""
    scope = writer.scope
    captures = region.inputs[len(names) :]
    scope.enter(region, function=True, keep=[value.name for value in captures])
    for value, variable in zip(region.inputs, names, strict=False):
        scope.hold(value.name, name(variable))
    for value, operand in zip(captures, captured, strict=True):
        assert isinstance(operand, str), node
        scope.hold(value.name, scope.codes[operand])
    writer.run(region)
    codes = [scope.operand(output, writer._literal) for output in region.outputs]
    outputs = [code or NONE for code in codes]
    scope.add(Return(outputs[0] if len(outputs) == 1 else tuple_of(outputs)))
    for output in region.outputs:
        scope.waiting.pop(str(output), None)
    scope.flush()
    scope.leave()


def _settle(writer: Writer) -> None:
    writer.scope.flush()
    writer.scope.frames[-1].now = False


def _args(writer: Writer, node: Node, operands: tuple[Operand, ...]) -> list[Code]:
    found = writer.args(replace(node, inputs=operands))
    assert all(code is not None for code in found), node
    return [code for code in found if code is not None]


def _bind(writer: Writer, node: Node, code: Code) -> None:
    """It stands also where nothing reads its result, if it changes a state or shows a value."""
    shown = not any(map(writer.uses, node.outputs)) and writer.file.shows(node)
    writer.place(node, code, shown or writer.file.acts(node))
