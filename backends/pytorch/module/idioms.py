"""What PyTorch writes for what the functions of any target do."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.python_text.expr import NONE, Code, attribute, call, method, name, tuple_of
from ogive.backends.python_text.functions.idioms import Idioms
from ogive.backends.python_text.functions.taps import or_none
from ogive.backends.python_text.statements import Evaluate, Parameter, Statement
from ogive.backends.pytorch.names import MODULE_ATTRIBUTES, RESERVED, access
from ogive.backends.pytorch.weights.layers import is_layer
from ogive.compiler.ir_tools.entry import ELEMENTS


def kinds(elem: str) -> Code:
    """`(torch.int64, torch.int32)`."""
    return tuple_of([name(f"torch.{kind}") for kind in ELEMENTS[elem]])


def empty(tensor: Code, elem: str) -> Code:
    """`x.new_empty(0)`; of complex numbers `x.real.new_empty(0)`."""
    return method(tensor if elem == "float" else attribute(tensor, "real"), "new_empty", 0)


def stack(tensors: Code, axis: int) -> Code:
    """`torch.stack(ys, dim=1)`."""
    return call("torch.stack", tensors, dim=axis or None)


def rows(tensor: Code, axis: int) -> Code:
    """A tensor is iterated along its first axis: `x`, `x.unbind(1)`."""
    return method(tensor, "unbind", axis) if axis else tensor


def update(state: Code, value: Code) -> Statement:
    """`self.mean.copy_(value.detach())`."""
    return Evaluate(method(state, "copy_", method(value, "detach")))


def with_weights(module: Code, weights: Code, args: Sequence[Code], settings: Code | None) -> Code:
    """`torch.func.functional_call(self.f, {"w": w}, (x,))`."""
    return call("torch.func.functional_call", module, weights, tuple_of(args), settings)


IDIOMS = Idioms(
    tensor=name("Tensor"),
    module=name("nn.Module"),
    generator=Parameter("generator", or_none(name("torch.Generator")), NONE),
    reserved=RESERVED,
    attributes=MODULE_ATTRIBUTES,
    access=access,
    is_layer=is_layer,
    kinds=kinds,
    rank=lambda tensor: method(tensor, "dim"),
    empty=empty,
    stack=stack,
    rows=rows,
    update=update,
    with_weights=with_weights,
    dropper=lambda seeded: "SeededDropout" if seeded else "nn.Dropout",
    once=lambda reads: "once" if reads else "moved once",
)
