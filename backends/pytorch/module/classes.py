"""One class: its docstring, its constructor, its forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword

from ogive.backends.python_text.expr import (
    NONE,
    TRUE,
    Code,
    applied,
    call,
    dict_of,
    each_of,
    list_of,
    literal,
    method,
    name,
    subscript,
    with_function,
)
from ogive.backends.python_text.functions.file_state import EmittedFile, Rate, WrittenFunction
from ogive.backends.python_text.module_tree import ModuleNode, Unit, below, numbers_of, unmade
from ogive.backends.python_text.named_sizes import Named, with_names
from ogive.backends.python_text.size_exprs import scalar_code, size_code
from ogive.backends.python_text.statements import (
    Assign,
    Body,
    Class,
    Declare,
    Evaluate,
    FunctionDef,
    Parameter,
    Return,
    Statement,
    Within,
)
from ogive.backends.pytorch.module.constraints import after_step, constrain, each, step
from ogive.backends.pytorch.module.resets import init_weights, reset_of
from ogive.backends.pytorch.names import Heads, access, fresh, inside, looped, plain
from ogive.backends.pytorch.weights.inits import allocation
from ogive.backends.pytorch.weights.layers import layer
from ogive.compiler.ir.attributes import ExternAttrs
from ogive.compiler.ir.model import Instance, Loop, Model, Weight
from ogive.compiler.sizes import Size, Unknown


@dataclass(slots=True)
class Constructor:
    """The `__init__` that is being written, and the sizes that it asks for."""

    unit: Unit
    file: EmittedFile
    params: dict[Unknown, str] = field(default_factory=dict)
    body: list[Statement] = field(default_factory=list)
    numbers: dict[Unknown, str] = field(default_factory=dict)  # of loops whose modules are being made: variables
    declared: list[Declare] = field(default_factory=list)  # attributes that the type checker must be told
    pairs: bool = False  # whether a weight is complex

    def name(self, unknown: Unknown) -> Code:
        """The parameter of a size."""
        return name(self.parameter(unknown))

    def parameter(self, unknown: Unknown) -> str:
        """Its name."""
        if unknown in self.numbers:
            return self.numbers[unknown]
        if unknown not in self.params:
            assert unknown in self.file.made[self.unit.definition.name], (self.unit.name, unknown)
            self.params[unknown] = fresh(unknown.name, set(self.params.values()))
        return self.params[unknown]

    def size(self, size: Size | int) -> Code:
        """A size by the constructor's parameters."""
        plain = size if isinstance(size, int) else self.file.plain.plain(self.unit.definition, size)
        return size_code(plain, self.name)

    def number(self, value: object) -> Code:
        """A number that may depend on sizes."""
        return scalar_code(value, self.name)

    def write(self, stored: Mapping[Unknown, str]) -> None:
        """Store the sizes that forward needs, then make the members."""
        for unknown, attribute in stored.items():
            self.body.append(Assign(name(f"self.{attribute}"), self.name(unknown)))
        for label, place in self.unit.place.children.items():
            self._member(label, place)
        for node in self.unit.graph.nodes:
            if isinstance(node.structure, ExternAttrs):
                self.body.append(Assign(name("self.module"), self._extern(node.structure)))

    def drop(self, droppers: Sequence[tuple[str, Rate]]) -> None:
        """Make the modules of dropout."""
        if droppers and self.file.seeded:
            self.file.helper("SeededDropout")
        for label, rate in droppers:
            made = call(self.file.idioms.dropper(self.file.seeded), self.number(rate))
            self.body.append(Assign(name(f"self.{label}"), made))

    def named(self) -> Iterator[Named]:
        """The sizes of the source that have names, by the parameters."""
        for known, size in self.unit.definition.named:
            if size.unknowns <= self.params.keys():
                yield known, self.size(size)

    def _extern(self, told: ExternAttrs) -> Code:
        """`extern("package.module", "Class", d=d)`."""
        module, _, made = told.target.partition(":")
        settings = [(key, self._setting(value)) for key, value in told.settings]
        return applied(self.file.helper("extern"), [literal(module), literal(made)], settings)

    def _setting(self, value: object) -> Code:
        if isinstance(value, tuple):
            return list_of([self._setting(item) for item in value])
        return literal(value) if isinstance(value, (str, bool, float)) or value is None else self.number(value)

    def _member(self, label: str, place: ModuleNode) -> None:
        member = place.member
        if isinstance(member, Weight):
            self._weight(label, member)
            return
        value = self.value(place)
        if value is None:
            return
        shells = tuple(self._shells(place, access(label)))
        open_ = bool(place.children) and not place.turned and plain(label)
        if shells:  # with all of its weights it would draw other numbers than `init_weights`
            made = len(self.body)
            self._keep(label, "_modules", value, open_=open_)
            self.body[made:] = [Within(call("torch.device", literal("meta")), tuple(self.body[made:]))]
            self.body += (*shells, Evaluate(call(self.file.helper("stored"), access(label))))
        else:
            self._keep(label, "_modules", value, open_=open_)

    def _keep(self, label: str, table: str, value: Code, *, open_: bool = False) -> None:
        """`self.label = value`; in the module's own table where torch has an attribute of that name. `open_` is what
        has members that no class declares.
        """
        target = name(f"self.{label}") if plain(label) else subscript(name(f"self.{table}"), literal(label))
        self.body.append(Assign(target, value, kind=name("Any") if open_ else None))

    def _shells(self, place: ModuleNode, target: Code) -> Iterator[Statement]:
        """What calls supply to the members at a place and below it is not stored."""
        if isinstance(place.member, Instance):
            if not unmade(self.unit.definition, place.member):
                yield from self._omitted(place.member, target)
        for label, child in place.children.items() if not place.turned else ():
            yield from self._shells(child, access(label, target))

    def _omitted(self, instance: Instance, target: Code) -> Iterator[Statement]:
        """Weights below an instance that every call supplies are not stored."""
        kinds = {path: weight.kind for path, weight in below(instance.definition)}
        found: dict[Heads, list[Statement]] = {}
        for path in instance.omitted:
            owner, _, leaf = path.rpartition(".")
            register = "register_parameter" if kinds[path] == "param" else "register_buffer"
            heads, module = looped(owner, target) if owner else ((), target)
            body = found.setdefault(heads, [])
            body.append(Evaluate(method(module, register, literal(leaf), NONE)))
            if leaf == "num_batches_tracked":
                hook = name(self.file.helper("forget"))
                body.append(Evaluate(method(module, "register_load_state_dict_pre_hook", hook)))
        for loops, body in found.items():
            yield from inside(loops, body)

    def _allocated(self, weight: Weight) -> Code:
        self.pairs |= weight.type.elem == "complex"
        return allocation(weight, self.size)

    def _weight(self, label: str, weight: Weight) -> None:
        tensor = self._allocated(weight)
        if weight.kind != "state":
            self._keep(label, "_parameters", call("nn.Parameter", tensor))
        elif plain(label):
            self.body.append(Evaluate(call("self.register_buffer", literal(label), tensor)))
            self.declared.append(Declare(label, name("Tensor")))
        else:
            self._keep(label, "_buffers", tensor)

    def value(self, place: ModuleNode) -> Code | None:
        """The expression that makes what stands at a place; None where nothing has to be made."""
        if place.repeated is not None and isinstance(place.member, Loop):
            layer = self.instance(place.repeated)
            count = call("range", self.size(place.member.count))
            return None if layer is None else call("nn.ModuleList", each_of(layer, "_", count))
        if place.turned:
            return self._iterations(place)
        if isinstance(place.member, Instance):
            return self.instance(place.member)
        if isinstance(place.member, Weight):
            tensor = self._allocated(place.member)
            return call("nn.Parameter" if place.member.kind == "param" else "nn.Buffer", tensor)
        if isinstance(place.member, Loop) or not place.children:
            return None
        made = {label: self.value(child) for label, child in place.children.items()}
        parts = {label: value for label, value in made.items() if value is not None}
        if not parts:
            return None
        if place.numbered:
            last = max(map(int, parts))
            iterations = [parts.get(str(number), call("nn.Module")) for number in range(last + 1)]
            return call("nn.ModuleList", list_of(iterations))
        if not all(plain(label) and label != "self" for label in parts):
            self.file.named_groups = True
        group = self.file.helper("Group")
        if all(label.isidentifier() and not iskeyword(label) for label in parts):
            return applied(group, (), parts.items())
        return applied(group, (), [(None, dict_of([(literal(label), value) for label, value in parts.items()]))])

    def _iterations(self, place: ModuleNode) -> Code:
        unit = next(unit for unit in self._units(self.unit) if unit.prefix == f"{place.path}.*")
        assert isinstance(place.member, Loop), place.path
        number, index = numbers_of(self.unit.definition).get(place.path), "_"
        if number in self.file.makers[unit.name]:
            index = self.numbers[number] = fresh(number.name, set(self.params.values()) | set(self.numbers.values()))
        return call("nn.ModuleList", each_of(self.made(unit.name), index, call("range", self.size(place.member.count))))

    def _units(self, unit: Unit) -> Iterable[Unit]:
        return unit.iterations

    def made(self, unit: str) -> Code:
        """An iteration's class with the same sizes as this one's."""
        return call(unit, *map(self.name, self.file.makers[unit]))

    def instance(self, instance: Instance) -> Code | None:
        """`nn.Linear(d, 3 * d)`, `Attention(d, heads)`; None for a block without weights."""
        definition = instance.definition
        if unmade(self.unit.definition, instance):
            return None
        bindings = dict(instance.bindings)
        made = layer(definition, bindings, self.size)
        if made is not None and definition.name in self.file.lone:
            return with_function(made, self.file.helper("SmallGroupNorm"))
        if made is not None:
            return made
        if definition.stateless:
            return None
        unit = self.file.units[definition.name].name
        return call(unit, *(self.size(bindings[unknown]) for unknown in self.file.makers[unit]))


def class_of(unit: Unit, file: EmittedFile, written: WrittenFunction, doc: Sequence[str], model: Model | None) -> Class:
    """The class of a unit; the root is that of a model."""
    root, inits = model is not None, () if model is None else model.inits
    maker = Constructor(unit, file)
    stored = dict(written.stored)
    keeping = constrain(unit, file, stored)
    file.kept += [unit.name] if keeping else []
    moving = step(unit, file, stored)
    file.stepped += [unit.name] if moving else []
    stepping = [after_step(file)] if root and (file.kept or file.stepped) else []
    last: Body = ()
    if root and file.kept:  # once, when all weights have started: not every constraint may be applied twice
        last = each(file.kept, "constrain") if file.stepped else (Evaluate(call("self.after_step")),)
    resetting = reset_of(unit, file, stored, last, inits)
    maker.write(stored)
    maker.drop(written.droppers)
    if root and file.typed:
        maker.declared.append(Declare(file.typed, name("Tensor")))
        empty = call("torch.empty", 0)
        maker.body.append(Evaluate(call("self.register_buffer", literal(file.typed), empty, persistent=False)))
    maker.body += [Evaluate(call("self.reset_parameters"))] if resetting else []
    order = _order(unit, maker.params)
    file.makers[unit.name] = {unknown: maker.params[unknown] for unknown in order}
    parameters = (Parameter("self"), *(Parameter(maker.params[unknown], name("int")) for unknown in order))
    started = Evaluate(method(call("super"), "__init__"))
    made = [FunctionDef("__init__", parameters, NONE, (started, *maker.body))] if order or maker.body else []
    made = [with_names(init, maker.named()) for init in made]
    resetting += [init_weights(file)] if root else []
    functions = (*made, *resetting, *_applied(maker), *written.functions, *keeping, *moving, *stepping)
    return Class(unit.name, name("nn.Module"), (*maker.declared, *functions), tuple(doc))


def _applied(maker: Constructor) -> list[FunctionDef]:
    """Torch's `.double()` leaves complex weights as they are."""
    if not maker.pairs:
        return []
    tensor, fn = name("Tensor"), name("fn")
    kind = subscript(name("Callable"), list_of([tensor]), tensor)
    parameters = (Parameter("self"), Parameter("fn", kind), Parameter("recurse", name("bool"), TRUE))
    parts = call(maker.file.helper("by_parts"), fn)
    body = (Return(method(call("super"), "_apply", parts, name("recurse"))),)
    return [FunctionDef("_apply", parameters, name("Any"), body)]


def _order(unit: Unit, params: dict[Unknown, str]) -> tuple[Unknown, ...]:
    """Parameters in the order of the source: statics first."""
    statics = [s.unknown for s in unit.definition.statics if s.unknown is not None]
    order = [*statics, *(u for u in unit.definition.sizes if u not in statics)]
    order += [number for number in numbers_of(unit.definition).values() if number not in order]
    return tuple(unknown for unknown in order if unknown in params)
