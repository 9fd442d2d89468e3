"""What passes that look at numbers ask: of weights, and of a model on data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ogive.compiler.passes.conversion.graph import Conversion

ByTurn = Sequence[Sequence[float]]  # for each iteration of the loops around, a number for each entry of an axis
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SnapshotBasis:
    """How vectors vary on data: the first directions, [n, r] with orthonormal columns, which hold this share of the
    squares (`kept`); `rows`, the r entries from which the others follow best, and how (`lift`, [n, r]).
    """

    vectors: Sequence[Sequence[float]]
    rows: Sequence[int]
    lift: Sequence[Sequence[float]]
    kept: float


class Looks(Protocol):
    """The weights of the model that a pass is given, and data where there are some."""

    def sums(self, what: str, path: str, axis: int) -> ByTurn:
        """Sums over all axes of a weight but one.

        `what` is the "energy" w², or of a loss on the data, with its gradient g: the "slope" w g, the "gradient" g²,
        the "curvature" w² / 2[F⁻¹], F being the mean of g gᵀ over examples. Raises PassError where data or a loss are
        missing.
        """

    def distances(self, path: str, axis: int) -> Sequence[Sequence[Sequence[float]]]:
        """For each iteration, between each two entries of an axis of a weight, the square of their distance."""

    def numbers(self, path: str) -> Sequence[Any]:
        """The numbers of a weight that stands in no loop."""

    def others(self, file: str) -> Mapping[str, tuple[Any, ...]]:
        """The numbers of a file of weights of this model, by path, those of all iterations in one list.

        Raises PassError where they are no such weights.
        """

    def snapshots(self, probed: Conversion, groups: Sequence[tuple[Sequence[int], int]]) -> Sequence[SnapshotBasis]:
        """For groups of outputs (their places) of the result of a conversion, on the data, so many directions of their
        last axis, no more than it has entries. Raises PassError where there are no data, or they do not fit.
        """

    def spans(self, probed: Conversion, names: Sequence[str]) -> Mapping[str, Sequence[Span]]:
        """On the data, the smallest and the largest number that is divided by each of these states, which are 1.

        Of a state in loops one for each iteration. Raises PassError where there are no data, or they do not fit.
        """
