"""What an expression can stand for while a program is elaborated: numbers, tensors, blocks, instances, operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ogive.compiler.elaborate.state.blocks import BlockRef, ConstRef
from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.graph_builder import Tensor
from ogive.compiler.elaborate.state.specialization import Use
from ogive.compiler.ir.model import Scalar
from ogive.compiler.ir.presence import NEVER, Presence
from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.spec import OpSpec
from ogive.compiler.sizes import Condition, Size
from ogive.grammar import syntax
from ogive.grammar.source import Span


@dataclass(frozen=True, slots=True, eq=False)
class Absent:
    """A name that is bound on another path only, or an optional input that was not given."""

    name: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Gone:
    """A name that the iterations of a loop bind, each for itself: behind the loop it means nothing."""

    name: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Partly:
    """A name that some paths bind: what it stands for under each of some conditions, no two of which hold together.

    Tensors of several paths are one case: one value of the graph, which is absent where its condition does not hold.
    """

    name: str
    cases: tuple[tuple[Presence, Any], ...]
    span: Span | None = None

    @property
    def when(self) -> Presence:
        """The condition under which it stands for anything."""
        found = NEVER
        for when, _ in self.cases:
            found = found | when
        return found

    @property
    def tensor(self) -> Tensor | None:
        """The one tensor that it stands for, as an operand of an optional input."""
        match self.cases:
            case ((when, Tensor() as tensor),):
                return replace(tensor, when=when)
            case _:
                return None


class Broken:
    """A value whose making failed: the fault is reported, and nothing that follows from it is."""

    __slots__ = ()


BROKEN = Broken()


@dataclass(frozen=True, slots=True)
class Template:
    """A block with some statics set; applied, it allocates at that place."""

    block: BlockRef
    statics: tuple[tuple[str, Any], ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True, eq=False)
class InstanceValue:
    """An allocated block: one set of weights. Statics left open are inferred at the first application."""

    block: BlockRef
    statics: dict[str, Any]
    path: str
    span: Span
    use: Use | None = None
    bound: dict[str, Any] = field(default_factory=dict)  # all statics, once known
    member: int = -1  # its place among the members of the frame
    used: bool = False
    stored: set[str] = field(default_factory=set)  # the weights that are read by name
    supplied: set[str] | None = None  # the weights that every call so far supplies
    vectorized: Size | None = None  # `each`: so many sets of weights, stacked
    # instances that it was handed, by their place below it
    shared: dict[str, InstanceValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Param:
    """A weight of this body; read, it becomes a tensor of the graph that reads it."""

    path: str
    type: TensorType
    span: Span


@dataclass(frozen=True, slots=True)
class OpTemplate:
    """A primitive operation, with its brackets where it has some."""

    spec: OpSpec
    statics: tuple[tuple[str, Any], ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)
    pattern_span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Composite:
    """`A >> f >> B`: templates, instances and operations, applied one after the other."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Handed:
    """An instance (or a composition) that was written as a static: it is allocated in the block that takes it."""

    value: Any


@dataclass(frozen=True, slots=True)
class TypedBlock:
    """A static of a block's type whose block is not known: its type is all that is."""

    name: str
    type: syntax.BlockType


@dataclass(frozen=True, slots=True)
class VectorizedBlock:
    """`over[axis, f]` or `each[axis, F]` before it is applied."""

    kind: str
    axis: str | int
    func: Any
    span: Span
    supplied: tuple[tuple[str, tuple[Any, syntax.Keyword]], ...] = ()  # what the call gives by name


@dataclass(frozen=True, slots=True)
class RepeatedBlock:
    """`repeat[n, F]` before it is applied; `cycled`: iteration i takes entry i % k of the blocks."""

    count: Size
    blocks: tuple[Any, ...]
    cycled: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Gradient:
    """`grad[f]` or `custom_grad[f, b]` before it is applied."""

    func: Any
    backward: Any
    span: Span
    behind: syntax.Expr | None = None  # where the second block stands


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function on compile-time values."""

    name: str
    run: Callable[..., Any]
    counts: int | None = None  # its numbers from this one on say how long a list is: they must be known
    told: tuple[str, str] = ("", "")  # for the reference: how it is written, and what it gives


@dataclass(frozen=True, slots=True)
class AxisRef:
    """The value of a static of kind `axis`: a label or a position."""

    where: str | int


@dataclass(frozen=True, slots=True)
class PackValue:
    """The axes that a pack stands for; as a number, the list of their sizes."""

    name: str
    axes: tuple[Axis, ...]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes of its axes. Raises UnresolvedChoice where their number is open."""
        if any(axis.pack is not None for axis in self.axes):
            raise UnresolvedChoice(f"the number of axes in *{self.name}")
        return tuple(axis.size for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Choice:
    """A condition that is settled later than compile time: `training`, or whether a name is there.

    `tested` is a value of the graph that is there exactly where the condition holds, if there is one.
    """

    when: Presence
    tested: Tensor | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class UnknownStatic:
    """A static whose value a proof for all values cannot look at (a bool, a string, a list, a block)."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class WeightRef:
    """`wte.weight` before it is read: an instance and a path below it."""

    instance: InstanceValue
    path: tuple[str, ...]


Number = Size | float | Scalar
Given = tuple[str, Any, syntax.Keyword]  # a weight that a call supplies: the name at the call, the value, its place


def is_number(value: object) -> bool:
    """Whether it is a number at compile time, known or not."""
    return isinstance(value, (Size, float, Scalar)) and not isinstance(value, bool)


def whole(value: object) -> int | None:
    """The integer it is, or None."""
    return value.number if isinstance(value, Size) and value.is_number else None


def kind_of(value: object) -> str:
    """What it is, in a user's words."""
    match value:
        case Size():
            return "a size"
        case bool() | Condition() | Choice():
            return "a condition"
        case float() | Scalar():
            return "a number"
        case str():
            return "a string"
        case tuple():
            return "a list"
        case Tensor():
            return f"a tensor {value.type}"
        case Absent():
            return f"absent here (`{value.name}`)"
        case Gone():
            return f"bound in the iterations of a loop alone (`{value.name}`)"
        case Partly():
            return f"there on some paths only (`{value.name}`)"
        case BlockRef() | Template() | TypedBlock() | Handed():
            return "a block"
        case VectorizedBlock() | RepeatedBlock() | Gradient():
            return "a function of a block"
        case InstanceValue() | Composite():
            return "an instance of a block"
        case OpTemplate():
            return "an operation"
        case Builtin() | ConstRef():
            return "a compile-time function"
        case AxisRef():
            return "an axis"
        case None:
            return "none"
        case _:
            return "a value"


def as_written(value: Any) -> tuple[str, ...]:
    """The numbers and truth values in a value, in order: in Python 0.0 equals -0.0 and 1.0 equals true, here not."""
    return tuple(_numbers(value))


def _numbers(value: Any) -> Iterator[str]:
    match value:
        case int() | float():
            yield repr(value)
        case (tuple() as parts) | Scalar(args=parts) | Composite(parts=parts):
            for each in parts:
                yield from _numbers(each)
        case Template(statics=given) | OpTemplate(statics=given):
            for _, each in given:
                yield from _numbers(each)
        case Handed(value=inner):
            yield from _numbers(inner)
