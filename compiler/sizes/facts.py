"""What is known of some sizes, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ogive.compiler.sizes.arithmetic import size
from ogive.compiler.sizes.assume import assume
from ogive.compiler.sizes.atoms import Range, Size, Unknown
from ogive.compiler.sizes.case import Case
from ogive.compiler.sizes.condition import AllOf, Condition, SizeComparison, all_of
from ogive.compiler.sizes.effort import Effort
from ogive.compiler.sizes.periodic import PeriodicSet
from ogive.compiler.sizes.prove import proves, split
from ogive.compiler.sizes.sample import samples
from ogive.compiler.sizes.truth import truth_set


class Answer(Enum):
    """How a condition fares under some facts."""

    ALWAYS = "always"
    NEVER = "never"
    SOMETIMES = "sometimes"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Tally:
    """How many answers are kept by facts that come from one another, and what they cost."""

    answers: int = 0
    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True, slots=True)
class Facts:
    """Conditions that hold, ready for use. Immutable; `assume` gives new ones, the same ones for the same condition.

    Answers are kept: who starts from one `Facts()` and asks the same again, about the same unknowns, has them at once.
    """

    conditions: tuple[Condition, ...] = ()
    base: Case = field(default_factory=Case, compare=False, repr=False)
    tally: Tally = field(default_factory=Tally, compare=False, repr=False)
    _known: dict[Hashable, tuple[Any, int]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.base.effort is not self.tally.effort:  # of facts without a source
            object.__setattr__(self, "base", replace(self.base, effort=self.tally.effort))

    @staticmethod
    def of(conditions: Iterable[Condition]) -> Facts:
        """The facts that some conditions state together."""
        facts = Facts()
        for condition in conditions:
            facts = facts.assume(condition)
        return facts

    def recall(self, question: Hashable, work: Callable[[], Any]) -> Any:
        """The answer to a question about these facts; worked out the first time, and as dear every time.

        Raises TooComplexError where it takes too many steps.
        """
        effort, known = self.tally.effort, self._known.get(question)
        if known is not None:
            effort.spend(known[1])
            return known[0]
        before, outermost = effort.spent, not effort.asking
        if outermost:
            effort.ask()
        try:
            answer = work()
        finally:
            if outermost:
                effort.answered()
        self._known[question] = answer, effort.spent - before
        self.tally.answers += 1
        return answer

    def assume(self, condition: Condition) -> Facts:
        """These facts and one more."""
        return self.recall(("assume", condition), lambda: self._with(condition))  # type: ignore[no-any-return]

    def _with(self, condition: Condition) -> Facts:
        return Facts((*self.conditions, condition), assume(self.base, condition), self.tally)

    @property
    def cases(self) -> list[Case]:
        """The facts with their disjunctions split; where there are too many, one case that leaves some unsplit."""
        return self.recall("cases", lambda: split(self.base))  # type: ignore[no-any-return]

    @property
    def contradictory(self) -> bool:
        """Whether no sizes can satisfy the facts, as far as substitution and intervals tell."""
        return self.base.contradictory or not self.cases

    def equal(self, a: Size | int, b: Size | int) -> bool:
        """Whether two sizes are proved equal wherever the facts hold."""
        a, b = size(a), size(b)
        return a is b or self.holds(SizeComparison("==", a, b))

    def holds(self, condition: Condition) -> bool:
        """Whether the condition is proved wherever the facts hold."""
        return self.recall(("holds", condition), lambda: self._holds(condition))  # type: ignore[no-any-return]

    def _holds(self, condition: Condition) -> bool:
        if proves(self.base, condition):
            return True
        if len(condition.unknowns) == 1:
            failing = self.members(next(iter(condition.unknowns)), [condition.negate()])
            if failing is not None and failing.empty:
                return True
        return bool(self.base.choices) and all(proves(case, condition) for case in self.cases)

    def decide(self, condition: Condition) -> Answer:
        """Whether the condition holds always, never or sometimes where the facts hold; unknown if that is open."""
        return self.recall(("decide", condition), lambda: self._decide(condition))  # type: ignore[no-any-return]

    def _decide(self, condition: Condition) -> Answer:
        if self.holds(condition):
            return Answer.ALWAYS
        if self.holds(condition.negate()):
            return Answer.NEVER
        exact = self._decide_alone(condition)
        if exact is not None:
            return exact
        found: set[bool] = set()
        for values in samples(self.cases, self.conditions, condition.unknowns):
            try:
                found.add(condition.at(values))
            except ZeroDivisionError:
                continue
            if len(found) == 2:
                return Answer.SOMETIMES
        return Answer.UNKNOWN

    def _decide_alone(self, condition: Condition) -> Answer | None:
        """The answer by the exact set of a single unknown, where no fact ties it to another."""
        if len(condition.unknowns) != 1:
            return None
        (unknown,) = condition.unknowns
        if not self.separate(unknown):
            return None
        good, bad = self.members(unknown, [condition]), self.members(unknown, [condition.negate()])
        if good is None or bad is None:
            return None
        if good.empty or bad.empty:
            return Answer.NEVER if good.empty else Answer.ALWAYS
        return Answer.SOMETIMES

    def separate(self, unknown: Unknown) -> bool:
        """Whether each fact speaks either of this unknown alone or not of it."""
        return not any(unknown in fact.unknowns and len(fact.unknowns) > 1 for fact in self.conditions)

    def members(self, unknown: Unknown, conditions: Iterable[Condition] = ()) -> PeriodicSet | None:
        """The values that the facts about this unknown alone and more conditions leave; None where that is open."""
        if unknown.low is None:
            return None
        parts = [p for fact in self.conditions for p in (fact.parts if isinstance(fact, AllOf) else (fact,))]
        known = [part for part in parts if part.unknowns == {unknown}]
        return truth_set(all_of(*known, *conditions), unknown, unknown.low, effort=self.tally.effort)

    def reduce(self, of: Size) -> Size:
        """The size after the facts' substitutions: in other unknowns, for deciding rather than for showing."""
        return self.base.reduce(of)

    def bounds(self, of: Size) -> Range:
        """Lower and upper bound, as far as known."""
        ranges = [case.range(case.reduce(of)) for case in self.cases]
        lows = [low for low, _ in ranges if low is not None]
        highs = [high for _, high in ranges if high is not None]
        complete = len(ranges)
        return (min(lows) if lows and len(lows) == complete else None), (
            max(highs) if highs and len(highs) == complete else None
        )
