"""Which operands a minimum or a maximum needs."""

from __future__ import annotations

from ogive.compiler.sizes.atoms import Extreme, Size
from ogive.compiler.sizes.intervals import lower
from ogive.compiler.sizes.polynomial import content


def needed(kind: type[Extreme], sizes: list[Size]) -> list[Size]:
    """The operands, those of inner ones of the same kind among them, without those that another makes superfluous."""
    flat: dict[Size, None] = {}
    for part in sizes:
        flat.update(dict.fromkeys(_parts_of(kind, part)))
    kept = [part for part in flat if not any(_beats(kind, other, part) for other in flat if other is not part)]
    return kept or [next(iter(flat))]


def _parts_of(kind: type[Extreme], part: Size) -> tuple[Size, ...]:
    if len(part.terms) == 1:
        ((monomial, coefficient),) = part.terms.items()
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], kind):
            return monomial[0][0].parts
    return (part,)


def _beats(kind: type[Extreme], a: Size, b: Size) -> bool:
    """Whether `a` makes `b` superfluous; of two that do so to each other there is but one, by normal form.

    A common factor goes first, as it does in the atom: a bound of `h//2 - 2*(h//4)` is rounded to a whole number.
    """
    terms = ((b - a) * kind.sign).terms
    factor = content(terms.values())
    gap = lower({m: c // factor for m, c in terms.items()} if factor > 1 else terms)
    return gap is not None and gap >= 0


def age(part: Size) -> tuple[bool, list[int], str]:
    """The order of operands: that of their unknowns, numbers last."""
    return part.is_number, sorted(u.serial for u in part.unknowns), str(part)
