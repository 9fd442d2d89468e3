"""What is counted of a graph: a summary in its own sizes, which every use of it takes at other sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ogive.compiler.analysis.cost.storage import PLAIN, Order
from ogive.compiler.analysis.frame.interpreter import DomainFrame, UnknownOp
from ogive.compiler.analysis.frame.result import Largest
from ogive.compiler.ir.model import Definition, Node
from ogive.compiler.sizes import Size, Unknown, size

Mask = tuple[bool, ...]  # for each input or output


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of one run: multiply-adds ahead, those of a derivative inside, other FLOPs, bytes of results, and bytes
    that backward keeps beside the inputs.
    """

    ahead: Size = field(default_factory=lambda: size(0))
    back: Size = field(default_factory=lambda: size(0))
    flops: Size = field(default_factory=lambda: size(0))
    activations: Size = field(default_factory=lambda: size(0))
    saved: Size = field(default_factory=lambda: size(0))

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def times(self, many: Size) -> Counts:
        """Of so many runs."""
        return Counts(*(many * getattr(self, name) for name in NAMES))

    def subs(self, mapping: Mapping[Unknown, Size]) -> Counts:
        """At other sizes."""
        return Counts(*(getattr(self, name).subs(mapping) for name in NAMES))


NAMES = ("ahead", "back", "flops", "activations", "saved")


@dataclass(frozen=True, slots=True)
class Held:
    """Where the memory of a value is: the value that owns it, whether a derivative goes through it (`live`, inside of
    `grad`), whether training sends a gradient through it, and how its axes lie in memory. Of a weight under a mask
    `nonzero` is how many of its entries are not 0.
    """

    root: str
    live: bool = False
    trains: bool = False
    order: Order | None = PLAIN
    nonzero: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """An output of a graph: the input or the weight whose memory it is, if one, whether that memory is among what is
    saved, and gradients.
    """

    input: int | None
    weight: bool
    saved: bool
    live: bool
    trains: bool
    order: Order | None


@dataclass(frozen=True, slots=True)
class Below:
    """A block that a graph applies: where, so often, and what it costs; a path of "" is a block without weights."""

    path: str
    definition: Definition
    summary: CostSummary
    bindings: Mapping[Unknown, Size]
    times: Size
    node: Node


@dataclass(frozen=True, slots=True)
class CostSummary:
    """What a graph costs in its own sizes. `kept` are the inputs that backward keeps, `peak` the most bytes that its
    own values take at once.
    """

    counts: Counts
    results: tuple[Result, ...]
    kept: frozenset[int]
    peak: Largest
    below: tuple[Below, ...]
    unknown: tuple[UnknownOp, ...]

    @property
    def live(self) -> Mask:
        return tuple(result.live for result in self.results)

    @property
    def trains(self) -> Mask:
        return tuple(result.trains for result in self.results)


@dataclass(slots=True)
class CostFrame(DomainFrame[Held]):
    """What is counted so far of a graph."""

    counts: Counts = field(default_factory=Counts)
    inputs: dict[str, int] = field(default_factory=dict)  # which input owns the memory of that name
    kept: set[int] = field(default_factory=set)
    saved: set[str] = field(default_factory=set)
    owned: dict[str, Size] = field(default_factory=dict)  # bytes of what is made here
    peaks: dict[int, Largest] = field(default_factory=dict)  # those of the graphs that the node at a place runs
    below: list[Below] = field(default_factory=list)
    unknown: dict[UnknownOp, None] = field(default_factory=dict)
    at: int = 0  # the node that is walked
