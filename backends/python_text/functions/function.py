"""The signature and the body of one function: `forward` of a class, or a function of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ogive.backends.python_text.expr import NONE, Code, call, is_given, list_of, literal, name, subscript, tuple_of
from ogive.backends.python_text.functions.entry import EntryChecks
from ogive.backends.python_text.functions.file_state import EmittedFile, WrittenFunction
from ogive.backends.python_text.functions.states import changes
from ogive.backends.python_text.functions.taps import TAPS, entry, or_none
from ogive.backends.python_text.functions.writer import Dispatch, Writer
from ogive.backends.python_text.liveness import FunctionScope
from ogive.backends.python_text.module_tree import Unit, output_class
from ogive.backends.python_text.named_sizes import Named, with_names
from ogive.backends.python_text.names import identifier
from ogive.backends.python_text.render import fits
from ogive.backends.python_text.reroll import rolled
from ogive.backends.python_text.size_exprs import size_code
from ogive.backends.python_text.size_sources import Shapes
from ogive.backends.python_text.statements import Assign, Evaluate, FunctionDef, If, Parameter, Return, Statement
from ogive.compiler.ir.model import Graph, Model, Operand
from ogive.compiler.ir.signature_lists import as_declared
from ogive.compiler.ir_tools.entry import conditions_at_entry
from ogive.compiler.passes.taps.merged import whole_choice
from ogive.compiler.sizes import size


def write(unit: Unit, file: EmittedFile, dispatch: Dispatch, model: Model | None = None) -> WrittenFunction:
    """Write the function of a unit, whose nodes `dispatch` writes.

    That of a `model` checks its inputs, where the file is to have checks. Where it is another with its taps than
    without, that form stands first, in a branch that returns. Nothing is written for an iteration that nothing calls.
    """
    if unit.uncalled:
        return WrittenFunction((), 0, (), (), (), False, False, False, False, (), ())
    root = model is not None
    forms = whole_choice(unit.graph)
    indent = 4 if unit.function else 8
    writer = _writer(unit, file, dispatch, indent, root)
    body = _body(writer, unit, unit.graph if forms is None else forms[1], model)
    if forms is not None:
        asked = _writer(unit, file, dispatch, indent + 4, root, writer)
        asked.scope.asked = True
        test = is_given(asked.tapping())
        body = (If(test, _body(asked, unit, forms[0], model)), *body)
        writer = asked
    return _function(writer, unit, body, root)


def _writer(
    unit: Unit, file: EmittedFile, dispatch: Dispatch, indent: int, root: bool, before: Writer | None = None
) -> Writer:
    """The writer of a function; with the arguments that another form of it has asked for `before`."""
    writer = Writer(unit, file, scope_of(file, indent), dispatch, unit.function, root)
    scope = writer.scope
    writer.lists = tuple(_parameter(each.name, scope) for each in unit.lists.inputs)
    names = [_parameter(value.hint or value.name, scope) for value in unit.graph.inputs]
    optional = _optional(unit)
    given = [(n, v) for n, v, o in zip(names, unit.graph.inputs, optional, strict=True) if not o]
    known = frozenset() if unit.function else file.known[unit.definition.name]
    maybe = [(n, v) for n, v, o in zip(names, unit.graph.inputs, optional, strict=True) if o]
    scope.shapes = Shapes(
        given, known, file.idioms.attributes | unit.place.children.keys(), scope.claim, maybe, root=root
    )
    writer.copied = file.copied(unit.definition)
    if before is not None:
        writer.outside, writer.like, writer.droppers = before.outside, before.like, before.droppers
        writer.trains, writer.draws, writer.drawn = before.trains, before.draws, before.drawn
        scope.shapes.follow(before.scope.shapes)
        for each in (
            *before.outside.values(),
            *before.scope.shapes.passed.values(),
            *before.droppers.values(),
            before.like,
        ):
            scope.taken.add(each)
            scope.fixed.add(each)
    for each, value in zip(names, unit.graph.inputs, strict=True):
        scope.hold(value.name, name(each))
        scope.types[value.name] = value.type
    return writer


def scope_of(file: EmittedFile, indent: int) -> FunctionScope:
    """A function of a file, with nothing in it yet."""
    return FunctionScope(indent, file.idioms.reserved, file.functions())


def _body(writer: Writer, unit: Unit, graph: Graph, model: Model | None) -> tuple[Statement, ...]:
    """The statements of a graph that takes what the unit takes."""
    scope = writer.scope
    scope.enter(graph, function=True)
    for value, own in zip(graph.inputs, unit.graph.inputs, strict=True):
        scope.hold(value.name, scope.codes[own.name])
    checks = _checks(writer, model) if model is not None and writer.file.checks else ()
    writer.run(graph)
    _return(writer, unit, graph)
    head = scope.shapes.header()
    body = (
        tuple(scope.body) if unit.function else rolled(scope.body, unit.place, writer.file.idioms.access, scope.claim)
    )
    return (*head, *checks, *body)


def _function(writer: Writer, unit: Unit, body: tuple[Statement, ...], root: bool) -> WrittenFunction:
    """The function with its signature."""
    scope, function, idioms = writer.scope, unit.function, writer.file.idioms
    names = tuple(str(scope.codes[value.name]) for value in unit.graph.inputs)
    optional = _optional(unit)
    sizes = tuple(scope.shapes.passed.items())
    outside = tuple(writer.outside.items())
    first = [] if function else [Parameter("self")]
    first += _with_lists(writer, _typed(list(names), optional, idioms.tensor, default=not unit.prefix))
    items = [Parameter(param, idioms.tensor if _is_weight(unit, path) else idioms.module) for path, param in outside]
    lent = scope.shapes.lent
    items += [
        Parameter(x, *((or_none(name("int")), NONE) if unknown in lent else (name("int"),))) for unknown, x in sizes
    ]
    items += [Parameter(writer.like, idioms.tensor)] if writer.like else []
    dropper = name(idioms.dropper(writer.file.seeded))
    items += [Parameter(each, dropper) for each in writer.droppers.values()] if function else []
    items += [Parameter("training", name("bool"))] if function and writer.trains else []
    items += [idioms.generator] if writer.draws else []
    items += [TAPS] if writer.taps else []
    after_default = [Parameter("*")] if items and first and (lent or first[-1].default is not None) else []
    called = unit.name if function else "run" if root and writer.taps else "forward"
    decorators: tuple[Code, ...] = ()
    if not function and (writer.drawn or changes(unit, idioms.is_layer)):
        writer.file.helper(idioms.once(writer.file.read))
        decorators = (name("once"),)
    body = (*_taken_apart(writer, names), *body)
    made = FunctionDef(called, (*first, *after_default, *items), returned(unit, idioms.tensor), body, (), decorators)
    made = with_names(made, _named(writer))
    handed = [each.name for each in first[1:]]
    functions = (_entry(writer, first, handed), made) if root and writer.taps else (made,)
    stored = tuple(scope.shapes.stored.items())
    like, trains = bool(writer.like), function and writer.trains
    required = next((at for at in range(len(names)) if all(optional[at:])), len(names))
    least = len(names) if unit.prefix else required
    shared = (writer.draws, writer.taps, like, trains)
    droppers = tuple((each, rate) for rate, each in writer.droppers.items())
    return WrittenFunction(names, least, outside, sizes, stored, *shared, droppers, functions)


def _named(writer: Writer) -> Iterator[Named]:
    """The sizes of the source that have names, as this function computes them."""
    shapes, definition = writer.scope.shapes, writer.unit.definition
    for each, found in definition.named:
        if found.unknowns <= shapes.found.keys() and not found.unknowns & shapes.iterations:
            yield each, size_code(writer.file.plain.plain(definition, found), shapes.name)


def _entry(writer: Writer, parameters: Sequence[Parameter], names: Sequence[str]) -> FunctionDef:
    idioms = writer.file.idioms
    return entry(parameters, names, idioms.generator if writer.draws else None, idioms.reserved)


def _parameter(wanted: str, scope: FunctionScope) -> str:
    """The name of a parameter, which nothing else has."""
    base = variable = identifier(wanted)
    number = 1
    while variable in scope.taken or variable in scope.reserved:
        number += 1
        variable = f"{base}_{number}"
    scope.taken.add(variable)
    return variable


def _typed(names: list[str], optional: tuple[bool, ...], tensor: Code, *, default: bool) -> list[Parameter]:
    """Parameters with their types; an optional one has a default where all after it have."""
    found = []
    for at, (each, is_optional) in enumerate(zip(names, optional, strict=True)):
        value = NONE if default and all(optional[at:]) else None
        found.append(Parameter(each, or_none(tensor), value) if is_optional else Parameter(each, tensor))
    return found


def _with_lists(writer: Writer, flat: list[Parameter]) -> list[Parameter]:
    """Parameters that are entries of one list as one; an empty list has a default where one before it has."""
    found: list[Parameter] = []
    left = iter(writer.lists)
    kind = subscript(name("Sequence"), writer.file.idioms.tensor)
    for each in as_declared(flat, writer.unit.lists.inputs):
        if isinstance(each, list):
            default = tuple_of(()) if found and found[-1].default is not None else None
            each = Parameter(next(left), kind, default)
        found.append(each)
    return found


def _taken_apart(writer: Writer, names: Sequence[str]) -> Iterator[Statement]:
    """`xs_0, xs_1 = xs`, or of what is looked at first: `entries("xs", xs, 2)`."""
    for variable, each in zip(writer.lists, writer.unit.lists.inputs, strict=True):
        whole = name(variable)
        if writer.file.checks:
            whole = call(writer.helper("entries"), literal(each.name), whole, each.count)
        targets = tuple_of(list(map(name, names[each.start : each.start + each.count])))
        yield Assign(targets, whole) if each.count else Evaluate(whole)


def _is_weight(unit: Unit, path: str) -> bool:
    """Whether a path outside of an iteration is that of a weight, rather than of a module."""
    weights = {weight.path for weight in unit.definition.weights}
    inside = any(path.startswith(i.path + ".") for i in unit.definition.instances)
    return path in weights or inside


def returned(unit: Unit, tensor: Code) -> Code:
    """The type of what the function returns."""
    kinds = kinds_of(unit, tensor) or [NONE]
    if unit.prefix or len(kinds) != 1:
        made = output_class(unit)
        return name(made) if made else kinds[0] if len(kinds) == 1 else subscript(name("tuple"), *kinds)
    return kinds[0]


def _optional(unit: Unit) -> tuple[bool, ...]:
    """Which inputs may be absent."""
    return tuple(value.name in unit.maybe for value in unit.graph.inputs)


def kind_of(unit: Unit, operand: Operand, tensor: Code) -> Code:
    """The type of a value of the unit."""
    if operand is None:
        return NONE
    return or_none(tensor) if operand in unit.maybe else tensor


def kinds_of(unit: Unit, tensor: Code) -> list[Code]:
    """The types of what a unit returns, a list as one."""
    flat = [kind_of(unit, x, tensor) for x in unit.graph.outputs]
    grouped = as_declared(flat, unit.lists.outputs)
    return [subscript(name("list"), tensor) if isinstance(each, list) else each for each in grouped]


def _return(writer: Writer, unit: Unit, graph: Graph) -> None:
    scope = writer.scope
    if not graph.outputs:
        scope.flush()
        if not scope.body:
            scope.add(Return())
        return
    while True:
        flat = [scope.operand(output, writer._literal) or NONE for output in graph.outputs]
        grouped = as_declared(flat, unit.lists.outputs)
        outputs = [list_of(each) if isinstance(each, list) else each for each in grouped]
        made = output_class(unit)
        result = call(made, *outputs) if made else outputs[0] if len(outputs) == 1 else tuple_of(outputs)
        waiting = [x for x in graph.outputs if isinstance(x, str) and x in scope.waiting]
        if len(waiting) < 2 or fits(Return(result), scope.indent):
            break
        scope.flush(keep=[value for value in scope.waiting if value != waiting[0]])
    scope.flush(keep=waiting)
    scope.add(Return(result))


def _checks(writer: Writer, model: Model) -> tuple[Statement, ...]:
    numbers = {unknown: size(number) for unknown, number in model.bindings}
    return EntryChecks(writer, numbers).write(conditions_at_entry(model))
