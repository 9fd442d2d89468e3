"""The signature and the body of one function: `forward` of a class, or a function of the file."""

from __future__ import annotations

from collections.abc import Callable

from ogive.backends.python_text.expr import Code
from ogive.backends.python_text.liveness import FunctionScope
from ogive.backends.python_text.module_tree import Unit, output_class
from ogive.backends.python_text.names import RESERVED, identifier
from ogive.backends.python_text.reroll import rolled
from ogive.backends.python_text.size_sources import Shapes
from ogive.backends.python_text.wrap import signature, spaced
from ogive.backends.pytorch.module.entry import EntryChecks
from ogive.backends.pytorch.module.file_state import EmittedFile, WrittenFunction
from ogive.backends.pytorch.module.nodes import write_node
from ogive.backends.pytorch.module.states import changes
from ogive.backends.pytorch.module.taps import entry
from ogive.backends.pytorch.module.writer import Writer
from ogive.compiler.ir.model import Graph, Model, Operand
from ogive.compiler.ir_tools.entry import conditions_at_entry
from ogive.compiler.passes.taps.merged import whole_choice
from ogive.compiler.sizes import Unknown, size


def write(unit: Unit, file: EmittedFile, model: Model | None = None) -> WrittenFunction:
    """Write the function of a unit; that of a `model` checks its inputs, where the file is to have checks.

    Where it is another with its taps than without, that form stands first, in a branch that returns. Nothing is written
    for an iteration that nothing calls.
    """
    if unit.uncalled:
        return WrittenFunction((), 0, (), (), (), False, False, False, False, (), ())
    root = model is not None
    forms = whole_choice(unit.graph)
    indent = 4 if unit.function else 8
    writer = _writer(unit, file, indent, root)
    lines = _lines(writer, unit, unit.graph if forms is None else forms[1], model)
    if forms is not None:
        asked = _writer(unit, file, indent + 4, root, writer)
        asked.scope.asked = True
        test = f"if {asked.tapping()} is not None:"
        lines = [" " * indent + test, *_lines(asked, unit, forms[0], model), *lines]
        writer = asked
    return _function(writer, unit, tuple(lines), root)


def _writer(unit: Unit, file: EmittedFile, indent: int, root: bool, before: Writer | None = None) -> Writer:
    """The writer of a function; with the arguments that another form of it has asked for `before`."""
    writer = Writer(unit, file, FunctionScope(indent, functions=file.functions()), write_node, unit.function, root)
    scope = writer.scope
    names = _parameters(unit, scope)
    optional = _optional(unit)
    given = [(n, v) for n, v, o in zip(names, unit.graph.inputs, optional, strict=True) if not o]
    known = frozenset() if unit.function else file.known[unit.definition.name]
    maybe = [(n, v) for n, v, o in zip(names, unit.graph.inputs, optional, strict=True) if o]
    scope.shapes = Shapes(given, known, frozenset(unit.place.children), scope.claim, maybe, root=root)
    writer.copied = file.copied(unit.definition)
    if before is not None:
        writer.outside, writer.like = before.outside, before.like
        writer.trains, writer.draws, writer.drawn = before.trains, before.draws, before.drawn
        scope.shapes.follow(before.scope.shapes)
        for name in (*before.outside.values(), *before.scope.shapes.passed.values(), before.like):
            scope.taken.add(name)
            scope.fixed.add(name)
    for name, value in zip(names, unit.graph.inputs, strict=True):
        scope.hold(value.name, Code(name))
        scope.types[value.name] = value.type
    return writer


def _lines(writer: Writer, unit: Unit, graph: Graph, model: Model | None) -> list[str]:
    """The statements of a graph that takes what the unit takes."""
    scope = writer.scope
    scope.enter(graph, function=True)
    for value, own in zip(graph.inputs, unit.graph.inputs, strict=True):
        scope.hold(value.name, scope.codes[own.name])
    checks = _checks(writer, model) if model is not None and writer.file.checks else []
    writer.run(graph)
    _return(writer, unit, graph)
    head = scope.shapes.header(scope.indent)
    lines = scope.lines if unit.function else rolled(scope.lines, unit.place, scope.indent, scope.claim)
    return spaced([*head, *checks, *lines])


def _function(writer: Writer, unit: Unit, body: tuple[str, ...], root: bool) -> WrittenFunction:
    """The function with its signature."""
    scope, function = writer.scope, unit.function
    names = tuple(str(scope.codes[value.name]) for value in unit.graph.inputs)
    optional = _optional(unit)
    sizes = tuple(scope.shapes.passed.items())
    outside = tuple(writer.outside.items())
    first = [] if function else ["self"]
    first += _typed(list(names), optional, default=not unit.prefix)
    items = [f"{name}: {_kind(unit, path)}" for path, name in outside]
    lent = scope.shapes.lent
    items += [f"{name}: int | None = None" if size in lent else f"{name}: int" for size, name in sizes]
    items += [f"{writer.like}: Tensor"] if writer.like else []
    items += ["training: bool"] if function and writer.trains else []
    items += ["generator: torch.Generator | None = None"] if writer.draws else []
    items += ["taps: Taps | None = None"] if writer.taps else []
    after_default = ["*"] if items and first and (lent or first[-1].endswith("= None")) else []
    name = unit.name if function else "run" if root and writer.taps else "forward"
    indent = 0 if function else 4
    heads = signature(f"def {name}", [*first, *after_default, *items], f" -> {returned(unit)}:", indent)
    if not function and (writer.drawn or changes(unit)):
        writer.file.helper("once" if writer.file.read else "moved once")
        heads = ["    @once", *heads]
    heads = [*(entry(first, names, draws=writer.draws) if root and writer.taps else []), *heads]
    stored = tuple(scope.shapes.stored.items())
    like, trains = bool(writer.like), function and writer.trains
    required = next((at for at in range(len(names)) if all(optional[at:])), len(names))
    least = len(names) if unit.prefix else required
    shared = (writer.draws, writer.taps, like, trains)
    return WrittenFunction(names, least, outside, sizes, stored, *shared, tuple(heads), body)


def filled(unit: Unit, file: EmittedFile, target: str, graph: Graph, name: Callable[[Unknown], str]) -> list[str]:
    """A tensor takes the value of a graph without inputs, or of one whose input it is itself."""
    writer = Writer(unit, file, FunctionScope(4, whole=True, functions=file.functions()), write_node, target=target)
    scope = writer.scope
    scope.shapes = Shapes((), frozenset(), frozenset(), scope.claim, given=name)
    scope.enter(graph, function=True)
    for value in graph.inputs:
        scope.hold(value.name, Code(target))
    writer.run(graph)
    (output,) = writer.operands(graph.outputs)
    scope.flush(keep=[str(x) for x in graph.outputs])
    scope.line(f"{target}.copy_({output})")
    return ["with torch.no_grad():", *scope.lines]


def stepped(unit: Unit, file: EmittedFile, graph: Graph, name: Callable[[Unknown], str]) -> list[str]:
    """The statements of a graph that reads weights and updates them."""
    writer = Writer(unit, file, FunctionScope(8, functions=file.functions()), write_node)
    scope = writer.scope
    scope.training = True
    scope.shapes = Shapes((), frozenset(), frozenset(), scope.claim, given=name)
    scope.enter(graph, function=True)
    writer.run(graph)
    return scope.lines


def _parameters(unit: Unit, scope: FunctionScope) -> list[str]:
    names: list[str] = []
    for value in unit.graph.inputs:
        base = identifier(value.hint or value.name)
        name, number = base, 1
        while name in scope.taken or name in RESERVED:
            number += 1
            name = f"{base}_{number}"
        scope.taken.add(name)
        names.append(name)
    return names


def _typed(names: list[str], optional: tuple[bool, ...], *, default: bool) -> list[str]:
    """Parameters with their types; an optional one has a default where all after it have."""
    found = []
    for at, (name, is_optional) in enumerate(zip(names, optional, strict=True)):
        value = " = None" if default and all(optional[at:]) else ""
        found.append(f"{name}: Tensor | None{value}" if is_optional else f"{name}: Tensor")
    return found


def _kind(unit: Unit, path: str) -> str:
    weights = {weight.path for weight in unit.definition.weights}
    inside = any(path.startswith(i.path + ".") for i in unit.definition.instances)
    return "Tensor" if path in weights or inside else "nn.Module"


def returned(unit: Unit) -> str:
    """The type of what the function returns."""
    kinds = [kind_of(unit, x) for x in unit.graph.outputs] or ["None"]
    if unit.prefix or len(kinds) != 1:
        return output_class(unit) or (kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]")
    return kinds[0]


def _optional(unit: Unit) -> tuple[bool, ...]:
    """Which inputs may be absent."""
    return tuple(value.name in unit.maybe for value in unit.graph.inputs)


def kind_of(unit: Unit, operand: Operand) -> str:
    """The type of a value of the unit."""
    if operand is None:
        return "None"
    return "Tensor | None" if operand in unit.maybe else "Tensor"


def _return(writer: Writer, unit: Unit, graph: Graph) -> None:
    scope = writer.scope
    if not graph.outputs:
        scope.flush()
        return

    def text(output: Operand) -> str:
        return str(scope.operand(output, writer._literal) or "None")

    while True:
        outputs = ", ".join(text(output) for output in graph.outputs)
        name = output_class(unit)
        line = f"return {name}({outputs})" if name else f"return {outputs}"
        waiting = [x for x in graph.outputs if isinstance(x, str) and x in scope.waiting]
        if len(waiting) < 2 or len(line) + scope.indent <= 88:
            break
        scope.flush(keep=[name for name in scope.waiting if name != waiting[0]])
    scope.flush(keep=waiting)
    if unit.graph.outputs or not scope.lines:
        scope.line(line.rstrip())


def _checks(writer: Writer, model: Model) -> list[str]:
    numbers = {unknown: size(number) for unknown, number in model.bindings}
    return EntryChecks(writer, numbers).write(conditions_at_entry(model))
