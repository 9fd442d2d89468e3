"""What structures have in common: how they divide the inputs and results of a node and of its regions, and what they
say where some of these are left out or added.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar, Generic, TypeVar

from ogive.compiler.ir.effect import Effect
from ogive.compiler.sizes import Size

T = TypeVar("T")
Pairs = tuple[tuple[str, Any], ...]
HEAD = ("path", "callee", "bindings", "supplied")  # fields with a place of their own in the text of a node


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


class StructureBase:
    """What all have in common: without some inputs or results of its node it says the same, unless told otherwise."""

    __slots__ = ()
    op: ClassVar[str]
    effect: ClassVar[Effect] = Effect.NONE  # of itself, without what it calls and what its regions do

    @property
    def pairs(self) -> Pairs:
        """Its fields by name, without those of `HEAD`; those that equal their default are left out."""
        named = (each for each in fields(self) if each.name not in HEAD)  # type: ignore[arg-type]
        found = ((each.name, getattr(self, each.name), each.default) for each in named)
        return tuple((name, value) for name, value, default in found if default is MISSING or value != default)

    @classmethod
    def of_pairs(cls, pairs: Pairs, **head: Any) -> Any:
        """The structure with these fields, and those of its head. Raises TypeError where one is missing or unknown."""
        return cls(**dict(pairs), **head)

    @property
    def path(self) -> str:
        """The weight, the instance or the loop that it is about, by its path in the definition; "" for none."""
        return ""

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
    def times(self) -> Size | None:
        """How often its region runs at each run of the node; None where that is once, or no question."""
        return None

    def used(self, regions: Sequence[T]) -> Sequence[T]:
        """The regions that run where nothing trains and every optional input is given."""
        return regions

    def stays(self, at: int) -> bool:
        """Whether the result at a place is there, whatever its regions give."""
        del at
        return False

    @property
    def taken_at(self) -> int:
        """Before which input those come that `taking` adds as slices, or as captures of a first region."""
        return 0

    def taking(self, sliced: int, captured: int) -> Any:
        """What it says where its regions take so many inputs more."""
        del sliced, captured
        return self

    def input_axis(self, at: int) -> int | None:
        """The axis of the input at a place that its region is given an index of."""
        del at
        return None

    def result_axis(self, at: int) -> int | None:
        """The axis of the result at a place that its region gives an index of."""
        del at
        return None


class LoopBase(StructureBase):
    """Inputs of a loop are first carried values, the sliced tensors and captures; those of its region are the carried
    values, a slice of each tensor and the captures. Both give carried values, then yields.
    """

    __slots__ = ()
    count: Size
    carried: int
    sliced: int

    @property
    def times(self) -> Size:
        return self.count

    def stays(self, at: int) -> bool:
        return self.carries(at)

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


class VectorizedBase(StructureBase):
    """The first `mapped` inputs lack an axis inside, which is at `in_axes` outside; results get it at `out_axes`."""

    __slots__ = ()
    size: Size
    mapped: int
    in_axes: tuple[int, ...]
    out_axes: tuple[int, ...]

    @property
    def times(self) -> Size:
        return self.size

    def parts(self, inputs: Sequence[T]) -> Parts[T]:
        """The inputs of the node, or of its region: nothing is carried, and what is mapped is sliced."""
        return Parts((), tuple(inputs[: self.mapped]), tuple(inputs[self.mapped :]))

    def input_axis(self, at: int) -> int | None:
        return self.in_axes[at] if at < len(self.in_axes) else None

    def result_axis(self, at: int) -> int | None:
        return self.out_axes[at]

    def without_inputs(self, gone: Collection[int]) -> Any:
        axes = tuple(axis for at, axis in enumerate(self.in_axes) if at not in gone)
        return replace(self, mapped=len(axes), in_axes=axes)  # type: ignore[type-var]

    def without_yields(self, gone: Collection[int]) -> Any:
        axes = tuple(axis for at, axis in enumerate(self.out_axes) if at not in gone)
        return replace(self, out_axes=axes)  # type: ignore[type-var]
