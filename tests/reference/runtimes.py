"""What runtimes decide where mathematics does not: NaN, ties, signed zeros.

The reference takes what the language says; `RUNTIMES` lists, for each operation and case, what each runtime's kernel
makes of it where that is something else. A comparison looks here before it calls a difference a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One case in which a runtime departs from the reference."""

    op: str
    case: str  # "nan": an operand holds NaN; "tie": equal entries; "zero": zeros of both signs
    runtime: str  # "torch", "onnxruntime", "onnx reference"
    makes: str


RUNTIMES: tuple[Kernel, ...] = ()


def largest(a: Numbers, b: Numbers) -> Numbers:
    """Whether the larger of two is the first: also where they are equal, and where it is NaN."""
    return _first(a, b, a >= b)


def smallest(a: Numbers, b: Numbers) -> Numbers:
    """Whether the smaller of two is the first: also where they are equal, and where it is NaN."""
    return _first(a, b, a <= b)


def _first(a: Numbers, b: Numbers, better: Numbers) -> Numbers:
    first: Numbers = np.asarray(better) | (a != a)  # where b alone is NaN, no comparison holds
    return first
