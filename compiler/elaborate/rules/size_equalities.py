"""What ties the sizes of one use together: a block that is not proved for all sizes is proved over these."""

from __future__ import annotations

from collections.abc import Sequence

from ogive.compiler.elaborate.state.control import UnresolvedChoice
from ogive.compiler.elaborate.state.frame import Frame
from ogive.compiler.sizes import Condition, Size, Unknown, divides, eq, ge, size
from ogive.compiler.sizes.case import constant_part
from ogive.compiler.sizes.polynomial import content


def ties(frame: Frame, sizes: Sequence[Size], holes: Sequence[Unknown]) -> list[Condition]:
    """What holds of a block's unknowns where `sizes` of the user stand behind them: the numbers among them, equal
    sizes, what is stated of them, sizes a number apart, multiples of one another and of numbers, lower bounds.
    """
    found: list[Condition] = []
    open_: list[tuple[Size, Size]] = []  # of the block, and what stands behind it
    for hole, behind in zip(holes, sizes, strict=True):
        own, number = size(hole), known_number(frame, behind)
        twin = next((o for o, b in open_ if number is None and frame.proof.facts.equal(b, behind)), None)
        if number is not None:
            found.append(eq(own, number))
        elif twin is not None:
            found.append(eq(own, twin))
        else:
            found += _alone(frame, own, behind)
            open_.append((own, behind))
    bare = {next(iter(behind.unknowns)): own for own, behind in open_ if is_unknown(behind)}
    found += [
        known.subs(bare) for known in frame.proof.facts.conditions if known.unknowns and known.unknowns <= bare.keys()
    ]
    for index, (own, behind) in enumerate(open_):
        for other, below in open_[:index]:
            gap = frame.proof.facts.reduce(behind - below)
            if gap.is_number:
                found.append(eq(own, other + gap))
        for other, below in open_:
            if own is not other and frame.proof.facts.holds(divides(below, behind)):
                ratio = frame.proof.facts.reduce(behind) // frame.proof.facts.reduce(below)
                found.append(eq(own, other * ratio) if ratio.is_number else divides(other, own))
    return found


def is_unknown(of: Size) -> bool:
    """Whether a size is a bare unknown."""
    return len(of.unknowns) == 1 and of is size(next(iter(of.unknowns)))


def known_number(frame: Frame, of: Size) -> int | None:
    """The number that a size is here, or None."""
    try:
        return frame.number(of)
    except UnresolvedChoice:
        return None


def _alone(frame: Frame, own: Size, behind: Size) -> list[Condition]:
    """The remainder and the lower bound of one size."""
    reduced = frame.proof.facts.reduce(behind)
    factor, rest = content(c for m, c in reduced.terms.items() if m), constant_part(reduced)
    low, least = frame.proof.facts.bounds(behind)[0], own.range[0]
    found = [eq(own % factor, rest % factor)] if factor > 1 else []
    return [*found, ge(own, low)] if low is not None and (least is None or low > least) else found
