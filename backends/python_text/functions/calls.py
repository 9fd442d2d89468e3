"""Calls of blocks: of submodules, of layers of the framework, of functions of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ogive.backends.python_text.errors import LoweringError
from ogive.backends.python_text.expr import NONE, Code, applied, call, dict_of, literal, name, starts_with
from ogive.backends.python_text.functions.file_state import Rate, WrittenFunction
from ogive.backends.python_text.functions.same_forms import must_be_its_class
from ogive.backends.python_text.functions.taps import under
from ogive.backends.python_text.functions.writer import Writer
from ogive.compiler.ir.model import Node
from ogive.compiler.ir.weights import weight_types

Settings = dict[str, Code]


def call_of(writer: Writer, node: Node, args: Sequence[Code | None]) -> Code:
    """`self.attn(x)`, `causal_mask(scores)`."""
    callee = node.callee
    assert callee is not None, node
    if node.path and writer.file.idioms.is_layer(callee):
        base = writer.path(node.path)
        return _with_weights(writer, node, base, [arg for arg in args if arg is not None], {})
    if node.path:
        must_be_its_class(writer.file, writer.unit.definition, node)
    unit = writer.file.units[callee.name]
    written = writer.file.written[unit.name]
    base = name(unit.name) if unit.function else writer.path(node.path)
    return _with_weights(writer, node, base, *arguments(writer, node, written, args))


def arguments(
    writer: Writer, node: Node, written: WrittenFunction, args: Sequence[Code | None]
) -> tuple[list[Code], Settings]:
    """The inputs; by name those behind one that is left out, then what the callee cannot know by itself."""
    found: list[Code] = []
    settings: Settings = {}
    skipped = False
    for at, (param, arg) in enumerate(zip(written.params, args, strict=True)):
        if arg is None and at >= written.required:
            skipped = True
        elif skipped:
            settings[param] = arg or NONE
        else:
            found.append(arg or NONE)
    bindings = dict(node.bindings)
    settings |= {param: writer.size(bindings[unknown]) for unknown, param in written.sizes}
    if written.like:
        settings["like"] = writer.anchor()
    if writer.file.units[node.callee.name].function if node.callee is not None else False:
        settings |= {param: dropper(writer, rate) for param, rate in written.droppers}
    if written.draws:
        settings["generator"] = writer.generator(passed=bool(node.path)) or NONE
    if written.taps:
        settings["taps"] = under(writer, node.path)
    if written.trains:
        settings["training"] = writer.training()
    return found, settings


def dropper(writer: Writer, rate: Rate) -> Code:
    """The module that drops at a rate; a new one where there is no place for it."""
    return writer.dropper(rate) or call(writer.file.idioms.dropper(writer.file.seeded), writer.scalar(rate))


def _with_weights(writer: Writer, node: Node, base: Code, args: Sequence[Code], settings: Settings) -> Code:
    """The call, with some weights replaced by values."""
    if not node.supplied:
        return applied(base, args, settings.items())
    if not starts_with(base, "self"):
        raise LoweringError("a weight is supplied to a block without weights")
    more = dict_of([(literal(key), value) for key, value in settings.items()]) if settings else None
    weights = dict_of(list(_supplied(writer, node)))
    return writer.file.idioms.with_weights(base, weights, args, more)


def _supplied(writer: Writer, node: Node) -> Iterator[tuple[Code | None, Code]]:
    """The entries of the dict of weights: `"lin.weight": w`; all of an instance as `**weights_of(self.f, "F.")`."""
    shared: dict[tuple[str, str], set[str]] = {}  # by the place below the callee and the instance: weights below it
    origin: dict[str, tuple[str, str]] = {}
    for path, value_name in node.supplied:
        found = _origin(writer, path, value_name)
        if found is not None:
            place, instance, rest = found
            origin[path] = (place, instance)
            shared.setdefault((place, instance), set()).add(rest)
    instances = {member.path: member.definition for member in writer.unit.definition.instances}
    whole = {key for key, rests in shared.items() if rests == dict(weight_types(instances[key[1]], {})).keys()}
    for path, value_name in node.supplied:
        key = origin.get(path)
        if key in whole:
            if key in shared:
                del shared[key]
                prefix = literal(key[0]) if key[0] else None
                yield None, call(writer.helper("weights_of"), writer.path(key[1]), prefix)
            continue
        value = writer.scope.operand(value_name, lambda _: None) or NONE
        if "*" in path:
            yield None, call(writer.helper("turns"), literal(path), value)
        else:
            yield literal(path), value


def _origin(writer: Writer, path: str, value: str) -> tuple[str, str, str] | None:
    """Where a supplied weight is that of an instance: the place that it fills, the instance, the path below both."""
    stored = writer.stored.get(value) or writer.stored.get(str(writer.scope.operand(value, lambda _: None)))
    if stored is None:
        return None
    for member in writer.unit.definition.instances:
        rest = stored[len(member.path) + 1 :]
        if stored.startswith(f"{member.path}.") and f".{path}".endswith(f".{rest}"):
            return path[: -len(rest)], member.path, rest
    return None
