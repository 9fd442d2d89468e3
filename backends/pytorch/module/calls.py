"""Calls of blocks: of submodules, of layers of torch, of functions of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ogive.backends.python_text.expr import Code, call
from ogive.backends.pytorch.errors import LoweringError
from ogive.backends.pytorch.module.file_state import WrittenFunction
from ogive.backends.pytorch.module.same_forms import must_be_its_class
from ogive.backends.pytorch.module.taps import under
from ogive.backends.pytorch.module.writer import Writer
from ogive.backends.pytorch.weights.layers import is_layer
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.weights import weight_types

NAMED = re.compile(r"([A-Za-z_]\w*)=(?!=)(.*)", re.DOTALL)  # a keyword argument


def applied(writer: Writer, node: Node, args: Sequence[Code | None]) -> Code:
    """`self.attn(x)`, `causal_mask(scores)`."""
    callee = node.callee
    assert callee is not None, node
    if node.path and is_layer(callee):
        base = writer.path(node.path)
        return _with_weights(writer, node, base, args)
    if node.path:
        must_be_its_class(writer.file, writer.unit.definition, node)
    unit = writer.file.units[callee.name]
    written = writer.file.written[unit.name]
    base = Code(unit.name) if unit.function else writer.path(node.path)
    return _with_weights(writer, node, base, arguments(writer, node, written, args))


def arguments(writer: Writer, node: Node, written: WrittenFunction, args: Sequence[Code | None]) -> list[Code]:
    """The inputs, then sizes that the callee cannot read from shapes, then whether the model trains."""
    found: list[Code] = []
    skipped = False
    for at, (name, arg) in enumerate(zip(written.params, args, strict=True)):
        if arg is not None or at < written.required:
            found.append(Code(f"{name}={arg}") if skipped else arg or Code("None"))
        else:
            skipped = True
    bindings = dict(node.bindings)
    for unknown, name in written.sizes:
        found.append(Code(f"{name}={writer.size(bindings[unknown])}"))
    if written.like:
        found.append(Code(f"like={writer.anchor()}"))
    if written.draws:
        found.append(Code(f"generator={writer.generator(passed=bool(node.path))}"))
    if written.taps:
        found.append(Code(f"taps={under(writer, node.path)}"))
    if written.trains:
        found.append(Code(f"training={writer.training()}"))
    return found


def _with_weights(writer: Writer, node: Node, base: Code, inputs: Sequence[Code | None]) -> Code:
    """The call, with some weights replaced by values."""
    if not node.supplied:
        return call(str(base), *inputs)
    if not base.text.startswith("self"):
        raise LoweringError("a weight is supplied to a block without weights")
    given = [str(code) for code in inputs if code is not None]
    named = [NAMED.fullmatch(text) for text in given]
    args = [text for text, match in zip(given, named, strict=True) if match is None]
    more = ", ".join(f'"{match[1]}": {match[2]}' for match in named if match is not None)
    weights = ", ".join(_supplied(writer, node))
    comma = "," if len(args) == 1 else ""
    rest = f", {{{more}}}" if more else ""
    return Code(f"torch.func.functional_call({base}, {{{weights}}}, ({', '.join(args)}{comma}){rest})")


def _supplied(writer: Writer, node: Node) -> Iterator[str]:
    """The entries of the dict of weights: `"lin.weight": w`; all of an instance as `**weights_of(self.f, "F.")`."""
    shared: dict[tuple[str, str], set[str]] = {}  # by the place below the callee and the instance: weights below it
    origin: dict[str, tuple[str, str]] = {}
    for path, name in node.supplied:
        found = _origin(writer, path, name)
        if found is not None:
            place, instance, rest = found
            origin[path] = (place, instance)
            shared.setdefault((place, instance), set()).add(rest)
    instances = {member.path: member.definition for member in writer.unit.definition.instances}
    whole = {key for key, rests in shared.items() if rests == dict(weight_types(instances[key[1]], {})).keys()}
    for path, name in node.supplied:
        key = origin.get(path)
        if key in whole:
            if key in shared:
                writer.helper("weights_of")
                del shared[key]
                prefix = f', "{key[0]}"' if key[0] else ""
                yield f"**weights_of({writer.path(key[1])}{prefix})"
            continue
        value = writer.scope.operand(name, lambda _: None)
        if "*" in path:
            writer.helper("turns")
            yield f'**turns("{path}", {value})'
        else:
            yield f'"{path}": {value}'


def _origin(writer: Writer, path: str, name: str) -> tuple[str, str, str] | None:
    """Where a supplied weight is that of an instance: the place that it fills, the instance, the path below both."""
    stored = writer.stored.get(name) or writer.stored.get(str(writer.scope.operand(name, lambda _: None)))
    if stored is None:
        return None
    for member in writer.unit.definition.instances:
        rest = stored[len(member.path) + 1 :]
        if stored.startswith(f"{member.path}.") and f".{path}".endswith(f".{rest}"):
            return path[: -len(rest)], member.path, rest
    return None
