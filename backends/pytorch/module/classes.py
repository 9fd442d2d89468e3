"""One class: its docstring, its constructor, its forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from keyword import iskeyword

from ogive.backends.python_text.expr import Code, call
from ogive.backends.python_text.module_tree import STEP, ModuleNode, Unit, access, below, looped, numbers_of, unmade
from ogive.backends.python_text.names import fresh, plain
from ogive.backends.python_text.size_exprs import scalar_code, size_code
from ogive.backends.python_text.wrap import signature, statement
from ogive.backends.pytorch.module.constraints import after_step, constrain, each, step
from ogive.backends.pytorch.module.file_state import EmittedFile, WrittenFunction
from ogive.backends.pytorch.module.functions import filled
from ogive.backends.pytorch.weights.init_layers import whole_kinds
from ogive.backends.pytorch.weights.inits import FILLED, Initial, allocation
from ogive.backends.pytorch.weights.layers import layer
from ogive.compiler.ir.attributes import ExternAttrs
from ogive.compiler.ir.model import Graph, Instance, Loop, Weight
from ogive.compiler.sizes import Size, Unknown


@dataclass(slots=True)
class Constructor:
    """The `__init__` that is being written, and the sizes that it asks for."""

    unit: Unit
    file: EmittedFile
    params: dict[Unknown, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    initial: Initial = field(default_factory=Initial)
    numbers: dict[Unknown, str] = field(default_factory=dict)  # of loops whose modules are being made: variables
    declared: list[str] = field(default_factory=list)  # attributes that the type checker must be told
    pairs: bool = False  # whether a weight is complex

    def name(self, unknown: Unknown) -> str:
        """The parameter of a size."""
        if unknown in self.numbers:
            return self.numbers[unknown]
        if unknown not in self.params:
            assert unknown in self.file.made[self.unit.definition.name], (self.unit.name, unknown)
            self.params[unknown] = fresh(unknown.name, set(self.params.values()))
        return self.params[unknown]

    def size(self, size: Size | int) -> Code:
        """A size by the constructor's parameters."""
        return size_code(size, self.name)

    def number(self, value: object) -> Code:
        """A number that may depend on sizes."""
        return scalar_code(value, self.name)

    def expression(self, target: str, graph: Graph) -> list[str]:
        """`with torch.no_grad(): self.w.copy_(...)`."""
        return filled(self.unit, self.file, target, graph, self.name)

    def write(self, stored: Mapping[Unknown, str]) -> None:
        """Store the sizes that forward needs, then make the members."""
        for unknown, attribute in stored.items():
            self.lines.append(f"self.{attribute} = {self.name(unknown)}")
        for name, place in self.unit.place.children.items():
            self._member(name, place)
        for node in self.unit.graph.nodes:
            if isinstance(node.structure, ExternAttrs):
                self.lines.append(f"self.module = {self._extern(node.structure)}")
        self.lines += whole_kinds(self.initial, self.unit.place, self)
        self.lines += self.initial.lines(self)

    def _extern(self, told: ExternAttrs) -> Code:
        """`extern("package.module", "Class", d=d)`."""
        self.file.helpers.setdefault("extern")
        module, _, name = told.target.partition(":")
        settings = {key: self._setting(value) for key, value in told.settings}
        return call("extern", Code(f'"{module}"'), Code(f'"{name}"'), **settings)

    def _setting(self, value: object) -> Code:
        if isinstance(value, tuple):
            return Code(f"[{', '.join(str(self._setting(item)) for item in value)}]")
        return Code(repr(value)) if isinstance(value, (str, bool, float)) or value is None else self.number(value)

    def _member(self, name: str, place: ModuleNode) -> None:
        member = place.member
        target = f"self.{name}"
        if isinstance(member, Weight):
            self._weight(name, member)
            self._initialized(place, access(name))
            return
        value = self.value(place)
        if value is None:
            return
        self.lines.append(f"{target} = {value}" if plain(name) else f'self._modules["{name}"] = {value}')
        if isinstance(member, Instance):
            self.lines += self._omitted(member, access(name))
        if place.children and not place.turned and plain(name):
            self.declared.append(f"{name}: Any")
        self._initialized(place, access(name))

    def _omitted(self, instance: Instance, target: str) -> Iterator[str]:
        """Weights below an instance that every call supplies are not stored."""
        kinds = {path: weight.kind for path, weight in below(instance.definition)}
        found: dict[tuple[str, ...], list[str]] = {}
        for path in instance.omitted:
            owner, _, leaf = path.rpartition(".")
            register = "register_parameter" if kinds[path] == "param" else "register_buffer"
            heads, module = looped(owner, target) if owner else ([], target)
            lines = found.setdefault(tuple(heads), [])
            lines.append(f'{STEP * len(heads)}{module}.{register}("{leaf}", None)')
            if leaf == "num_batches_tracked":
                self.file.helpers.setdefault("forget")
                lines.append(f"{STEP * len(heads)}{module}.register_load_state_dict_pre_hook(forget)")
        for loops, lines in found.items():
            yield from (*loops, *lines)

    def _initialized(self, place: ModuleNode, target: str) -> None:
        """The initializers of a place: its own, or those that replace what is below."""
        member = place.member
        if isinstance(member, Weight) and member.init.name not in FILLED:
            self.initial.set(target, "", member.init)
        if isinstance(member, Instance):
            for path, init in member.inits:
                self.initial.set(target, path, init, member.definition)
        for name, child in place.children.items() if not place.turned else ():
            self._initialized(child, access(name, target))

    def _allocated(self, weight: Weight) -> Code:
        self.pairs |= weight.type.elem == "complex"
        return allocation(weight, self.size, self.number)

    def _weight(self, name: str, weight: Weight) -> None:
        tensor = self._allocated(weight)
        if weight.kind == "state":
            kept = plain(name)
            self.lines.append(
                f'self.register_buffer("{name}", {tensor})' if kept else f'self._buffers["{name}"] = {tensor}'
            )
            self.declared += [f"{name}: Tensor"] if kept else []
        elif plain(name):
            self.lines.append(f"self.{name} = nn.Parameter({tensor})")
        else:
            self.lines.append(f'self._parameters["{name}"] = nn.Parameter({tensor})')

    def value(self, place: ModuleNode) -> Code | None:
        """The expression that makes what stands at a place; None where nothing has to be made."""
        if place.turned:
            return self._turns(place)
        if isinstance(place.member, Instance):
            return self.instance(place.member)
        if isinstance(place.member, Weight):
            tensor = self._allocated(place.member)
            return call("nn.Parameter" if place.member.kind == "param" else "nn.Buffer", tensor)
        if isinstance(place.member, Loop) or not place.children:
            return None
        made = {name: self.value(child) for name, child in place.children.items()}
        parts = {name: value for name, value in made.items() if value is not None}
        if not parts:
            return None
        if place.numbered:
            last = max(int(name) for name in parts)
            turns = [parts.get(str(number), Code("nn.Module()")) for number in range(last + 1)]
            return Code(f"nn.ModuleList([{', '.join(map(str, turns))}])")
        self.file.helpers.setdefault("Group")
        if not all(plain(name) and name != "self" for name in parts):
            self.file.named_groups = True
        if all(name.isidentifier() and not iskeyword(name) for name in parts):
            return call("Group", **parts)
        pairs = ", ".join(f'"{name}": {value}' for name, value in parts.items())
        return Code(f"Group(**{{{pairs}}})")

    def _turns(self, place: ModuleNode) -> Code:
        unit = next(unit for unit in self._units(self.unit) if unit.prefix == f"{place.path}.*")
        assert isinstance(place.member, Loop), place.path
        number, index = numbers_of(self.unit.definition).get(place.path), "_"
        if number in self.file.makers[unit.name]:
            index = self.numbers[number] = fresh(number.name, set(self.params.values()) | set(self.numbers.values()))
        return Code(f"nn.ModuleList({self.made(unit.name)} for {index} in range({self.size(place.member.count)}))")

    def _units(self, unit: Unit) -> Iterable[Unit]:
        return unit.turns

    def made(self, name: str) -> Code:
        """An iteration's class with the same sizes as this one's."""
        return call(name, *(self.size_of(unknown) for unknown in self.file.makers[name]))

    def size_of(self, unknown: Unknown) -> Code:
        """The parameter of an unknown."""
        return Code(self.name(unknown))

    def instance(self, instance: Instance) -> Code | None:
        """`nn.Linear(d, 3 * d)`, `Attention(d, heads)`; None for a block without weights."""
        definition = instance.definition
        if unmade(self.unit.definition, instance):
            return None
        bindings = dict(instance.bindings)
        made = layer(definition, bindings, self.size)
        if made is not None and definition.name in self.file.lone:
            return Code(made.text.replace("nn.GroupNorm", self.file.helper("SmallGroupNorm"), 1))
        if made is not None:
            return made
        if definition.stateless:
            return None
        name = self.file.units[definition.name].name
        return call(name, *(self.size(bindings[unknown]) for unknown in self.file.makers[name]))


def class_lines(unit: Unit, file: EmittedFile, written: WrittenFunction, doc: list[str], *, root: bool) -> list[str]:
    """The text of a class."""
    maker = Constructor(unit, file)
    stored = dict(written.stored)
    keeping = constrain(unit, file, stored)
    file.kept += [unit.name] if keeping else []
    moving = step(unit, file, stored)
    file.stepped += [unit.name] if moving else []
    maker.write(stored)
    if root and file.typed:
        maker.declared.append(f"{file.typed}: Tensor")
        maker.lines.append(f'self.register_buffer("{file.typed}", torch.empty(0), persistent=False)')
    order = _order(unit, maker.params)
    file.makers[unit.name] = {unknown: maker.params[unknown] for unknown in order}
    lines = [f"class {unit.name}(nn.Module):", *doc, ""]
    if maker.declared:
        lines += [*(f"    {text}" for text in maker.declared), ""]
    stepping = after_step(file) if root and (file.kept or file.stepped) else []
    if root and file.kept:
        first = each(file.kept, "constrain") if file.stepped else ["self.after_step()"]
    else:
        first = ["self.constrain()"] if keeping else []
    body = [line for text in (*maker.lines, *first) for line in _placed(text, 8)]
    if order or body:
        params = ["self", *(f"{maker.params[unknown]}: int" for unknown in order)]
        lines += [*signature("def __init__", params, " -> None:", 4), "        super().__init__()", *body, ""]
    return [*lines, *_applied(maker), *written.head, *written.body, *keeping, *moving, *stepping]


def _applied(maker: Constructor) -> list[str]:
    """Torch's `.double()` leaves complex weights as they are."""
    if not maker.pairs:
        return []
    maker.file.helpers.setdefault("by_parts")
    head = signature("def _apply", ["self", "fn: Callable[[Tensor], Tensor]", "recurse: bool = True"], " -> Any:", 4)
    return [*head, "        return super()._apply(by_parts(fn), recurse)", ""]


def _placed(text: str, indent: int) -> list[str]:
    inner = len(text) - len(text.lstrip())
    return statement(text.strip(), indent + inner)


def _order(unit: Unit, params: dict[Unknown, str]) -> tuple[Unknown, ...]:
    """Parameters in the order of the source: statics first."""
    statics = [s.unknown for s in unit.definition.statics if s.unknown is not None]
    order = [*statics, *(u for u in unit.definition.sizes if u not in statics)]
    order += [number for number in numbers_of(unit.definition).values() if number not in order]
    return tuple(unknown for unknown in order if unknown in params)
