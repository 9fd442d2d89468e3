"""Faults that are known and not mended yet: differences that say nothing new. The list is to become empty."""

from __future__ import annotations

import re

# a pattern of what tells the fault (`Outcome.mark`), and what it is
KNOWN: tuple[tuple[str, str], ...] = (
    (r"InferenceError at checker.py", "a scalar weight or state is written with shape [1]"),
    (r"floor_divide", "// has no derivative in torch"),
    (r"KeyError at emitted", "a tap that nothing reads is lost"),
    (r"object is not callable|UnboundLocalError|Expected f", "a function and a local of one name"),
    (r"ShapeError at patterns.py", "fold of a weight with many axes"),
    (r"is (float|complex)#, not (float|complex)#", "constants take torch's default type"),
    (r"indices element out of data bounds", "the runtime breaks Pad between transposes"),
    (r"E0305", "labels that look transposed, which the generator does not follow"),
)


def known(mark: str) -> str:
    """What a difference is known as; nothing where it is new."""
    return next((what for pattern, what in KNOWN if re.search(pattern, mark)), "")
