"""A block at one choice of everything that is not a size: what its elaboration finds, and by what it is found again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ogive.compiler.elaborate.state.blocks import BlockRef
from ogive.compiler.ir.model import Bindings, Definition, Graph
from ogive.compiler.ir.presence import Presence
from ogive.compiler.ir.types import TensorType
from ogive.compiler.sizes import Condition, Size, Unknown
from ogive.grammar.diagnostics import Diagnostic


@dataclass(eq=False)
class Specialization:
    """One elaboration of a block. `holes` are its unknowns, in the order in which a use binds them."""

    ref: BlockRef
    holes: tuple[Unknown, ...]
    pinned: bool = False  # a recursive block whose numbers are known
    pins: tuple[tuple[int, int], ...] = ()  # those numbers, by hole
    ties: tuple[Condition, ...] = ()  # what its sizes must satisfy: no proof for all sizes covers it
    running: bool = True
    ok: bool = False
    decisions: list[tuple[Condition, bool]] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    handed: list[tuple[str | int, Diagnostic]] = field(default_factory=list)  # of axes handed to it, said at its uses
    uses: list[Specialization] = field(default_factory=list)
    open: bool = False  # a block that uses itself stands in it, seen through its signature: no number was known
    definition: Definition | None = None
    outputs: tuple[TensorType, ...] | None = None
    absent_outputs: tuple[int, ...] = ()  # optional outputs that are not there
    omitted_outputs: tuple[int, ...] = ()  # those of them that its `return` does not list: a use does not see them
    presence: tuple[Presence, ...] = ()  # of each output that may be there: under which condition on its own inputs
    conditions: tuple[Condition, ...] = ()
    derived: tuple[Size, ...] = ()  # the sizes that its conditions keep positive
    sketch: Graph | None = None  # where it is not ok: what was built before a fault, outputs left out


@dataclass(frozen=True, slots=True)
class Use:
    """A use of an elaborated block: a specialization with the user's sizes behind its unknowns."""

    specialization: Specialization
    bindings: Bindings

    @property
    def definition(self) -> Definition:
        """The checked block."""
        assert self.specialization.definition is not None
        return self.specialization.definition


class Hole:
    """The place of a size in a value that has been made abstract."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hole) and other.index == self.index

    def __hash__(self) -> int:
        return hash(("hole", self.index))


@dataclass
class Abstract:
    """A use of a block with its sizes taken out: the key of its specializations, and the sizes in order."""

    key: tuple[Any, ...]
    names: list[str]
    lows: list[int | None]
    sizes: list[Size]
    values: dict[str, Any]
    bound: dict[str, Hole]
    packs: dict[str, tuple[Any, ...]]
