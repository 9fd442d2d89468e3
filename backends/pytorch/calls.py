"""Calls of blocks: of submodules, of layers of torch, of functions of the file."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.backends.pytorch.code import Code, call
from ogive.backends.pytorch.errors import LoweringError
from ogive.backends.pytorch.layers import is_layer
from ogive.backends.pytorch.taps import under
from ogive.backends.pytorch.writer import Writer
from ogive.backends.pytorch.written import Written
from ogive.compiler.ir import Node


def applied(writer: Writer, node: Node, args: Sequence[Code | None]) -> Code:
    """`self.attn(x)`, `causal_mask(scores)`."""
    callee = node.callee
    assert callee is not None, node
    if node.path and is_layer(callee):
        base = writer.path(node.path)
        return _with_weights(writer, node, base, call(str(base), *args))
    unit = writer.file.units[callee.name]
    written = writer.file.written[unit.name]
    base = Code(unit.name) if unit.function else writer.path(node.path)
    return _with_weights(writer, node, base, call(str(base), *arguments(writer, node, written, args)))


def arguments(writer: Writer, node: Node, written: Written, args: Sequence[Code | None]) -> list[Code]:
    """The inputs, then sizes that the callee cannot read from shapes, then whether the model trains."""
    found: list[Code] = []
    skipped = False
    for name, arg in zip(written.params, args, strict=True):
        if arg is not None:
            found.append(Code(f"{name}={arg}") if skipped else arg)
        skipped = skipped or arg is None
    bindings = dict(node.bindings)
    for unknown, name in written.sizes:
        found.append(Code(f"{name}={writer.size(bindings[unknown])}"))
    if written.like:
        found.append(Code(f"like={writer.anchor()}"))
    if written.taps:
        found.append(Code(f"taps={under(writer, node.path)}"))
    if written.trains:
        found.append(Code(f"training={writer.training()}"))
    return found


def _with_weights(writer: Writer, node: Node, base: Code, plain: Code) -> Code:
    """The call with some weights replaced by values."""
    inputs = plain.text[len(base.text) + 1 : -1]
    if not node.supplied:
        return plain
    if not base.text.startswith("self"):
        raise LoweringError("a weight is supplied to a block without weights")
    weights = ", ".join(f'"{path}": {writer.scope.operand(name, lambda _: None)}' for path, name in node.supplied)
    comma = "," if inputs and "," not in inputs else ""
    return Code(f"torch.func.functional_call({base}, {{{weights}}}, ({inputs}{comma}))")
