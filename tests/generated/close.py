"""When two results are the same: types and shapes, whole numbers exactly, floats within what rounding explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generated.subject import scale
from reference.arrays import Numbers

# relative to the largest number of a result; beyond it, so many times what it moves where every operation rounds
EXACT = 1e-10
SINGLE = 1e-5
# relative to the largest number on the way
CANCELLED = {"f64": 1e-13, "f32": 2e-6}
TIMES = {"f64": 200.0, "f32": 40.0}


class Differs(AssertionError):
    """Two ways to compute a program give different results."""

    def __init__(self, stage: str, text: str, output: int | None = None) -> None:
        super().__init__(f"{stage}: {text}")
        self.stage, self.text, self.output = stage, text, output


@dataclass(frozen=True)
class Bound:
    """How far results may be apart."""

    relative: float
    spread: Sequence[float]  # of each result
    times: float
    least: float = 0.0  # what rounding of numbers on the way makes, where they cancel

    def of(self, number: int, wanted: Numbers) -> float:
        spread = self.spread[number] if number < len(self.spread) else 0.0
        return self.relative * scale(wanted) + self.times * spread + self.least


def compare(stage: str, got: Sequence[Numbers], wanted: Sequence[Numbers], bound: Bound, *, kinds: bool = True) -> None:
    """Raise `Differs` with the first result that is not the same."""
    if len(got) != len(wanted):
        raise Differs(stage, f"{len(got)} results, not {len(wanted)}")
    for number, (a, b) in enumerate(zip(got, wanted, strict=True)):
        if a.shape != b.shape:
            raise Differs(stage, f"result {number} has the shape {a.shape}, not {b.shape}", number)
        if kinds and a.dtype != b.dtype:
            raise Differs(stage, f"result {number} is {a.dtype}, not {b.dtype}", number)
        if not b.size:
            continue
        if b.dtype.kind in "ib":
            if not np.array_equal(a, b):
                raise Differs(stage, f"result {number} is {_few(a)}, not {_few(b)}", number)
            continue
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            gap = np.nan_to_num(np.where(same, 0.0, np.abs(a.astype(b.dtype) - b)), nan=np.inf).max()
        allowed = bound.of(number, b)
        if not gap <= allowed:
            raise Differs(
                stage,
                f"result {number} is off by {gap:.2e}, and {allowed:.1e} is allowed: {_few(a)}, not {_few(b)}",
                number,
            )


def _few(x: Numbers) -> str:
    return np.array2string(x.reshape(-1)[:6], precision=9, separator=", ")
