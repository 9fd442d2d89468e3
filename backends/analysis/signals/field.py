"""What a value means at infinite width: typical entries, drawn alike and apart from each other.

A product with a weight whose entries are drawn makes normal numbers of variance C_b + C_W ⟨x²⟩, whatever its operand is
(Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232); everything element by element happens
to each typical entry. Backward it is the same with the fan out. So a few thousand entries stand for a layer, and torch
differentiates what lies between two products.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from ogive.compiler.ops.pointwise_facts import PointwiseFacts

BITS = 14
ENTRIES = 1 << BITS


@dataclass(frozen=True, slots=True)
class DrawnWeight:
    """How the entries of a weight are drawn: `mean`, `variance`; `unit`: it starts as a unit matrix."""

    path: str
    mean: float
    variance: float
    unit: bool = False


@dataclass(frozen=True, slots=True)
class OfNormal:
    """An operation of one number, applied to normal numbers of a variance."""

    op: str
    facts: PointwiseFacts
    variance: float


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Typical entries, [entries] or one number; None where nothing is known, or where they are no floats.

    `normal` is their variance where they are centred and normal, `via` a function and the variance where they are that
    function of such; `mixing` that they are shares that sum to 1; `weight` of which weight they are.
    """

    values: Tensor | None = None
    normal: float | None = None
    via: OfNormal | None = None
    mixing: bool = False
    weight: DrawnWeight | None = None

    @property
    def square(self) -> float | None:
        """⟨x²⟩."""
        return None if self.values is None else float(self.values.detach().square().mean())


UNKNOWN = Field()


@dataclass(slots=True)
class LayerSignal:
    """What a product with a weight was given and gave; `gradient` is ⟨(dL/dy)²⟩, where it is reached."""

    path: str
    op: str
    span: Any
    variance_in: float
    variance: float
    c_w: float
    c_b: float
    via: OfNormal | None
    width: float  # units that are summed over, without the window of a kernel
    gradient: float | None = None


@dataclass(slots=True)
class Draws:
    """Normal numbers in as many quantiles as there are entries, in orders that go with no others.

    The orders are random linear maps of the bits of an index (a digital net, Owen 1995), so that any two draws fill
    their plane evenly: a mean of a product has far less noise than with random orders.
    """

    seed: int = 0
    entries: int = ENTRIES
    generator: random.Random = field(init=False)
    quantiles: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.generator = random.Random(self.seed)
        places = (torch.arange(self.entries, dtype=torch.float64) + 0.5) / self.entries
        quantiles = torch.erfinv(2 * places - 1) * sqrt(2)
        self.quantiles = quantiles / quantiles.square().mean().sqrt()

    def normal(self) -> Tensor:
        """Mean 0, variance 1."""
        return self.quantiles[self.order()]

    def signs(self) -> Tensor:
        """Gradients of mean square 1. Only squares of gradients are asked, so that all may be as large."""
        return self.quantiles.sign()[self.order()]

    def order(self) -> Tensor:
        """Each index once."""
        columns, half = _invertible(self.generator), BITS // 2
        shift = self.generator.randrange(self.entries)
        low, high = (_spread(part) for part in (columns[:half], columns[half:]))
        return (high[:, None] ^ low[None, :] ^ shift).flatten()


def _spread(columns: Sequence[int]) -> Tensor:
    """For each number of so many bits the sum of the columns that its bits choose."""
    found = [0]
    for column in columns:
        found += [each ^ column for each in found]
    return torch.tensor(found)


def _invertible(generator: random.Random) -> list[int]:
    """The columns of an invertible matrix over two elements."""
    while True:
        columns = [generator.randrange(1, ENTRIES) for _ in range(BITS)]
        reduced: list[int] = []
        for column in columns:
            for pivot in reduced:
                column = min(column, column ^ pivot)
            if column:
                reduced.append(column)
        if len(reduced) == BITS:
            return columns


class FreshProduct(torch.autograd.Function):
    """Σ over so many terms of x w, with weights drawn afresh; backward the gradient of x, by the fan out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, draws: Draws, ahead: float, back: float, met: Callable[[float], None]) -> Tensor:
        """`ahead` and `back` are fans times the variance of an entry; `met` hears ⟨(dL/dy)²⟩."""
        ctx.draws, ctx.back, ctx.met, ctx.size = draws, back, met, x.shape
        return draws.normal() * sqrt(ahead * float(x.square().mean()))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """A gradient of variance fan out · var w · ⟨(dL/dy)²⟩."""
        square = float(grads[0].square().mean())
        ctx.met(square)
        grad = ctx.draws.signs() * sqrt(ctx.back * square)
        return grad.expand(ctx.size) if ctx.size else grad.mean(), None, None, None, None


class FreshPair(torch.autograd.Function):
    """Σ over so many terms of a b, of signals that are drawn apart."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, draws: Draws, terms: tuple[float, float, float]) -> Tensor:
        """`terms` are those of a result, of the gradient of a, and of that of b."""
        ctx.draws, ctx.terms = draws, terms
        ctx.squares = float(a.square().mean()), float(b.square().mean())
        return draws.normal() * sqrt(terms[0] * ctx.squares[0] * ctx.squares[1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        """Each gradient by the square of the other operand."""
        square, (a, b) = float(grads[0].square().mean()), ctx.squares
        back = [
            ctx.draws.signs() * sqrt(many * other * square) for many, other in zip(ctx.terms[1:], (b, a), strict=True)
        ]
        return back[0], back[1], None, None
