"""What structural operations say of themselves: one frozen class for each, which a node holds as its `structure`.

That of `call` is with definitions (`compiler.ir.model`), which it holds.

An operation of `compiler.ops` has `attrs` instead. Fields are what the text form of the IR shows, in their order; a
field that equals its default is left out there. How a class divides the inputs, the region's inputs and the results of
its node is told by its `parts` and `results`, so that nobody adds up counts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from ogive.compiler.ir.effect import Effect
from ogive.compiler.ir.structure import LoopBase, Operands, Pairs, StructureBase, VectorizedBase
from ogive.compiler.sizes import Condition, Size, Unknown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RepeatAttrs(LoopBase):
    """`repeat`: regions[0] runs `count` times. Slices are along the first axis, and yields are stacked on a new first
    axis. `index` stands for the number of the iteration inside, where something asks for it.
    """

    op: ClassVar[str] = "repeat"
    reverse: ClassVar[bool] = False
    yield_axis: ClassVar[int] = 0
    count: Size
    carried: int
    sliced: int
    index: Unknown | None
    path: str = ""

    @property
    def slice_axes(self) -> tuple[int, ...]:
        """Along which axis each sliced input is cut."""
        return (0,) * self.sliced

    def input_axis(self, at: int) -> int | None:
        return 0 if self.slices(at) else None

    def result_axis(self, at: int) -> int | None:
        return None if self.carries(at) else 0

    def without_inputs(self, gone: Collection[int]) -> RepeatAttrs:
        left = self.parts([at not in gone for at in range(self.carried + self.sliced)])
        return replace(self, carried=sum(left.carried), sliced=sum(left.sliced))

    def taking(self, sliced: int, captured: int) -> RepeatAttrs:
        return replace(self, sliced=self.sliced + sliced)


@dataclass(frozen=True, slots=True)
class ScanAttrs(LoopBase):
    """`scan`: as `repeat`, along one of the `axes` of each sliced input, from its end with `reverse`; yields get theirs
    at `axis`.
    """

    op: ClassVar[str] = "scan"
    index: ClassVar[Unknown | None] = None
    axes: tuple[int, ...]
    axis: int
    reverse: bool
    carried: int
    sliced: int
    count: Size
    path: str = ""

    @property
    def slice_axes(self) -> tuple[int, ...]:
        """Along which axis each sliced input is cut."""
        return self.axes

    def input_axis(self, at: int) -> int | None:
        return self.axes[at - self.carried] if self.slices(at) else None

    def result_axis(self, at: int) -> int | None:
        return None if self.carries(at) else self.axis

    @property
    def yield_axis(self) -> int:
        """Where the axis of the iterations is in what is yielded."""
        return self.axis

    def without_inputs(self, gone: Collection[int]) -> ScanAttrs:
        left = self.parts([at not in gone for at in range(self.carried + self.sliced)])
        axes = tuple(axis for axis, stays in zip(self.axes, left.sliced, strict=True) if stays)
        return replace(self, carried=sum(left.carried), sliced=sum(left.sliced), axes=axes)


@dataclass(frozen=True, slots=True)
class OverAttrs(VectorizedBase):
    """`over`: regions[0] is applied at every index of an axis of length `size`, with one set of weights."""

    op: ClassVar[str] = "over"
    size: Size
    mapped: int
    in_axes: tuple[int, ...]
    out_axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EachAttrs(VectorizedBase):
    """`each`: as `over`, where instances with a `vectorized` give each index its own weights."""

    op: ClassVar[str] = "each"
    size: Size
    mapped: int
    in_axes: tuple[int, ...]
    out_axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GradAttrs(StructureBase):
    """`grad`: regions[0] gives a scalar; the result is its derivative in the first of so many `operands`."""

    op: ClassVar[str] = "grad"
    operands: int

    def parts(self, inputs: Sequence[T]) -> Operands[T]:
        """The inputs of the node, or of its region."""
        return Operands(tuple(inputs[: self.operands]), tuple(inputs[self.operands :]))

    def without_inputs(self, gone: Collection[int]) -> GradAttrs:
        return replace(self, operands=self.operands - sum(at < self.operands for at in gone))


@dataclass(frozen=True, slots=True)
class CustomGradAttrs(StructureBase):
    """`custom_grad`: regions (value, derivative). The first takes the operand and so many inputs that it has
    `captured`; the second the operand, the incoming gradient, and the inputs that are left.
    """

    op: ClassVar[str] = "custom_grad"
    captured: int

    def forward(self, inputs: Sequence[T]) -> Operands[T]:
        """The inputs of the node that its first region takes."""
        return Operands(tuple(inputs[:1]), tuple(inputs[1 : 1 + self.captured]))

    def backward(self, inputs: Sequence[T]) -> Operands[T]:
        """Those that its second region takes, the incoming gradient left out."""
        return Operands(tuple(inputs[:1]), tuple(inputs[1 + self.captured :]))

    def used(self, regions: Sequence[T]) -> Sequence[T]:
        return regions[:1]

    def stays(self, at: int) -> bool:
        return True

    @property
    def taken_at(self) -> int:
        return 1 + self.captured

    def taking(self, sliced: int, captured: int) -> CustomGradAttrs:
        return replace(self, captured=self.captured + captured)


@dataclass(frozen=True, slots=True)
class PhaseAttrs(StructureBase):
    """`phase`: regions (training, deployed), same inputs and output types: `if training:`."""

    op: ClassVar[str] = "phase"

    def used(self, regions: Sequence[T]) -> Sequence[T]:
        return regions[1:]


@dataclass(frozen=True, slots=True)
class GivenAttrs(StructureBase):
    """`given`: regions (given, absent) on whether the first input of the node is there."""

    op: ClassVar[str] = "given"

    def used(self, regions: Sequence[T]) -> Sequence[T]:
        return regions[:1]


@dataclass(frozen=True, slots=True)
class TappedAttrs(StructureBase):
    """`tapped`: regions (asked, plain) on whether a tap is asked for; made by a pass (`passes.taps`)."""

    op: ClassVar[str] = "tapped"


@dataclass(frozen=True, slots=True)
class WeightAttrs(StructureBase):
    """`weight`: the weight at `path`, of the definition or of an instance in it ("wte.weight"). It may be read from
    outside of the last loops of that path: then all iterations of so many loops are `stacked` on first axes.
    """

    op: ClassVar[str] = "weight"
    path: str = field()  # without a default: that of the base says that there is none
    stacked: int = 0


@dataclass(frozen=True, slots=True)
class UpdateAttrs(StructureBase):
    """`update`: the state at `path` takes the value of its input, in training only."""

    op: ClassVar[str] = "update"
    effect: ClassVar[Effect] = Effect.WRITES
    path: str = field()  # without a default: that of the base says that there is none


@dataclass(frozen=True, slots=True)
class AssumeAttrs(StructureBase):
    """`assume`: a condition on sizes that is checked when the model runs, and how the source says it."""

    op: ClassVar[str] = "assume"
    effect: ClassVar[Effect] = Effect.CHECKS
    condition: Condition
    text: str


@dataclass(frozen=True, slots=True)
class TapAttrs(StructureBase):
    """`tap`: its input may be looked at under a name, or under `path` where it has one."""

    op: ClassVar[str] = "tap"
    effect: ClassVar[Effect] = Effect.SHOWS
    name: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class ExternAttrs(StructureBase):
    """`extern`: the class of the user's own at `target` ("package.module:Class"), made with `settings`; the definition
    holds nothing else.
    """

    op: ClassVar[str] = "extern"
    target: str
    settings: Pairs


@dataclass(frozen=True, slots=True)
class InitialAttrs(StructureBase):
    """`initial`: a named initializer inside an expression: a tensor of the shape of the weight that is filled, or,
    where it is `alone`, of the shape of its result.
    """

    op: ClassVar[str] = "initial"
    effect: ClassVar[Effect] = Effect.DRAWS
    name: str
    settings: Pairs
    alone: bool = False

    @property
    def pairs(self) -> Pairs:
        return (("name", self.name), *self.settings, *((("alone", True),) if self.alone else ()))

    @classmethod
    def of_pairs(cls, pairs: Pairs, **head: Any) -> InitialAttrs:
        settings = tuple(pair for pair in pairs if pair[0] not in ("name", "alone"))
        return cls(dict(pairs)["name"], settings, dict(pairs).get("alone", False), **head)


@dataclass(frozen=True, slots=True)
class AbstractCallAttrs(StructureBase):
    """`static`: a block that the definition is given and does not know; only while it is checked for all of them."""

    op: ClassVar[str] = "static"
    name: str


@dataclass(frozen=True, slots=True)
class FaultAttrs(StructureBase):
    """`fault`: an error, among what was understood of a faulty block; drawn, never run."""

    op: ClassVar[str] = "fault"
    text: str


LoopAttrs = RepeatAttrs | ScanAttrs
VectorizedAttrs = OverAttrs | EachAttrs
ChoiceAttrs = PhaseAttrs | GivenAttrs | TappedAttrs
PlainStructure = (
    RepeatAttrs
    | ScanAttrs
    | OverAttrs
    | EachAttrs
    | GradAttrs
    | CustomGradAttrs
    | PhaseAttrs
    | GivenAttrs
    | TappedAttrs
    | WeightAttrs
    | UpdateAttrs
    | AssumeAttrs
    | TapAttrs
    | ExternAttrs
    | InitialAttrs
    | AbstractCallAttrs
    | FaultAttrs
)
