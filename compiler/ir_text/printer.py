"""The IR as text, one line for a node, callees before their users. `reader` reads it back.

Labels of axes and source spans are left out: they are not part of what a program means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ogive.compiler.ir.model import (
    Bindings,
    Definition,
    Graph,
    Init,
    Instance,
    Loop,
    Member,
    Model,
    Node,
    Operand,
    Static,
    Value,
    Weight,
)
from ogive.compiler.ir_text.text_values import Labels
from ogive.compiler.ir_tools.mentions import in_graph, mentioned, unknowns_of
from ogive.compiler.sizes import Unknown

STEP = "    "
Tables = Mapping[str, Labels]  # by definition, its unknowns


def text(model: Model) -> str:
    """The text of a model and of all definitions that it uses, whose names must be distinct (`named_apart`)."""
    order = definitions(model.definition)
    tables = {definition.name: Labels(unknowns(definition)) for definition in order}
    blocks = ["\n".join(_definition(definition, tables)) for definition in order]
    return "\n\n".join([*blocks, "\n".join(_model(model, tables))]) + "\n"


def definitions(root: Definition) -> list[Definition]:
    """A definition and all that it uses, callees first."""
    found: dict[str, Definition] = {}

    def visit(definition: Definition) -> None:
        if definition.name in found:
            assert found[definition.name] is definition, f"two definitions are called {definition.name}"
            return
        for callee in definition.callees:
            visit(callee)
        found[definition.name] = definition

    visit(root)
    return list(found.values())


def unknowns(definition: Definition) -> set[Unknown]:
    """Every unknown that a definition speaks of."""
    found = {static.unknown for static in definition.statics if static.unknown is not None} | set(definition.sizes)
    named = [size for _, size in definition.named]
    for part in (definition.conditions, definition.facts, named, *(mentioned(member) for member in definition.members)):
        found.update(u for item in part for u in unknowns_of(item))
    for graph in (definition.graph, *([definition.step] if definition.step is not None else [])):
        found.update(u for item in in_graph(graph) for u in unknowns_of(item))
    return found


# --- definitions ------------------------------------------------------------------------------------------------------


def _model(model: Model, tables: Tables) -> Iterator[str]:
    labels = tables[model.definition.name]
    settings = ", ".join(f"{labels.names[unknown]}={number}" for unknown, number in model.bindings)
    yield f"model {model.name} = {model.definition.name}({settings})"
    yield from (f"{STEP}doc {line!r}" for line in ([model.doc] if model.doc else []))
    yield from (f"{STEP}where {labels.condition(condition)}" for condition in model.conditions)
    for path, init in model.inits:
        yield from _init(f"init {path}", init, tables, labels, STEP)


def _definition(definition: Definition, tables: Tables) -> Iterator[str]:
    labels = tables[definition.name]
    yield f"definition {definition.name} {definition.block!r}"
    yield from (f"{STEP}doc {line!r}" for line in ([definition.doc] if definition.doc else []))
    for unknown, label in labels.names.items():
        yield f"{STEP}unknown {label} {unknown.name!r} {unknown.low} {unknown.kind}"
    for static in definition.statics:
        yield STEP + _static(static, labels)
    if definition.sizes:
        yield f"{STEP}sizes {', '.join(labels.names[unknown] for unknown in definition.sizes)}"
    yield from (f"{STEP}where {labels.condition(condition)}" for condition in definition.conditions)
    yield from (f"{STEP}fact {labels.condition(condition)}" for condition in definition.facts)
    yield from (f"{STEP}named {name!r} = {labels.size(size)}" for name, size in definition.named)
    for member in definition.members:
        yield from _member(member, tables, labels)
    for value, optional in zip(definition.graph.inputs, definition.optional, strict=True):
        yield f"{STEP}input {_value(value)}: {labels.type(value.type)}{' optional' if optional else ''}"
    yield from _nodes(definition.graph, tables, labels, STEP)
    for output, name in zip(definition.graph.outputs, definition.output_names, strict=True):
        yield f"{STEP}output {_operand(output, labels)}{f' {name}' if name else ''}"
    if definition.step is not None:
        yield from _region("step", definition.step, tables, labels, STEP)


def _static(static: Static, labels: Labels) -> str:
    if static.unknown is not None:
        return f"static {static.name!r} {static.kind!r} unknown {labels.names[static.unknown]}"
    return f"static {static.name!r} {static.kind!r} = {labels.value(static.value)}"


def _member(member: Member, tables: Tables, labels: Labels) -> Iterator[str]:
    if isinstance(member, Loop):
        yield f"{STEP}loop {member.path}: {labels.size(member.count)}"
    elif isinstance(member, Weight):
        yield from _init(f"{member.kind} {member.path}: {labels.type(member.type)}", member.init, tables, labels, STEP)
        if member.nonzero is not None:
            yield f"{STEP * 2}nonzero {member.nonzero}"
        if member.keep is not None:
            yield from _region("keep", member.keep, tables, labels, STEP * 2)
    else:
        yield from _instance(member, tables, labels)


def _instance(member: Instance, tables: Tables, labels: Labels) -> Iterator[str]:
    each = f" each {labels.size(member.vectorized)}" if member.vectorized is not None else ""
    omitted = f" omitted {', '.join(member.omitted)}" if member.omitted else ""
    bound = _bound(member.bindings, tables[member.definition.name], labels)
    yield f"{STEP}instance {member.path}: {member.definition.name}{bound}{each}{omitted}"
    for path, init in member.inits:
        yield from _init(f"init {path}", init, tables, labels, STEP * 2)


def _init(head: str, init: Init, tables: Tables, labels: Labels, indent: str) -> Iterator[str]:
    settings = ", ".join(f"{key}={labels.value(value)}" for key, value in init.attrs)
    yield f"{indent}{head} = {init.name}({settings})"
    if init.graph is not None:
        yield from _region("region", init.graph, tables, labels, indent + STEP)


def _bound(bindings: Bindings, theirs: Labels, ours: Labels) -> str:
    pairs = (f"{theirs.names[unknown]}={ours.size(value)}" for unknown, value in bindings)
    return f"{{{', '.join(pairs)}}}"


# --- graphs -----------------------------------------------------------------------------------------------------------


def _nodes(graph: Graph, tables: Tables, labels: Labels, indent: str) -> Iterator[str]:
    for node in graph.nodes:
        yield indent + _node(node, tables, labels)
        for region in node.regions:
            yield from _region("region", region, tables, labels, indent + STEP)


def _region(word: str, region: Graph, tables: Tables, labels: Labels, indent: str) -> Iterator[str]:
    inputs = ", ".join(f"{_value(value)}: {labels.type(value.type)}" for value in region.inputs)
    outputs = ", ".join(_operand(output, labels) for output in region.outputs)
    yield f"{indent}{word} ({inputs}) -> {outputs}"
    yield from _nodes(region, tables, labels, indent + STEP)


def _node(node: Node, tables: Tables, labels: Labels) -> str:
    results = ", ".join(_value(value) for value in node.outputs)
    settings = ", ".join(f"{key}={labels.value(value)}" for key, value in node.settings)
    line = f"{results} = {node.op}" if results else node.op
    line += f" {node.path}" if node.path else ""
    if node.callee is not None:
        line += f" <{node.callee.name}{_bound(node.bindings, tables[node.callee.name], labels)}>"
    line += f"[{settings}]" if settings else ""
    line += f"({', '.join(_operand(operand, labels) for operand in node.inputs)})"
    if node.supplied:
        line += f" with {', '.join(f'{path}=%{name}' for path, name in node.supplied)}"
    types = [labels.type(value.type) for value in node.outputs]
    shown = types[:1] if len(set(types)) == 1 else types
    return line + (f" : {', '.join(shown)}" if types else "")


def _operand(operand: Operand, labels: Labels) -> str:
    if operand is None:
        return "_"
    return f"%{operand}" if isinstance(operand, str) else labels.value(operand)


def _value(value: Value) -> str:
    """A name; the name in the source beside it where it does not begin with that."""
    return f"%{value.name}" if value.hint == implied(value.name) else f"%{value.name} {value.hint!r}"


def implied(name: str) -> str:
    """The source name that a value's name tells: `x.1` comes from `x`, `v.7` from an expression."""
    base = name.split(".")[0]
    return "" if base == "v" else base
