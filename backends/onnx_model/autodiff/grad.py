"""Derivatives for `grad`: the operations of a region are noted as they are lowered, and gone through backwards.

What a rule writes is noted too, for a `grad` around this one.
"""

from __future__ import annotations

from ogive.backends.onnx_model.autodiff.backward import flow_back
from ogive.backends.onnx_model.autodiff.steps import Steps
from ogive.backends.onnx_model.autodiff.tape import Noted
from ogive.backends.onnx_model.walk_state import DefinitionFrame, Lowering
from ogive.compiler.ir.model import Const, Node


def lower(walker: Lowering, frame: DefinitionFrame, node: Node) -> str:
    """The derivative of a scalar region in its first input."""
    region, builder = node.regions[0], walker.builder
    values = walker.inputs(frame, node)
    source = values[0]
    assert isinstance(source, str), node
    given, outer, tape = source, walker.tape, list[Noted]()
    # under a name of its own: other operands that are or depend on the same value are not derived
    (source,) = builder.add("Identity", [given], 1, {})
    walker.note(source, node.outputs[0], frame)
    walker.tape = tape
    (result,) = walker.region(frame, region, [source, *values[1:]])
    walker.tape = outer
    assert isinstance(result, str), node
    if outer is not None:
        outer += [Noted(Node("alias", (given,), node.outputs), [given], (source,)), *tape]
    steps = Steps(builder, (lambda noted: None) if outer is None else outer.append)
    flows = {result: builder.number(1.0, builder.type(result).elem)}
    builder.types.setdefault(flows[result], builder.type(result))
    flow_back(steps, tape, flows, {source}, node)
    found = flows.get(source)
    if found is None:
        found = steps.both("mul", source, Const(0.0))
    walker.note(found, node.outputs[0], frame)
    return found
