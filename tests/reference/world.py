"""What a run of the reference is told, and what it notes: sizes, random numbers, rounding, decisions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ogive.compiler.ir.model import Const, Node, Scalar
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Size, Unknown
from reference.arrays import Array, Numbers

DTYPES = {"int": np.int64, "i64": np.int64, "i32": np.int32, "bool": np.bool_, "complex": np.complex128}
# the roundings of float types that a program names; all is computed in float64 here
UNITS = {"f16": 2.0**-11, "bf16": 2.0**-8, "f32": 2.0**-24, "f64": 2.0**-53}
# what kernels of float32, and those of ONNX Runtime in any type, compute as 1 and a number close to -1, so that what is
# left of a small result is rounding; beside these `sigmoid`, of 1 and not of its operand
CANCELLING = frozenset(("silu", "gelu", "gelu_tanh"))
SUMS = frozenset(("contraction", "reduction", "kernel"))  # kinds whose equal results may be summed in other orders
FOURIER = frozenset(("fft", "ifft", "rfft", "irfft"))  # results are exact to a rounding of their row
SINGLE, SMALLEST = 2.0**-24, 2.0**-126  # of float32: its rounding, its smallest normal number


class Improper(Exception):
    """A value that is not finite though its operands are; `node` made it."""

    def __init__(self, node: Node, operands: list[Array]) -> None:
        super().__init__(node.op)
        self.node, self.operands = node, operands


class Unmet(Exception):
    """A condition of a block that does not hold at these sizes, or an index that lies outside."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A choice that is made on numbers: what was chosen, and whether another choice was as good.

    `tied`: a kink, at which derivatives are a matter of taste; `bent`: one at which all agree on the first derivative.
    """

    what: str
    chosen: bytes
    tied: bool
    bent: bool = False
    derived: bool = False  # whether it is made inside of `grad`
    margin: Numbers | None = None  # how far each number is from where the choice is another one

    def safe(self, moved: Decision, times: float) -> bool:
        """Whether no number is so near to another choice that so many times what rounding moves it reaches there."""
        if self.margin is None or moved.margin is None or self.margin.shape != moved.margin.shape:
            return True
        gap = np.abs(moved.margin - self.margin)
        return not bool(np.any((gap > 0) & (self.margin <= times * gap)))


@dataclass
class World:
    """One run."""

    training: bool = False
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    unit: float = 0.0  # relative rounding to pretend after each operation; 0 for none
    noise: np.random.Generator | None = None
    short: bool = False  # whether settings are numbers of float32, as attributes of ONNX are
    strict: bool = False  # whether a value that is not finite by accident is an error
    decisions: list[Decision] | None = None
    taps: dict[str, list[Array]] = field(default_factory=dict)
    draws: list[tuple[str, Mapping[str, Any], Numbers]] = field(default_factory=list)
    largest: float = 0.0  # the largest finite number on the way
    near: bool = False  # whether float32 might have chosen otherwise
    kernels: bool = False  # whether to round as ONNX Runtime does where it does worse than the type allows
    cancels: bool = False  # whether it ran an operation of which a small result may be nothing but rounding
    deriving: int = 0  # in how many `grad` it is
    cuts: bool = False  # whether a derivative was overridden on the way: finite differences do not see it

    def decide(
        self, what: str, chosen: Numbers, tied: Any = False, bent: Any = False, by: tuple[Any, Any] | None = None
    ) -> None:
        """Note a choice; `by` are the two numbers whose order decides."""
        margin = None if by is None else np.abs(np.asarray(by[0] - by[1], np.float64))
        if by is not None and self.unit >= SINGLE:
            gap, size = np.abs(by[0] - by[1]), np.maximum(np.abs(by[0]), np.abs(by[1]))
            self.near = self.near or bool(np.any((gap > 0) & (gap <= 4 * self.unit * size)))
        if self.decisions is not None:
            made = np.ascontiguousarray(chosen).tobytes()
            tie, bend = bool(np.any(tied)), bool(np.any(bent))
            self.decisions.append(Decision(what, made, tie, bend, self.deriving > 0, margin))

    def mark(self) -> Any:
        """Where this run stands: what is drawn next, and how much is noted."""
        generators = [None if g is None else g.bit_generator.state for g in (self.rng, self.noise)]
        noted = len(self.decisions) if self.decisions is not None else 0
        return generators, noted, len(self.draws), dict(self.taps)

    def back_to(self, mark: Any) -> None:
        """Forget what came after a mark."""
        generators, noted, drawn, self.taps = mark
        for generator, state in zip((self.rng, self.noise), generators, strict=True):
            if generator is not None:
                generator.bit_generator.state = state
        if self.decisions is not None:
            del self.decisions[noted:]
        del self.draws[drawn:]

    def derived(self, array: Array) -> Array:
        """A derivative as if what flows together in it, from the 1 of its scalar on, was rounded: flows that cancel
        leave rounding, and kernels compute slopes of sigmoids as 1 less a number close to 1.
        """
        if self.noise is None or not self.unit or not array.smooth:
            return array
        part = self.unit * _waves(array.value, self.noise.uniform(0, 1))
        return Array(array.value + part, ((array, lambda g: g),))

    def rounded(self, array: Array, elem: str, given: Array | None = None, *, apart: bool = False) -> Array:
        """An array as if each entry had been rounded once; as a part of the operand `given`, where that cancels.

        `apart`: also entries that are equal, which may be sums of the same terms in another order.
        """
        unit = max(self.unit, UNITS.get(elem, 0.0)) if self.noise is not None else 0.0
        if not unit or not array.smooth or self.noise is None:
            return array
        phase = self.noise.uniform(0, 1)
        part = unit * (self.noise.uniform(-1, 1, array.shape) if apart else _waves(array.value, phase))
        factor = 1 + part
        if unit >= SINGLE:  # what is less than the smallest number of float32 is lost
            factor = np.where(np.abs(array.value) < SMALLEST, 0.0, factor)
            part = factor - 1
        rounded = array.value * factor
        if given is not None and (unit >= SINGLE or self.kernels):
            rounded = rounded + part * np.abs(given.value)
        return Array(rounded, ((array, lambda g: g),))


def _waves(x: Numbers, phase: float) -> Numbers:
    """Numbers between -1 and 1 that look random, equal where x is equal: what is equal is rounded alike."""
    bits = np.ascontiguousarray(np.real(x) + 0.77 * np.imag(x), np.float64).view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    part = (mixed >> np.uint64(11)).astype(np.float64) / 2**53
    return np.asarray(2 * ((part + phase) % 1.0) - 1).reshape(x.shape)


def dtype_of(elem: str) -> Any:
    """numpy's type for an element type: every float is float64."""
    return DTYPES.get(elem, np.float64)


@dataclass(frozen=True, slots=True)
class Op:
    """One operation at one place: its node, and what its sizes are there."""

    node: Node
    world: World
    env: Mapping[Unknown, int]
    packs: Mapping[str, tuple[int, ...]]
    types: tuple[TensorType | None, ...]  # of its operands

    def attr(self, name: str, default: Any = None) -> Any:
        return self.node.attr(name, default)

    def number(self, value: Any) -> Any:
        """A size, or a number that depends on sizes."""
        return number(value, self.env)

    def setting(self, name: str, default: Any = None) -> Any:
        """A number of its brackets."""
        found = self.number(self.attr(name, default))
        return float(np.float32(found)) if self.world.short and isinstance(found, float) else found

    def axis(self, name: str = "axis", operand: int = 0) -> int:
        """An axis among those that the operand has here."""
        return self.place(self.attr(name), operand)

    def place(self, position: int, operand: int = 0) -> int:
        """A position in the type of an operand (a pack counts as one) as one among its axes."""
        type = self.types[operand]
        assert type is not None
        return sum(self.width(axis.pack) for axis in type.axes[:position])

    def places(self, positions: Any, operand: int = 0) -> tuple[int, ...]:
        """Several positions; a pack is all of its axes."""
        type = self.types[operand]
        assert type is not None
        found: list[int] = []
        for position in positions:
            start = self.place(position, operand)
            found += range(start, start + self.width(type.axes[position].pack))
        return tuple(found)

    def width(self, pack: str | None) -> int:
        return 1 if pack is None else len(self.packs[pack])

    def shape(self, output: int = 0) -> tuple[int, ...]:
        """The shape that the type of a result has here."""
        return shape_of(self.node.outputs[output].type, self.env, self.packs)

    @property
    def elem(self) -> str:
        """The element type of the first result."""
        return self.node.outputs[0].type.elem


def shape_of(type: TensorType, env: Mapping[Unknown, int], packs: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """A shape at these sizes."""
    found: list[int] = []
    for axis in type.axes:
        found += packs[axis.pack] if axis.pack is not None else (axis.size.at(env),)
    return tuple(found)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "neg": lambda a: -a,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "log": math.log,
    "exp": math.exp,
    "log2": math.log2,
    "ceil": math.ceil,
    "floor": math.floor,
}


def number(value: Any, env: Mapping[Unknown, int]) -> Any:
    """A number at these sizes."""
    if isinstance(value, Const):
        return number(value.value, env)
    if isinstance(value, Size):
        return value.at(env)
    if isinstance(value, Scalar):
        return FUNCTIONS[value.fn](*(number(arg, env) for arg in value.args))
    return value
