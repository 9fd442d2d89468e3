"""One node of the IR to statements: weights, regions, calls, and the table of operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import (
    Code,
    attribute,
    call,
    is_given,
    list_of_each,
    literal,
    method,
    name,
    tuple_of,
)
from ogive.backends.python_text.functions.calls import call_of
from ogive.backends.python_text.functions.regions import REGIONS as SHARED
from ogive.backends.python_text.functions.taps import tap
from ogive.backends.python_text.functions.writer import Writer
from ogive.backends.python_text.statements import If
from ogive.backends.pytorch.module.autograd import custom, gradient
from ogive.backends.pytorch.module.recurrent import scan
from ogive.backends.pytorch.names import access
from ogive.backends.pytorch.ops.table import LOWER
from ogive.backends.pytorch.weights.inits import init_call
from ogive.compiler.ir.attributes import InitialAttrs, TapAttrs, WeightAttrs
from ogive.compiler.ir.model import Init, Node
from ogive.compiler.ir.types import TensorType

REGIONS = MappingProxyType({**SHARED, "scan": scan, "grad": gradient, "custom_grad": custom})


def write_node(writer: Writer, node: Node) -> None:
    """Write one node, or let it wait for its use."""
    if isinstance(node.structure, WeightAttrs):
        _weight(writer, node, node.structure.stacked)
    elif isinstance(node.structure, TapAttrs):
        tap(writer, node, node.structure.name)
    elif node.op == "extern":
        writer.express(node, lambda args: call("self.module", *args), acts=True)
    elif isinstance(node.structure, InitialAttrs):
        told = node.structure
        writer.express(node, lambda args: drawn(writer, told, node.outputs[0].type), acts=True)
    elif node.op in REGIONS:
        with _asked(writer, node):
            REGIONS[node.op](writer, node)
    elif node.op == "call":
        with _asked(writer, node):
            acts = writer.file.acts(node) or _seen_only(writer, node)
            writer.express(node, lambda args: call_of(writer, node, args), acts=acts)
    elif node.op in LOWER:
        lower = LOWER[node.op]
        acts = writer.file.draws(node)
        writer.express(node, lambda args: lower(writer, node, args), acts=acts)
    else:
        raise LoweringError(f"`{node.op}` is not supported in torch yet")


def _seen_only(writer: Writer, node: Node) -> bool:
    """Whether nothing but taps of a node is read."""
    derives = node.op in ("call", "grad", "custom_grad")
    unused = derives and not writer.file.acts(node) and not any(map(writer.uses, node.outputs))
    return unused and writer.file.shows(node)


@contextmanager
def _asked(writer: Writer, node: Node) -> Iterator[None]:
    """Of a node of which taps alone are read: inside of a branch that runs where they are asked for."""
    scope = writer.scope
    if scope.asked or not _seen_only(writer, node):
        yield
        return
    scope.flush(keep=node.operands)
    test = is_given(writer.tapping())
    scope.asked = True
    with scope.block() as body:
        yield
    scope.asked = False
    scope.add(If(test, tuple(body)))


def _weight(writer: Writer, node: Node, stacked: int) -> None:
    """A weight stands for itself; a state that is changed later in place is copied."""
    scope, (value,) = writer.scope, node.outputs
    if stacked:
        code = _stacked(writer, node.path, stacked)
        writer.stored[value.name] = writer.stored[code] = node.path
        read = any(value.name in user.inputs for user in scope.frames[-1].graph.users[value.name])
        if read or value.name in scope.frames[-1].graph.outputs:
            writer.place(node, code, False)
        else:
            scope.hold(value.name, code)
        return
    code = writer.path(node.path)
    if node.path in writer.copied:
        scope.flush(lambda other: other.acts)  # what changes it comes first
        scope.bind(value, method(code, "clone"))
    else:
        writer.stored[value.name] = writer.stored[code] = node.path
        scope.hold(value.name, code)


def _stacked(writer: Writer, path: str, stacked: int) -> Code:
    """`torch.stack([iteration.lin.weight for iteration in self.enc.h])`: the weights of all iterations."""
    parts = path.split(".*.")
    first = len(parts) - 1 - stacked
    iterations = ["turn" if not depth else f"turn_{depth + 1}" for depth in range(stacked)]
    code = access(parts[-1], name(iterations[-1]))
    for depth in reversed(range(stacked)):
        outer = writer.path(".*.".join(parts[: first + 1]))
        loop = access(parts[first + depth], name(iterations[depth - 1])) if depth else outer
        code = call("torch.stack", list_of_each(code, iterations[depth], loop))
    return code


def drawn(writer: Writer, told: InitialAttrs, type: TensorType) -> Code:
    """`nn.init.uniform_(torch.empty_like(self.weight), lo, hi)`: a named initializer inside an expression."""
    seeded = "seed" in dict(told.settings)
    device = literal("cpu") if seeded else None
    target = writer.target
    assert target is not None, told
    if told.alone:  # of a shape of its own
        sizes = [writer.size(axis.size) for axis in type.axes] or [tuple_of(())]
        empty = method(target, "new_empty", *sizes, device=device)
    else:
        empty = call("torch.empty_like", target, device=device)
    made = init_call(empty, Init(told.name, told.settings), writer.number)
    return method(made, "to", attribute(target, "device")) if seeded else made
