"""A model as a Python file: one class for each block with weights, and a function that makes the model."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from types import MappingProxyType

from ogive.backends.python_text.expr import applied, literal, name
from ogive.backends.python_text.functions.file_state import EmittedFile
from ogive.backends.python_text.functions.function import kinds_of, write
from ogive.backends.python_text.functions.states import copied_states
from ogive.backends.python_text.inlined import inlined
from ogive.backends.python_text.lists import signatures_of, with_short_lists
from ogive.backends.python_text.module_tree import (
    Unit,
    definitions,
    known_at_start,
    output_class,
    output_names,
    seeded,
    shadowed,
    unit_of,
    unmade,
)
from ogive.backends.python_text.names import fields
from ogive.backends.python_text.render import file_text
from ogive.backends.python_text.same_classes import Dialect, merged
from ogive.backends.python_text.sections import FileSection
from ogive.backends.python_text.statements import (
    Body,
    Class,
    Declare,
    FunctionDef,
    Return,
    Statement,
    fixed,
    in_order,
    used,
)
from ogive.backends.pytorch.module.autograd import apart
from ogive.backends.pytorch.module.classes import class_of
from ogive.backends.pytorch.module.idioms import IDIOMS
from ogive.backends.pytorch.module.imports import imports
from ogive.backends.pytorch.module.nodes import write_node
from ogive.backends.pytorch.module.recurrent import gates_in_order
from ogive.backends.pytorch.module.replay import REPLAY
from ogive.backends.pytorch.module.short_calls import short_calls
from ogive.backends.pytorch.module.tap_texts import AROUND, CLASS
from ogive.backends.pytorch.names import MODULE_ATTRIBUTES, MODULE_DATA, RESERVED, fresh, refuse_data
from ogive.backends.pytorch.ops.helpers import HELPERS
from ogive.backends.pytorch.weights.layer_settings import LAYERS, full, short
from ogive.backends.pytorch.weights.layers import is_layer, lone_groups
from ogive.backends.pytorch.weights.reset_text import reset
from ogive.compiler.ir.model import Definition, Model
from ogive.compiler.ir.signature_lists import as_declared
from ogive.compiler.ir_tools.derivatives import grad_depths
from ogive.compiler.ir_tools.effects import Effects
from ogive.compiler.ir_tools.states import changed
from ogive.compiler.passes.analysis.rates import mark_rates
from ogive.compiler.passes.cleanup.inline import inline
from ogive.compiler.passes.cleanup.neutral_statics import neutral_statics, without_neutral
from ogive.compiler.passes.fusion.recurrent_inputs import recurrent_inputs
from ogive.compiler.passes.infra.driver import Pass
from ogive.compiler.passes.pipelines.lowering import TORCH, lowered

GROUP = '''
class Group(nn.Module):
    """Modules and parameters that stand under one name."""

    def __init__(self, **members: Any) -> None:
        super().__init__()
        for name, member in members.items():
            many = isinstance(member, list)
            setattr(self, name, nn.ModuleList(member) if many else member)
'''
NAMED_GROUP = '''
class Group(nn.Module):
    """Modules and parameters that stand under one name, whatever their own names are."""

    def __init__(self, /, **members: Any) -> None:
        super().__init__()
        for name, member in members.items():
            member = nn.ModuleList(member) if isinstance(member, list) else member
            kinds = (nn.Module, nn.Parameter, Tensor)
            tables: tuple[dict[str, Any], ...] = (
                self._modules,
                self._parameters,
                self._buffers,
            )
            held = next(t for kind, t in zip(kinds, tables) if isinstance(member, kind))
            held[name] = member
'''
MEMBER = '''
def member(module: nn.Module, name: str) -> Any:
    """A member that is named as an attribute of every module."""
    for members in (module._parameters, module._buffers, module._modules):
        if name in members:
            return members[name]
    raise KeyError(name)
'''
WIDTH = 84  # of the text inside of docstrings


def emit(model: Model, passes: Sequence[Pass] = TORCH, *, checks: bool = True) -> str:
    """The text of the file, which needs torch alone. With `checks`, the model refuses inputs that do not fit."""
    made = ModelsFile((model,), checks=checks)
    made.add(model, passes)
    return made.text()


class ModelsFile:
    """A file of one model or several, which share the classes of their blocks."""

    def __init__(self, models: Sequence[Model], *, checks: bool = True) -> None:
        self.models = tuple(model.name for model in models)
        self.checks = checks
        self.neutral = neutral_statics(models, is_layer)
        self.names = {*RESERVED, *PLACES, *REPLAY, *map(fresh, self.models)}
        self.files: list[EmittedFile] = []
        self.sections: list[FileSection] = []

    def add(self, model: Model, passes: Sequence[Pass] = TORCH) -> None:
        """Write one of the models. Raises `LoweringError` for what torch cannot say."""
        model = without_neutral(lowered(mark_rates(model, inline), passes), self.neutral)
        file, sections = _written(model, self.names, self.checks)
        self.files.append(file)
        self.sections += sections

    def text(self) -> str:
        """The whole file."""
        statements = [each.statement for each in merged(self.sections, DIALECT)]
        signatures = {**LAYERS, **signatures_of(statements)}
        short = [short_calls(with_short_lists(each, signatures)) for each in statements]
        return _assembled(self.models, self.files, list(map(inlined, short)))


def _written(model: Model, names: set[str], checks: bool) -> tuple[EmittedFile, list[FileSection]]:
    """The classes and functions of one model; takes what they are called out of `names`."""
    model = recurrent_inputs(model, gates_in_order)
    depths = grad_depths(model)
    model = apart(model, depths)
    file = EmittedFile(
        IDIOMS,
        known_at_start(model),
        known_at_start(model, numbers=True),
        Effects(),
        seeded(model),
        depths,
        supplied(model),
        lone_groups(model),
        seeded(model) or _reads_changes(model),
        names=names,
        checks=checks,
    )
    order = own_definitions(model)
    variables = shadowed(order)
    for definition in order:
        mine = variables.get(definition.name, frozenset())
        root = definition is model.definition
        unit = file.units[definition.name] = unit_of(definition, file.names, root=root, variables=mine)
        refuse_data(definition, unit.place)
    made = {model.definition.name, *(member.definition.name for each in order for member in each.instances)}
    sections: list[FileSection] = []
    for definition in order:
        unit = file.units[definition.name]
        written = _sections(unit, file, model if definition is model.definition else None)
        if unit.function or definition.name in made:  # another form of an instance's block reads the same
            sections += written
    return file, [*sections, FileSection(_factory(model, file))]


def supplied(model: Model) -> frozenset[str]:
    """The names of definitions of which an instance, or one that holds it, is called with its weights."""
    names: set[str] = set()

    def add(definition: Definition) -> None:
        if definition.name not in names:
            names.add(definition.name)
            for member in definition.instances:
                add(member.definition)

    for definition in definitions(model):
        for member in definition.instances:
            if member.omitted:
                add(member.definition)
    return frozenset(names)


def _reads_changes(model: Model) -> bool:
    """Whether a forward reads a state that it changes, or a derivative of one's own may change one."""
    nodes = (node for definition in definitions(model) for node in definition.graph.walk())
    own = any(node.op == "custom_grad" for node in nodes) and bool(changed(model.definition.graph))
    return own or any(copied_states(definition) for definition in definitions(model))


def own_definitions(model: Model) -> list[Definition]:
    """The definitions that need text of their own, callees first: not those that are layers of torch."""
    found: dict[str, Definition] = {}

    def visit(definition: Definition) -> None:
        if definition.name in found:
            return
        for member in definition.instances:
            if not is_layer(member.definition) and not unmade(definition, member):
                visit(member.definition)
        for graph in definition.graphs:
            for node in graph.walk():
                if node.callee is not None and not (node.path and is_layer(node.callee)):
                    visit(node.callee)
        found[definition.name] = definition

    visit(model.definition)
    return list(found.values())


def _sections(unit: Unit, file: EmittedFile, model: Model | None = None, owner: str = "") -> list[FileSection]:
    """The classes of a unit's iterations, then its own class or function; the root is that of a model."""
    sections = [each for iteration in unit.iterations for each in _sections(iteration, file, owner=unit.name)]
    written = write(unit, file, write_node, model)
    file.written[unit.name] = written
    doc = _doc(unit, file)
    block = unit.definition.block
    statics = {static.name: static.value for static in unit.definition.statics if static.unknown is None}
    if unit.function:
        made: list[Statement] = [function.but(doc=doc) for function in written.functions]
    else:
        made = [class_of(unit, file, written, doc, model)]
    output = output_class(unit)
    if output is not None:
        pairs = zip(fields(map(str, output_names(unit))), kinds_of(unit, IDIOMS.tensor), strict=True)
        kinds = tuple(Declare(field, kind) for field, kind in pairs)
        told = Class(output, name("NamedTuple"), kinds)
        sections.append(FileSection(told, (block, "output"), unit.name))
    return [*sections, *(FileSection(each, (block, unit.prefix), owner, statics) for each in made)]


def _doc(unit: Unit, file: EmittedFile) -> tuple[str, ...]:
    """The docstring: the words of the source, then the shapes."""
    shapes = _shapes(unit, file)
    if unit.prefix:
        label = unit.prefix.removesuffix(".*")
        unused = ", which nothing needs" if unit.uncalled else ""
        words = f"One iteration of `{label}` in {file.units[unit.definition.name].name}{unused}."
        return _docstring([words], "" if unit.uncalled else shapes)
    return _docstring(_paragraphs(unit.definition.doc), shapes)


def _shapes(unit: Unit, file: EmittedFile) -> str:
    types = {name: file.plain.shown(unit.definition, value.type) for name, value in unit.graph.values.items()}
    names = [v.hint or v.name for v in unit.graph.inputs]
    left = iter(unit.lists.inputs)
    called = [next(left).name if isinstance(n, list) else n for n in as_declared(names, unit.lists.inputs)]
    taken = as_declared([str(types[v.name]) for v in unit.graph.inputs], unit.lists.inputs)
    given = [str(types[x]) if isinstance(x, str) else "[]" for x in unit.graph.outputs]
    outputs = [_of_list(each) for each in as_declared(given, unit.lists.outputs)]
    inputs = ", ".join(f"{name}: {_of_list(each)}" for name, each in zip(called, taken, strict=True))
    joined = ", ".join(outputs)
    return f"({inputs}) -> {joined if len(outputs) == 1 else f'({joined})'}"


def _of_list(types: str | list[str]) -> str:
    """`[[b, d], [b, e]]`, the types of a list."""
    return types if isinstance(types, str) else f"[{', '.join(types)}]"


def _paragraphs(doc: str) -> list[str]:
    """What a source says, a line for each paragraph; lines that are further to the right stay lines."""
    found: list[str] = []
    for line in doc.strip().splitlines():
        if found and found[-1] and line.strip() and line[:1] != " " and found[-1][:1] != " ":
            found[-1] += f" {line}"
        else:
            found.append(line)
    return found


def _docstring(words: list[str], shapes: str) -> tuple[str, ...]:
    text = [line for word in words for line in (textwrap.wrap(_quoted(word), WIDTH - 3) or [""])]
    shape = textwrap.wrap(_quoted(shapes), WIDTH, subsequent_indent="    ", break_long_words=False)
    if not text and len(shape) == 1:
        return (shape[0],)
    return (*(text or ["Shapes."]), *(("", *shape) if shape else ()))


def _quoted(text: str) -> str:
    """Text that may stand in a docstring."""
    text = text.replace("\\", "\\\\").replace('"""', "'''").rstrip('"').rstrip()
    return f" {text}" if text.startswith('"') else text


def _factory(model: Model, file: EmittedFile) -> FunctionDef:
    """`def GPT2() -> GPT: return GPT(vocab=50257, ...)`."""
    unit = file.units[model.definition.name]
    first = _paragraphs(model.doc)[0] if model.doc.strip() else ""
    if len(first) > WIDTH - 3:  # its first sentence says the most
        first = first.partition(". ")[0].removesuffix(".") + "."
    doc = _docstring([first], "") if first else ()
    values = dict(model.bindings)
    settings = [(param, literal(values[unknown])) for unknown, param in file.makers[unit.name].items()]
    made: Body = (Return(applied(unit.name, (), settings)),)
    return FunctionDef(fresh(model.name), (), name(unit.name), made, doc)


def _assembled(models: Sequence[str], files: Sequence[EmittedFile], sections: Sequence[Statement]) -> str:
    helpers = dict.fromkeys(helper for file in files for helper in file.helpers)
    if "member" in used(sections):
        helpers["member"] = None
    named = any(file.named_groups for file in files)
    resets = reset(supplied="stored" in helpers, foreign="extern" in helpers)
    texts = {**HELPERS, "reset": resets, **PLACES, **REPLAY, **(NAMED if named else {})}
    body = (*in_order(helpers, texts), *sections)
    return file_text(_title(models), imports(used(body)), body)


def _title(names: Sequence[str]) -> str:
    """The first line of the file."""
    if len(names) == 1:
        return f"{names[0]}, as a PyTorch module."
    said = f"{', '.join(names[:-1])} and {names[-1]}, as PyTorch modules."
    return said if len(said) <= WIDTH - 3 else f"{names[0]} and {len(names) - 1} more, as PyTorch modules."


DIALECT = Dialect(full, short, MODULE_ATTRIBUTES | MODULE_DATA | RESERVED)
PLACES = MappingProxyType(
    {
        "Group": fixed(GROUP, "Group", "Any nn"),
        "Taps": fixed(CLASS, "Taps", "Tensor torch"),
        "around": fixed(AROUND, "around", "Taps"),
        "member": fixed(MEMBER, "member", "Any nn"),
    }
)
NAMED = MappingProxyType({"Group": fixed(NAMED_GROUP, "Group", "Any Tensor nn")})
