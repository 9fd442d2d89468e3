"""What structural operations say of themselves: one frozen class for each, which a node holds as its `structure`.

An operation of `compiler.ops` has `attrs` instead. Fields are what the text form of the IR shows, in their order; a
field that equals its default is left out there. How a class divides the inputs, the region's inputs and the results of
its node is told by its `parts` and `results`, so that nobody adds up counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

from ogive.compiler.sizes import Condition, Size, Unknown

T = TypeVar("T")
Pairs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Parts(Generic[T]):
    """What goes into a loop, or into its region: carried from iteration to iteration, sliced by it, the same in all."""

    carried: tuple[T, ...]
    sliced: tuple[T, ...]
    captured: tuple[T, ...]

    @property
    def own(self) -> tuple[T, ...]:
        """What an iteration has for itself, in order."""
        return (*self.carried, *self.sliced)


@dataclass(frozen=True, slots=True)
class Results(Generic[T]):
    """What comes out of a loop, or of its region: carried values, and what each iteration yields."""

    carried: tuple[T, ...]
    yielded: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class Operands(Generic[T]):
    """What goes into a derivative: the operands of the function, and what it captures."""

    given: tuple[T, ...]
    captured: tuple[T, ...]


class _Structure:
    """What all have in common: without some inputs or results of its node it says the same, unless told otherwise."""

    __slots__ = ()
    op: ClassVar[str]

    @property
    def pairs(self) -> Pairs:
        """Its fields by name, those that equal their default left out."""
        found = ((each.name, getattr(self, each.name), each.default) for each in fields(self))  # type: ignore[arg-type]
        return tuple((name, value) for name, value, default in found if default is MISSING or value != default)

    @classmethod
    def of_pairs(cls, pairs: Pairs) -> Any:
        """The structure with these fields. Raises TypeError where one is missing or unknown."""
        return cls(**dict(pairs))

    def map_values(self, function: Callable[[Any], Any]) -> Any:
        """The structure with a function applied to the value of each field."""
        changes = {each.name: function(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]
        return replace(self, **changes)  # type: ignore[type-var]

    def without_inputs(self, gone: Collection[int]) -> Any:
        """What it says where the inputs at some places are left out, and the carried results with them."""
        del gone
        return self

    def without_yields(self, gone: Collection[int]) -> Any:
        """What it says where the results at some places are left out, none of them carried."""
        del gone
        return self

    @property
    def taken_at(self) -> int:
        """Before which input those come that `taking` adds as slices, or as captures of a first region."""
        return 0

    def taking(self, sliced: int, captured: int) -> Any:
        """What it says where its regions take so many inputs more."""
        del sliced, captured
        return self


class _Loop(_Structure):
    """Inputs of a loop are first carried values, the sliced tensors and captures; those of its region are the carried
    values, a slice of each tensor and the captures. Both give carried values, then yields.
    """

    __slots__ = ()
    carried: int
    sliced: int

    def parts(self, inputs: Sequence[T]) -> Parts[T]:
        """The inputs of the node, or of its region, by what they are."""
        first = self.carried + self.sliced
        return Parts(tuple(inputs[: self.carried]), tuple(inputs[self.carried : first]), tuple(inputs[first:]))

    def results(self, outputs: Sequence[T]) -> Results[T]:
        """The results of the node, or of its region, by what they are."""
        return Results(tuple(outputs[: self.carried]), tuple(outputs[self.carried :]))

    @property
    def taken_at(self) -> int:
        return self.carried + self.sliced

    def carries(self, at: int) -> bool:
        """Whether the input or the result at a place is carried."""
        return at < self.carried

    def slices(self, at: int) -> bool:
        """Whether the input at a place is sliced."""
        return self.carried <= at < self.carried + self.sliced


@dataclass(frozen=True, slots=True)
class RepeatAttrs(_Loop):
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

    @property
    def slice_axes(self) -> tuple[int, ...]:
        """Along which axis each sliced input is cut."""
        return (0,) * self.sliced

    def without_inputs(self, gone: Collection[int]) -> RepeatAttrs:
        left = self.parts([at not in gone for at in range(self.carried + self.sliced)])
        return replace(self, carried=sum(left.carried), sliced=sum(left.sliced))

    def taking(self, sliced: int, captured: int) -> RepeatAttrs:
        return replace(self, sliced=self.sliced + sliced)


@dataclass(frozen=True, slots=True)
class ScanAttrs(_Loop):
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

    @property
    def slice_axes(self) -> tuple[int, ...]:
        """Along which axis each sliced input is cut."""
        return self.axes

    @property
    def yield_axis(self) -> int:
        """Where the axis of the iterations is in what is yielded."""
        return self.axis

    def without_inputs(self, gone: Collection[int]) -> ScanAttrs:
        left = self.parts([at not in gone for at in range(self.carried + self.sliced)])
        axes = tuple(axis for axis, stays in zip(self.axes, left.sliced, strict=True) if stays)
        return replace(self, carried=sum(left.carried), sliced=sum(left.sliced), axes=axes)


class _Vectorized(_Structure):
    """The first `mapped` inputs lack an axis inside, which is at `in_axes` outside; results get it at `out_axes`."""

    __slots__ = ()
    mapped: int
    in_axes: tuple[int, ...]
    out_axes: tuple[int, ...]

    def parts(self, inputs: Sequence[T]) -> Parts[T]:
        """The inputs of the node, or of its region: nothing is carried, and what is mapped is sliced."""
        return Parts((), tuple(inputs[: self.mapped]), tuple(inputs[self.mapped :]))

    def without_inputs(self, gone: Collection[int]) -> Any:
        axes = tuple(axis for at, axis in enumerate(self.in_axes) if at not in gone)
        return replace(self, mapped=len(axes), in_axes=axes)  # type: ignore[type-var]

    def without_yields(self, gone: Collection[int]) -> Any:
        axes = tuple(axis for at, axis in enumerate(self.out_axes) if at not in gone)
        return replace(self, out_axes=axes)  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class OverAttrs(_Vectorized):
    """`over`: regions[0] is applied at every index of an axis of length `size`, with one set of weights."""

    op: ClassVar[str] = "over"
    size: Size
    mapped: int
    in_axes: tuple[int, ...]
    out_axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EachAttrs(_Vectorized):
    """`each`: as `over`, where instances with a `vectorized` give each index its own weights."""

    op: ClassVar[str] = "each"
    size: Size
    mapped: int
    in_axes: tuple[int, ...]
    out_axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GradAttrs(_Structure):
    """`grad`: regions[0] gives a scalar; the result is its derivative in the first of so many `operands`."""

    op: ClassVar[str] = "grad"
    operands: int

    def parts(self, inputs: Sequence[T]) -> Operands[T]:
        """The inputs of the node, or of its region."""
        return Operands(tuple(inputs[: self.operands]), tuple(inputs[self.operands :]))

    def without_inputs(self, gone: Collection[int]) -> GradAttrs:
        return replace(self, operands=self.operands - sum(at < self.operands for at in gone))


@dataclass(frozen=True, slots=True)
class CustomGradAttrs(_Structure):
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

    @property
    def taken_at(self) -> int:
        return 1 + self.captured

    def taking(self, sliced: int, captured: int) -> CustomGradAttrs:
        return replace(self, captured=self.captured + captured)


@dataclass(frozen=True, slots=True)
class PhaseAttrs(_Structure):
    """`phase`: regions (training, deployed), same inputs and output types: `if training:`."""

    op: ClassVar[str] = "phase"


@dataclass(frozen=True, slots=True)
class GivenAttrs(_Structure):
    """`given`: regions (given, absent) on whether the first input of the node is there."""

    op: ClassVar[str] = "given"


@dataclass(frozen=True, slots=True)
class TappedAttrs(_Structure):
    """`tapped`: regions (asked, plain) on whether a tap is asked for; made by a pass (`passes.taps`)."""

    op: ClassVar[str] = "tapped"


@dataclass(frozen=True, slots=True)
class CallAttrs(_Structure):
    """`call`: what is applied, and with which sizes and weights, is in the node: `callee`, `bindings`, `supplied`."""

    op: ClassVar[str] = "call"


@dataclass(frozen=True, slots=True)
class WeightAttrs(_Structure):
    """`weight`: the weight at the node's `path`. It may be read from outside of the last loops of that path: then all
    iterations of so many loops are `stacked` on first axes.
    """

    op: ClassVar[str] = "weight"
    stacked: int = 0


@dataclass(frozen=True, slots=True)
class UpdateAttrs(_Structure):
    """`update`: the state at the node's `path` takes the value of its input, in training only."""

    op: ClassVar[str] = "update"


@dataclass(frozen=True, slots=True)
class AssumeAttrs(_Structure):
    """`assume`: a condition on sizes that is checked when the model runs, and how the source says it."""

    op: ClassVar[str] = "assume"
    condition: Condition
    text: str


@dataclass(frozen=True, slots=True)
class TapAttrs(_Structure):
    """`tap`: its input may be looked at under a name, or under the node's `path` where it has one."""

    op: ClassVar[str] = "tap"
    name: str


@dataclass(frozen=True, slots=True)
class ExternAttrs(_Structure):
    """`extern`: the class of the user's own at `target` ("package.module:Class"), made with `settings`; the definition
    holds nothing else.
    """

    op: ClassVar[str] = "extern"
    target: str
    settings: Pairs


@dataclass(frozen=True, slots=True)
class InitialAttrs(_Structure):
    """`initial`: a named initializer inside an expression: a tensor of the shape of the weight that is filled, or,
    where it is `alone`, of the shape of its result.
    """

    op: ClassVar[str] = "initial"
    name: str
    settings: Pairs
    alone: bool = False

    @property
    def pairs(self) -> Pairs:
        return (("name", self.name), *self.settings, *((("alone", True),) if self.alone else ()))

    @classmethod
    def of_pairs(cls, pairs: Pairs) -> InitialAttrs:
        settings = tuple(pair for pair in pairs if pair[0] not in ("name", "alone"))
        return cls(dict(pairs)["name"], settings, dict(pairs).get("alone", False))


@dataclass(frozen=True, slots=True)
class AbstractCallAttrs(_Structure):
    """`static`: a block that the definition is given and does not know; only while it is checked for all of them."""

    op: ClassVar[str] = "static"
    name: str


@dataclass(frozen=True, slots=True)
class FaultAttrs(_Structure):
    """`fault`: an error, among what was understood of a faulty block; drawn, never run."""

    op: ClassVar[str] = "fault"
    text: str


LoopAttrs = RepeatAttrs | ScanAttrs
VectorizedAttrs = OverAttrs | EachAttrs
ChoiceAttrs = PhaseAttrs | GivenAttrs | TappedAttrs
Structure = (
    RepeatAttrs
    | ScanAttrs
    | OverAttrs
    | EachAttrs
    | GradAttrs
    | CustomGradAttrs
    | PhaseAttrs
    | GivenAttrs
    | TappedAttrs
    | CallAttrs
    | WeightAttrs
    | UpdateAttrs
    | AssumeAttrs
    | TapAttrs
    | ExternAttrs
    | InitialAttrs
    | AbstractCallAttrs
    | FaultAttrs
)
STRUCTURES: Mapping[str, type[Structure]] = MappingProxyType({each.op: each for each in Structure.__args__})
UNFINISHED = frozenset((AbstractCallAttrs.op, FaultAttrs.op))  # only in definitions that are not checked yet, or faulty
