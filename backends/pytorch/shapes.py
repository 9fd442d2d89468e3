"""Where a function finds its sizes: shapes of its inputs first, then what its module stored, then arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ogive.backends.pytorch.code import Code
from ogive.backends.pytorch.names import identifier, plain
from ogive.backends.pytorch.sizecode import size_code
from ogive.compiler.ir import Value
from ogive.compiler.sizes import Size, Unknown

LONG = 28  # characters of a size that is worth a name


@dataclass(slots=True)
class Shapes:
    """The sizes that a function reads. Each is read once, at the head of the function."""

    inputs: Sequence[tuple[str, Value]]  # names and values of the inputs that are always given
    known: frozenset[Unknown]  # numbers when the module is made; empty for a plain function
    members: frozenset[str]  # names of attributes that are taken
    claim: Callable[[str], str]  # a variable that nothing else uses
    maybe: Sequence[tuple[str, Value]] = ()  # names and values of the inputs that may be None
    given: Callable[[Unknown], str] | None = None  # in a constructor, its parameters
    root: bool = False  # nothing calls the function but the user
    read: dict[int, dict[int, str]] = field(default_factory=dict)  # by input, by axis
    solved: list[tuple[str, str]] = field(default_factory=list)
    stored: dict[Unknown, str] = field(default_factory=dict)  # attributes of the module
    passed: dict[Unknown, str] = field(default_factory=dict)  # further arguments
    lent: set[Unknown] = field(default_factory=set)  # those of `passed` that an input tells where it is given
    found: dict[Unknown, str] = field(default_factory=dict)
    turns: set[Unknown] = field(default_factory=set)  # numbers of loops: no size that holds one is known at the head
    long: dict[Size, str] = field(default_factory=dict)
    packs: dict[str, str] = field(default_factory=dict)

    def name(self, unknown: Unknown) -> str:
        """The expression of an unknown."""
        if self.given is not None:
            return self.given(unknown)
        if unknown not in self.found:
            self.found[unknown] = self._find(unknown)
        return self.found[unknown]

    def _find(self, unknown: Unknown) -> str:
        lone = self._axis(lambda size: str(size) == unknown.name and size.unknowns == {unknown})
        if lone is not None:
            return self._read(*lone, unknown.name)
        if unknown in self.known:
            name = identifier(unknown.name)
            while name in self.members or name in self.stored.values() or not plain(name):
                name += "_size"
            self.stored[unknown] = name
            return f"self.{name}"
        return self._solve(unknown) or self._absent(unknown) or self._pass(unknown)

    def _axis(self, fits: Callable[[Size], bool]) -> tuple[int, int] | None:
        for at, (_, value) in enumerate(self.inputs):
            for axis, entry in enumerate(value.type.axes):
                if fits(entry.size):
                    return at, axis
        return None

    def _read(self, at: int, axis: int, hint: str) -> str:
        axes = self.read.setdefault(at, {})
        if axis not in axes:
            axes[axis] = self.claim(hint)
        return axes[axis]

    def _solve(self, unknown: Unknown) -> str | None:
        """Where an axis is `a*u + rest`, `u` is `(axis - rest) // a`."""
        for at, (_, value) in enumerate(self.inputs):
            for axis, entry in enumerate(value.type.axes):
                split = linear(entry.size, unknown)
                if split is None or not (split[1].unknowns <= self.found.keys() | self.known):
                    continue
                name = self.claim(unknown.name)
                whole = self._read(at, axis, f"{name}_axis")
                rest = size_code(split[1], self.name)
                top = whole if split[1].is_number and not split[1].number else f"({whole} - ({rest}))"
                self.solved.append((name, top if split[0] == 1 else f"{top} // {split[0]}"))
                return name
        return None

    def _absent(self, unknown: Unknown) -> str | None:
        """A size that may be 0 is 0 where the input that holds it is not given: an empty cache."""
        for name, value in self.maybe if unknown.low == 0 else ():
            for axis, entry in enumerate(value.type.axes):
                if entry.size.unknowns == {unknown} and str(entry.size) == unknown.name:
                    found = self.claim(unknown.name)
                    self.solved.append((found, f"{name}.shape[{axis}] if {name} is not None else 0"))
                    return found
        return None

    def _pass(self, unknown: Unknown) -> str:
        name = self.passed[unknown] = self.claim(unknown.name)
        for tensor, value in self.maybe if self.root else ():
            for axis, entry in enumerate(value.type.axes):
                split = None if entry.pack else linear(entry.size, unknown)
                if split is not None and split[1].is_number:
                    rest = f" - {split[1]}" if split[1].number else ""
                    place = axis - len(value.type.axes) if any(e.pack for e in value.type.axes[:axis]) else axis
                    whole = f"{tensor}.shape[{place}]{rest}"
                    text = whole if split[0] == 1 else f"({whole}) // {split[0]}" if rest else f"{whole} // {split[0]}"
                    self.solved.append((name, f"{text} if {tensor} is not None else {name}"))
                    self.lent.add(unknown)
                    return name
        return name

    def pack(self, pack: str) -> str | None:
        """The sizes of a pack of any rank, read from an input: `x.shape[:-2]`."""
        for name, value in self.inputs if pack not in self.packs else ():
            at = next((i for i, axis in enumerate(value.type.axes) if axis.pack == pack), None)
            if at is not None:
                self.packs[pack] = self.claim(f"{pack}_shape")
                self.solved.append((self.packs[pack], f"{name}.shape[{_bounds(value, at)}]"))
                break
        return self.packs.get(pack)

    def code(self, size: Size | int) -> Code:
        """A size as an expression; a long one is computed once, at the head of the function, where it can be."""
        code = size_code(size, self.name)
        if isinstance(size, int) or len(code.text) <= LONG or self.given is not None or size.unknowns & self.turns:
            return code
        if size not in self.long:
            self.long[size] = self.claim("size")
            self.solved.append((self.long[size], code.text))
        return Code(self.long[size])

    def follow(self, other: Shapes) -> None:
        """Another form of the same function has stored these sizes, and asked for these arguments."""
        self.stored = other.stored
        self.passed = other.passed
        self.lent = other.lent
        self.found.update((unknown, f"self.{name}") for unknown, name in other.stored.items())
        self.found.update((unknown, name) for unknown, name in other.passed.items() if unknown not in other.lent)

    def turn(self, unknown: Unknown, index: str) -> None:
        """The number of a loop is that variable, inside of it."""
        self.found[unknown] = index
        self.turns.add(unknown)

    def header(self) -> list[str]:
        """The statements that read shapes."""
        lines = []
        for at, axes in sorted(self.read.items()):
            name, value = self.inputs[at]
            lines += _reads(name, value, axes)
        return lines + [f"{name} = {text}" for name, text in self.solved]


def _reads(name: str, value: Value, axes: dict[int, str]) -> list[str]:
    entries = value.type.axes
    pack = next((i for i, entry in enumerate(entries) if entry.pack is not None), None)
    if pack is not None and pack in axes:
        rest = {axis: text for axis, text in axes.items() if axis != pack}
        return [
            f"{axes[pack]} = {name}.shape[{_bounds(value, pack)}].numel()",
            *(_reads(name, value, rest) if rest else []),
        ]
    if len(axes) == 1:
        ((axis, text),) = axes.items()
        last = axis == len(entries) - 1 or (pack is not None and axis > pack)
        return [f"{text} = {name}.shape[{axis - len(entries) if last else axis}]"]
    parts = ["*_" if i == pack else axes.get(i, "_") for i in range(len(entries))]
    return [f"{', '.join(parts)} = {name}.shape"]


def _bounds(value: Value, pack: int) -> str:
    """The place of a pack among the axes, as a slice."""
    after = len(value.type.axes) - pack - 1
    return f"{pack or ''}:{-after if after else ''}"


def linear(size: Size, unknown: Unknown) -> tuple[int, Size] | None:
    """(a, rest) where the size is a*unknown + rest and the rest does not hold the unknown."""
    factor = ((unknown, 1),)
    scale = size.terms.get(factor, 0)
    if scale <= 0:
        return None
    from ogive.compiler.sizes import size as as_size

    rest = size - scale * as_size(unknown)
    return None if unknown in rest.unknowns else (scale, rest)
