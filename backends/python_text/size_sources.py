"""Where a function finds its sizes: shapes of its inputs first, then what its module stored, then arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ogive.backends.python_text.expr import (
    Code,
    binary,
    conditional,
    cut,
    is_given,
    method,
    name,
    starred,
    subscript,
    tuple_of,
)
from ogive.backends.python_text.names import identifier, plain
from ogive.backends.python_text.size_exprs import Names, size_code
from ogive.backends.python_text.size_origins import SizeOrigin, linear, origins
from ogive.backends.python_text.statements import Assign, Statement
from ogive.compiler.ir.model import Value
from ogive.compiler.sizes import Size, Unknown, size

LONG = 28  # characters of a size that is worth a name


@dataclass(slots=True)
class Shapes:
    """The sizes that a function reads. Each is read once, at the head of the function."""

    inputs: Sequence[tuple[str, Value]]  # names and values of the inputs that are always given
    known: frozenset[Unknown]  # numbers when the module is made; empty for a plain function
    members: frozenset[str]  # names of attributes that are taken
    claim: Callable[[str], str]  # a variable that nothing else uses
    maybe: Sequence[tuple[str, Value]] = ()  # names and values of the inputs that may be None
    given: Names | None = None  # in a constructor, its parameters
    root: bool = False  # nothing calls the function but the user
    read: dict[int, dict[int, str]] = field(default_factory=dict)  # by input, by axis
    solved: list[tuple[str, Code]] = field(default_factory=list)
    stored: dict[Unknown, str] = field(default_factory=dict)  # attributes of the module
    passed: dict[Unknown, str] = field(default_factory=dict)  # further arguments
    lent: set[Unknown] = field(default_factory=set)  # those of `passed` that an input tells where it is given
    found: dict[Unknown, Code] = field(default_factory=dict)
    iterations: set[Unknown] = field(default_factory=set)  # loop indices: no size that holds one is known at the head
    long: dict[Size, str] = field(default_factory=dict)
    packs: dict[str, str] = field(default_factory=dict)
    packed: dict[int, list[Statement]] = field(default_factory=dict)  # by input, the statements that read its pack
    checks: dict[int, list[Statement]] = field(default_factory=dict)  # by input, what stands before it is read
    guards: dict[Unknown, list[Statement]] = field(default_factory=dict)  # what stands before a size is solved for
    origins: dict[Unknown, SizeOrigin] = field(init=False)

    def __post_init__(self) -> None:
        self.origins = origins([value for _, value in self.inputs], self.known)

    def name(self, unknown: Unknown) -> Code:
        """The expression of an unknown."""
        if self.given is not None:
            return self.given(unknown)
        if unknown not in self.found:
            self.found[unknown] = self._find(unknown)
        return self.found[unknown]

    def told(self, size: Size) -> bool:
        """Whether the module stores what is in a size, or it is a whole axis of an input: nothing must be solved."""
        axes = {unknown for unknown, origin in self.origins.items() if origin.alone}
        return size.unknowns <= axes | self.known

    def _find(self, unknown: Unknown) -> Code:
        origin = self.origins.get(unknown)
        if origin is not None and origin.alone:
            return self.read_axis(origin.at, origin.axis, unknown.name)
        if unknown in self.known:
            return self.attribute(unknown)
        if origin is not None:
            return self._solved(unknown, origin)
        return self._absent(unknown) or self._pass(unknown)

    def attribute(self, unknown: Unknown) -> Code:
        """What the module stores of a size that is known when it is made."""
        if unknown not in self.stored:
            attr = identifier(unknown.name).lstrip("_")
            while attr in self.members or attr in self.stored.values() or not plain(attr):
                attr += "_size"
            self.stored[unknown] = attr
        return name(f"self.{self.stored[unknown]}")

    def read_axis(self, at: int, axis: int, hint: str) -> Code:
        """The variable of an axis of an input."""
        axes = self.read.setdefault(at, {})
        if axis not in axes:
            axes[axis] = self.claim(hint)
        return name(axes[axis])

    def _solved(self, unknown: Unknown, origin: SizeOrigin) -> Code:
        """Where an axis is `a*u + rest`, `u` is `(axis - rest) // a`."""
        variable = self.claim(unknown.name)
        whole = self.read_axis(origin.at, origin.axis, f"{variable}_axis")
        self.solved.append((variable, solved(whole, origin, self.name)))
        return name(variable)

    def _absent(self, unknown: Unknown) -> Code | None:
        """A size that may be 0 is 0 where the input that holds it is not given: an empty cache."""
        for tensor, value in self.maybe if unknown.low == 0 else ():
            for axis, entry in enumerate(value.type.axes):
                if entry.size.unknowns == {unknown} and str(entry.size) == unknown.name:
                    found = self.claim(unknown.name)
                    self.solved.append((found, conditional(axis_of(tensor, axis), is_given(name(tensor)), 0)))
                    return name(found)
        return None

    def _pass(self, unknown: Unknown) -> Code:
        found = self.passed[unknown] = self.claim(unknown.name)
        for tensor, value in self.maybe if self.root else ():
            for axis, entry in enumerate(value.type.axes):
                split = None if entry.pack else linear(entry.size, unknown)
                if split is not None and split[0].is_number and split[1].is_number:
                    whole = axis_of(tensor, place(value, axis))
                    read = solved(whole, SizeOrigin(0, axis, *split), self.name)
                    self.solved.append((found, conditional(read, is_given(name(tensor)), name(found))))
                    self.lent.add(unknown)
                    return name(found)
        return name(found)

    def pack(self, pack: str) -> str | None:
        """The sizes of a pack of any rank, read from an input: `x.shape[:-2]`."""
        for number, (tensor, value) in enumerate(self.inputs) if pack not in self.packs else ():
            at = next((i for i, axis in enumerate(value.type.axes) if axis.pack == pack), None)
            if at is not None:
                self.packs[pack] = self.claim(f"{pack}_shape")
                read = Assign(name(self.packs[pack]), pack_of(tensor, value, at))
                self.packed.setdefault(number, []).append(read)
                break
        return self.packs.get(pack)

    def code(self, size: Size | int) -> Code:
        """A size as an expression; a long one is computed once, at the head of the function, where it can be."""
        code = size_code(size, self.name)
        if isinstance(size, int) or len(code.text) <= LONG or self.given is not None or size.unknowns & self.iterations:
            return code
        if size not in self.long:
            self.long[size] = self.claim("size")
            self.solved.append((self.long[size], code))
        return name(self.long[size])

    def follow(self, other: Shapes) -> None:
        """Another form of the same function has stored these sizes, and asked for these arguments."""
        self.stored = other.stored
        self.passed = other.passed
        self.lent = other.lent
        self.found.update((unknown, name(f"self.{attr}")) for unknown, attr in other.stored.items())
        self.found.update((unknown, name(x)) for unknown, x in other.passed.items() if unknown not in other.lent)

    def iteration(self, unknown: Unknown, index: str) -> None:
        """The number of a loop is that variable, inside of it."""
        self.found[unknown] = name(index)
        self.iterations.add(unknown)

    def header(self) -> list[Statement]:
        """The statements that check the inputs and read their shapes."""
        found: list[Statement] = []
        for at, (tensor, value) in enumerate(self.inputs):
            found += self.checks.get(at, [])
            found += _reads(tensor, value, self.read[at]) if at in self.read else []
            found += self.packed.get(at, [])
        guards = {str(self.found.get(unknown, unknown.name)): checks for unknown, checks in self.guards.items()}
        for variable, code in self.solved:
            found += guards.pop(variable, [])
            found.append(Assign(name(variable), code))
        return [*found, *(each for checks in guards.values() for each in checks)]


def axis_of(tensor: str, axis: int) -> Code:
    """`x.shape[axis]`."""
    return subscript(name(f"{tensor}.shape"), axis)


def pack_of(tensor: str, value: Value, at: int) -> Code:
    """The sizes of a pack, which stands at a place among the axes: `x.shape[:-2]`."""
    after = len(value.type.axes) - at - 1
    return subscript(name(f"{tensor}.shape"), cut(at or None, -after if after else None))


def _reads(tensor: str, value: Value, axes: dict[int, str]) -> list[Statement]:
    entries, shape = value.type.axes, name(f"{tensor}.shape")
    pack = next((i for i, entry in enumerate(entries) if entry.pack is not None), None)
    if pack is not None and pack in axes:
        rest = {axis: variable for axis, variable in axes.items() if axis != pack}
        count = method(pack_of(tensor, value, pack), "numel")
        return [Assign(name(axes[pack]), count), *(_reads(tensor, value, rest) if rest else [])]
    if len(axes) == 1:
        ((axis, variable),) = axes.items()
        last = axis == len(entries) - 1 or (pack is not None and axis > pack)
        return [Assign(name(variable), axis_of(tensor, axis - len(entries) if last else axis))]
    parts = [starred(name("_")) if i == pack else name(axes.get(i, "_")) for i in range(len(entries))]
    return [Assign(tuple_of(parts), shape)]


def place(value: Value, axis: int) -> int:
    """The index of an axis in the shape: from the end where a pack stands before it."""
    entries = value.type.axes
    return axis - len(entries) if any(entry.pack is not None for entry in entries[:axis]) else axis


def solved(whole: Code, origin: SizeOrigin, names: Names) -> Code:
    """The size whose axis is `whole`."""
    top = whole if origin.rest is size(0) else binary(whole, "-", size_code(origin.rest, names))
    return top if origin.slope is size(1) else binary(top, "//", size_code(origin.slope, names))
