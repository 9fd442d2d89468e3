"""What is known of a file while it is written: its classes, their signatures, its imports and helpers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ogive.backends.python_text.functions.idioms import Idioms
from ogive.backends.python_text.functions.states import copied_states
from ogive.backends.python_text.module_tree import Known, Unit
from ogive.backends.python_text.plain_sizes import PlainSizes
from ogive.backends.python_text.statements import FunctionDef
from ogive.compiler.ir.model import Definition, Instance, Node, Scalar, Weight
from ogive.compiler.ir_tools.effects import ORDERED, Effect, Effects, own_effect
from ogive.compiler.sizes import Size, Unknown

Rate = Scalar | Size | float


@dataclass(frozen=True, slots=True)
class WrittenFunction:
    """A function that has been written, as its callers see it."""

    params: tuple[str, ...]  # the inputs
    required: int  # so many of them have no default
    outside: tuple[tuple[str, str], ...]  # paths of weights that the caller hands over, and their names
    sizes: tuple[tuple[Unknown, str], ...]  # sizes that the caller hands over, and their names
    stored: tuple[tuple[Unknown, str], ...]  # sizes that the module keeps as attributes
    draws: bool  # it takes a generator of random numbers
    taps: bool  # it may be asked for values inside of it
    like: bool  # it must be handed a tensor from which constants take type and device
    trains: bool  # a plain function that must be told whether the model trains
    droppers: tuple[tuple[str, Rate], ...]  # modules of dropout, and their rates: of a plain function, arguments
    functions: tuple[FunctionDef, ...]  # what it is: `forward`, with `run` behind it in a model with taps


@dataclass(slots=True)
class EmittedFile:
    """The file that is being written."""

    idioms: Idioms
    known: Known
    made: Known  # the same where modules are made, numbers of iterations too
    effects: Effects
    seeded: bool = False  # something in the model draws numbers besides dropout: it takes a generator
    derived: Mapping[str, int] = field(default_factory=dict)  # in how many `grad` definitions run, by name
    supplied: frozenset[str] = frozenset()  # definitions of whose weights some calls supply: not all are stored
    lone: frozenset[str] = frozenset()  # group norms of as many groups as channels somewhere
    read: bool = False  # a forward may read what it changes, or draw: an activation checkpoint must show it again
    units: dict[str, Unit] = field(default_factory=dict)  # by name of definition
    written: dict[str, WrittenFunction] = field(default_factory=dict)  # by name of class or function
    makers: dict[str, dict[Unknown, str]] = field(default_factory=dict)  # by class, the constructor's parameters
    kept: list[str] = field(default_factory=list)  # classes with constraints
    stepped: list[str] = field(default_factory=list)  # classes that change weights after each step
    helpers: dict[str, None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    plain: PlainSizes = field(default_factory=PlainSizes)
    typed: str = ""  # a buffer of the root that has the model's type, where nothing else has
    named_groups: bool = False  # a member of a group has a name that every module has
    checks: bool = True  # the root checks its inputs

    def copied(self, definition: Definition) -> frozenset[str]:
        """The states of a definition whose old value is used beside their update."""
        return copied_states(definition)

    def functions(self) -> frozenset[str]:
        """The names of the functions that may be called."""
        return frozenset(unit.name for unit in self.units.values() if unit.function)

    def acts(self, node: Node) -> bool:
        """Whether a node, what it calls or holds draws random numbers or changes a state."""
        return bool(self.effects.of(node) & ORDERED)

    def shows(self, node: Node) -> bool:
        """Whether a node, what it calls or holds has taps."""
        return bool(self.effects.of(node) & Effect.SHOWS)

    def draws(self, node: Node) -> bool:
        """Whether an operation draws random numbers."""
        return bool(own_effect(node) & Effect.DRAWS)

    def helper(self, name: str) -> str:
        """A helper, whose text goes to the head of the file."""
        self.helpers.setdefault(name)
        return name

    def anchor(self, unit: Unit) -> str | None:
        """The path of a floating-point weight of the unit."""
        return _floating(unit.definition, unit)


def _floating(definition: Definition, unit: Unit | None) -> str | None:
    for member in definition.members:
        if (unit is None and "*" in member.path) or (unit is not None and not _within(unit, member.path)):
            continue
        if isinstance(member, Weight) and member.type.elem == "float":
            return member.path
        below = _floating(member.definition, None) if isinstance(member, Instance) else None
        if below is not None:
            return f"{member.path}.{below}"
    return None


def _within(unit: Unit, path: str) -> bool:
    own = unit.own(path)
    return own is not None and "*" not in own
