"""What a pass gives back, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ogive.compiler.ir.model import Graph, Model
from ogive.compiler.passes.conversion.graph import Conversion, conversion


class PassError(Exception):
    """A pass cannot do what was asked: data for a diagnostic."""

    def __init__(self, code: str, text: str, help: str = "") -> None:
        super().__init__(text)
        self.code, self.text, self.help = code, text, help


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the report: what was done at a path, or what was not, and why."""

    done: bool
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass made of a model: the result, how its weights are computed, and what was done or left."""

    model: Model
    conversion: Conversion
    notes: tuple[Note, ...] = ()
    deployed: bool = False  # whether the phase of training is gone
    changing: str = ""  # the pass, where the result is meant to compute something else
    # where the result is not what the source computes: of the source to itself, with weights by which it does
    reference: Callable[[], Conversion] | None = None
    lossy: str = ""  # the pass, where the result is near the source, and no more
    compared_at: tuple[tuple[str, int], ...] = ()  # sizes of the source, for a result that is like it there alone
    tolerance: float = 0.0  # the share of the largest number of an output that a lossy pass may lose


def unchanged(source: Model, result: Model) -> Conversion:
    """The conversion of a pass that keeps all weights as they are."""
    return conversion(source, result, Graph((), (), ()), ())
