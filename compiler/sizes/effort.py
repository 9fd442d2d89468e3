"""How much thought sizes may cost: counted in steps, never in seconds, so that every machine gives the same answer."""

from __future__ import annotations

from dataclasses import dataclass

QUESTION = 40_000  # steps of one question: less than half a second


class TooComplexError(Exception):
    """A question about sizes, or all of a check together, takes more steps than it may."""


class ExhaustedError(TooComplexError):
    """All of a check together takes more steps than it may: nothing more can be asked."""


@dataclass(slots=True)
class Effort:
    """The steps that were taken, and how many may be. A question is asked of facts; those on the way belong to it."""

    limit: int | None = None
    spent: int = 0
    _edge: int | None = None  # where the question at hand ends

    @property
    def asking(self) -> bool:
        """Whether a question is being answered."""
        return self._edge is not None

    @property
    def exhausted(self) -> bool:
        """Whether nothing more can be asked."""
        return self.limit is not None and self.spent > self.limit

    def begin(self, limit: int | None) -> None:
        """Count anew."""
        self.limit, self.spent, self._edge = limit, 0, None

    def ask(self) -> None:
        """A question begins."""
        self._edge = self.spent + QUESTION

    def answered(self) -> None:
        """The question ends."""
        self._edge = None

    def spend(self, steps: int = 1) -> None:
        """Take some steps. Raises TooComplexError where a question takes too many, ExhaustedError where all do."""
        self.spent += steps
        if self.exhausted:
            raise ExhaustedError(f"more than {self.limit:,} steps")
        if self._edge is not None and self.spent > self._edge:
            raise TooComplexError(f"more than {QUESTION:,} steps")
