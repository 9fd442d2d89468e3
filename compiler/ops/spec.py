"""What an operation declares: name, signature, statics, shape rule, facts. Backends hold one lowering for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any, Literal, Protocol

from ogive.compiler.ir.types import Axis, TensorType
from ogive.compiler.ops.pointwise_facts import FactsOf
from ogive.compiler.sizes import Condition, Size

Kind = Literal["elementwise", "contraction", "reduction", "layout", "index", "kernel", "value", "random", "structure"]

# How an operation is vectorized over an axis, which then stands first in its operands (compiler.passes.vectorize):
# "align": operands that broadcast from the right; "each": leading axes run through; "shift": the axes that attributes
# name move up by one; "pattern": the pattern gains the axis; "fold": it is merged into the batch, the first axis;
# "draw": every index draws for itself; "value": no operands, the same at every index; "own": a rule of its own.
Batching = Literal["align", "each", "shift", "pattern", "fold", "draw", "value", "own"]

REQUIRED: Any = object()  # the default of a static that has none


class ShapeError(Exception):
    """An operation does not fit its operands: a fact about shapes. The checker finds the places.

    `operand` is the operand at fault; `inside` the characters of a pattern string that are; `code` the diagnostic;
    `axis` the label or position that names no axis.
    """

    def __init__(
        self,
        text: str,
        *,
        code: str = "E0301",
        operand: int | None = None,
        inside: tuple[int, int] | None = None,
        static: str | None = None,
        axis: str | int | None = None,
        help: str = "",
    ) -> None:
        super().__init__(text)
        self.text, self.code, self.operand = text, code, operand
        self.inside, self.static, self.axis, self.help = inside, static, axis, help


class Checker(Protocol):
    """What a shape rule may ask. Constraints are collected and solved per block; a rule goes on as if they held."""

    def equal(self, a: Size, b: Size, text: str, operand: int | None = None) -> None:
        """Require a == b, as E0301 where it is not proved. `text` says what meets: "contracts `d_ff` with `d`"."""

    def require(self, condition: Condition, text: str, operand: int | None = None) -> None:
        """Require a condition (divisibility in a pattern), as E0301 where it is not proved."""

    def inside(self, condition: Condition, text: str) -> None:
        """Require that a slice or an index lies inside (E0303 where it is not proved)."""

    def positive(self, size: Size, text: str) -> None:
        """A derived size must be at least 1: where not proved, the condition flows up to the user."""

    def proves(self, condition: Condition) -> bool:
        """Whether the condition is known to hold. Demands nothing."""

    def meet(self, a: Axis, b: Axis, text: str, operand: int | None = None) -> Axis:
        """Two axes meet in one place: their sizes must be equal, and their labels must not show a transposed operand.

        An unlabelled axis takes the other's label; of two different labels the left one stays.
        """


@dataclass(frozen=True, slots=True)
class StaticSpec:
    """A static of an operation. `kind`: size nat int float bool str list axis axes sizes pattern op elem block any.

    Its sizes are at least `low`, which the kind tells where it is left out. Where it is the length of an axis (`axis`),
    a bare name may be 0 on purpose (`k: nat`, a cache at the first step).
    """

    name: str
    kind: str
    default: Any = REQUIRED
    low: int | None = None
    axis: bool = False

    @property
    def least(self) -> int | None:
        """What its sizes are at least, where there is a bound."""
        return {"size": 1, "sizes": 1, "nat": 0}.get(self.kind) if self.low is None else self.low


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern string with what brackets gave beside it: the keywords of the pattern's own names and packs."""

    text: str
    sizes: Mapping[str, Size] = field(default_factory=dict)
    packs: Mapping[str, tuple[Axis, ...]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.text, *self.sizes, *self.packs))


class Trait(Flag):
    """What is true of the numbers of an operation. Passes and backends read it here; tests hold it against torch."""

    NONE = 0
    FLAT = auto()  # steps, comparisons, places: its derivative is 0 wherever it has one
    NONNEGATIVE = auto()  # no result is below 0
    FLAT_AT_ZERO = auto()  # where a result is 0, the derivative is 0: a reader may pass any gradient to such an entry
    KEEPS_SIGN = auto()  # no result is below 0 where no operand is
    FINITE = auto()  # finite operands give no -∞; of a result that mixes entries of operands this is taken for granted
    POLE = auto()  # some finite operand gives -∞
    SAME_POLES = auto()  # an entry is -∞ where, and only where, that of its operand is
    HANDS_ON = auto()  # each number of the result is one of its operands', wherever it stands, or a filling
    LOWEST_OUT = auto()  # entries that are low enough leave no trace, as long as others are there
    HIGHEST_OUT = auto()  # so do those that are high enough
    KEEPS_ZERO = auto()  # of one operand: 0 where that is 0


@dataclass(frozen=True, slots=True)
class Told:
    """What the reference (docs/operations.md, `ogive explain`) and helps say of an operation.

    `means` is one line; `types` its operands and results as a header has them; `header` and `use` an example, a block
    whose body returns one expression; `shape` what the types do not say of
    sizes.
    """

    means: str
    types: str
    header: str
    use: str
    shape: str = ""
    gradient: str = ""  # where more is to be said than which operands have one


NOTHING = Told("", "", "", "")

Rule = Callable[[Checker, Mapping[str, Any], Sequence[Any]], tuple[tuple[TensorType, ...], Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class OpSpec:
    """One primitive operation.

    `inputs` is its run-time signature: "x", "a, b", "x, w, b?", "*xs" (any number, at least one), "" (a value).
    `rule(checker, statics, types)` gives the output types and the attributes of the node (axes as positions counted
    from 0, a pack counting as one; sizes as Size; patterns as parsed `AxisPattern`s of compiler.ops.patterns).
    `linear` holds the operands in which it is linear, all others fixed; `random` that it draws numbers.
    `inline` operands that may be literals instead of tensors (element-wise operations) are told by `literals`.
    `batching` says how it is vectorized over an axis; `told` what the reference says.
    """

    name: str
    inputs: str
    statics: tuple[StaticSpec, ...]
    rule: Rule
    kind: Kind
    formula: str
    batching: Batching
    linear: tuple[int, ...] = ()
    traits: Trait = Trait.NONE
    random: bool = False
    literals: bool = False  # operands may be literal numbers or sizes, which adapt to their neighbour
    instead: tuple[StaticSpec, ...] = ()  # what may stand in the brackets in place of a pattern
    outputs: int = 1  # 0: one, or several where the pattern says so; -1: always a tuple
    told: Told = NOTHING
    pointwise: FactsOf | None = None  # what is true of it as a function of one number, from its settings
