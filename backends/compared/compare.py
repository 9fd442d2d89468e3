"""Whether one form of a model computes what another does, output by output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Of rounding, as a share of the largest number of an output. A model may lose as often what the other form loses, and
# what one rounding of all inputs and weights makes.
BASE = {torch.float64: 2.0**-20, torch.float32: 2.0**-17, torch.float16: 2.0**-7, torch.bfloat16: 2.0**-4}
UNIT = {torch.float64: 2.0**-52, torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}
LOSES, MOVES = 2, 4
LOOSE = 2.0**-4  # an output of which rounding makes more than that is not compared
FLOOR = 1e-4  # of the share, where an output is 0


@dataclass(frozen=True, slots=True)
class Judged:
    """How far apart an output is, as a share of its largest number; why that is too far; whether it was compared.

    `bound` is how far apart rounding may leave it.
    """

    apart: float
    fault: str = ""
    compared: bool = True
    bound: float = 0.0


def judged(got: Tensor, expected: Tensor, exact: Tensor, moved: Sequence[Tensor], base: float) -> Judged:
    """One output of one form, beside what the other gives in the same type, and that in float64.

    `moved` is the latter for inputs and weights that are a rounding away: where it gives another number, or another
    kind of number, both forms may differ. Infinities and NaN must stand at the same places, with the same sign.
    """
    if got.shape != expected.shape:
        return Judged(float("inf"), f"has the shape {list(got.shape)}, not {list(expected.shape)}", False)
    if got.is_complex() or expected.is_complex():
        got, expected, exact = (
            torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for x in (got, expected, exact)
        )
        moved = [torch.view_as_real(x.resolve_conj()) if x.is_complex() else x for x in moved]
    if not expected.is_floating_point():
        return _whole(got, expected, exact, moved)
    largest = torch.finfo(expected.dtype).max
    got, expected, exact = got.double(), expected.double(), exact.double()
    return _floats(got, expected, exact, [x.double() for x in moved], base, largest)


def _whole(got: Tensor, expected: Tensor, exact: Tensor, moved: Sequence[Tensor]) -> Judged:
    """Numbers and truths are equal, wherever rounding leaves them so."""
    sure = expected == exact
    for other in moved:
        sure &= other == exact
    wrong = int((sure & (got != expected)).sum())
    fault = f"has {wrong} of {expected.numel()} whole numbers or truths otherwise" if wrong else ""
    return Judged(float(wrong > 0), fault, bool(sure.any()))


def _kind(x: Tensor) -> Tensor:
    """0 for a number, 1 and -1 for infinities, 2 for NaN."""
    infinite = x.isinf().long() * torch.where(x > 0, 1, -1)
    return torch.where(x.isnan(), 2, infinite)


def _floats(
    got: Tensor, expected: Tensor, exact: Tensor, moved: Sequence[Tensor], base: float, largest: float
) -> Judged:
    kinds = _kind(expected)
    beyond = exact.isfinite() & (exact.abs() > 2 * largest) & expected.isinf()
    sure = (kinds == _kind(exact)) | beyond
    for other in moved:
        sure &= _kind(other) == _kind(exact)
    wrong = sure & (_kind(got) != kinds)
    if wrong.any():
        at = tuple(int(i) for i in wrong.nonzero()[0])
        return Judged(float("inf"), f"is {float(got[at])} at {list(at)}, not {float(expected[at])}", False)
    number = sure & (kinds == 0) & exact.isfinite()
    if not number.any():
        return Judged(0.0, "", False)
    apart, error, own = (_most(a - b, number) for a, b in ((got, expected), (got, exact), (expected, exact)))
    spread = max((_most(other - exact, number) for other in moved), default=0.0)
    scale = _most(exact, number)
    allowed = max(base * scale, LOSES * own) + MOVES * spread + FLOOR * base
    share, bound = (x / scale if scale else x for x in (apart, allowed))
    if not error <= allowed:
        return Judged(share, f"is off by {error:.1e}, of numbers up to {scale:.1e}: at most {allowed:.1e} is rounding")
    return Judged(share, "", scale == 0 or own + spread <= LOOSE * scale, bound)


def _most(x: Tensor, where: Tensor) -> float:
    return float(x.abs()[where].max()) if where.any() else 0.0
