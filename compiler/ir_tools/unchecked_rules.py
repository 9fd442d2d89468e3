"""The checker of shape rules in a pass: what was checked before fits."""

from __future__ import annotations

from dataclasses import dataclass

from ogive.compiler.ir.types import Axis
from ogive.compiler.sizes import TRUE, Condition, Size


@dataclass(frozen=True, slots=True)
class Trusting:
    """Demands nothing: what a pass builds, it builds from the sizes at hand."""

    def equal(self, a: Size, b: Size, text: str, operand: int | None = None) -> None:
        """Sizes are equal by construction."""

    def require(self, condition: Condition, text: str, operand: int | None = None) -> None:
        """Patterns divide by construction."""

    def inside(self, condition: Condition, text: str) -> None:
        """Indices lie inside by construction."""

    def positive(self, size: Size, text: str) -> None:
        """No axis is empty."""

    def proves(self, condition: Condition) -> bool:
        """What is known without facts."""
        return condition == TRUE

    def meet(self, a: Axis, b: Axis, text: str, operand: int | None = None) -> Axis:
        """Two axes of one size."""
        return a
