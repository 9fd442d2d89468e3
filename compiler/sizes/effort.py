"""How much thought sizes may cost: counted in steps, never in seconds, so that every machine gives the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

QUESTION = 40_000  # steps of one question: less than half a second


class TooComplexError(Exception):
    """A question about sizes, or all of a check together, takes more steps than it may."""


class ExhaustedError(TooComplexError):
    """All of a check together takes more steps than it may: nothing more can be asked."""


@dataclass(slots=True)
class Effort:
    """The steps that were taken, and how many may be. A question is asked of facts; those on the way belong to it."""

    limit: float = inf
    spent: int = 0
    asking: bool = False  # whether a question is being answered
    _stop: float = inf  # where the question at hand ends, or all

    @property
    def exhausted(self) -> bool:
        """Whether nothing more can be asked."""
        return self.spent > self.limit

    def begin(self, limit: int) -> None:
        """Count anew."""
        self.limit = self._stop = limit
        self.spent, self.asking = 0, False

    def ask(self) -> None:
        """A question begins."""
        self.asking, self._stop = True, min(self.limit, self.spent + QUESTION)

    def answered(self) -> None:
        """The question ends."""
        self.asking, self._stop = False, self.limit

    def spend(self, steps: int = 1) -> None:
        """Take some steps. Raises TooComplexError where a question takes too many, ExhaustedError where all do."""
        self.spent += steps
        if self.spent > self._stop:
            if self.exhausted:
                raise ExhaustedError(f"more than {self.limit:,} steps")
            raise TooComplexError(f"more than {QUESTION:,} steps")
