"""Which axis of which input tells a size: an axis of its own where there is one, else an expression solved for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ogive.compiler.ir.model import Value
from ogive.compiler.sizes import Size, Unknown, size


@dataclass(frozen=True, slots=True)
class SizeOrigin:
    """Axis `axis` of input `at` is `slope * unknown + rest`."""

    at: int
    axis: int
    slope: Size
    rest: Size

    @property
    def alone(self) -> bool:
        """Whether the axis is the size itself."""
        return self.slope is size(1) and self.rest is size(0)


def origins(inputs: Sequence[Value], known: frozenset[Unknown] = frozenset()) -> dict[Unknown, SizeOrigin]:
    """Where each size of these inputs is read, given those that are known without them."""
    axes = [(at, i, axis.size) for at, value in enumerate(inputs) for i, axis in enumerate(value.type.axes)]
    found: dict[Unknown, SizeOrigin] = {}
    for at, axis, whole in axes:
        for unknown in whole.unknowns:
            if whole is size(unknown):
                found.setdefault(unknown, SizeOrigin(at, axis, size(1), size(0)))
    settled = False
    while not settled:
        settled = True
        for at, axis, whole in axes:
            for unknown, slope, rest in _solved(whole, {*known, *found}):
                found[unknown] = SizeOrigin(at, axis, slope, rest)
                settled = False
    return found


def _solved(whole: Size, known: set[Unknown]) -> Iterator[tuple[Unknown, Size, Size]]:
    """The one unknown of a size that is not known, where the size is linear in it."""
    free = [unknown for unknown in whole.unknowns if unknown not in known]
    if len(free) == 1:
        split = linear(whole, free[0])
        if split is not None:
            yield free[0], *split


def linear(whole: Size, unknown: Unknown) -> tuple[Size, Size] | None:
    """(slope, rest) where the size is slope*unknown + rest, the slope is positive, and neither holds the unknown."""
    rest = whole.subs({unknown: size(0)})
    slope = whole.subs({unknown: size(1)}) - rest
    low = slope.range[0]
    if low is None or low < 1 or whole is not slope * size(unknown) + rest:
        return None
    return slope, rest
