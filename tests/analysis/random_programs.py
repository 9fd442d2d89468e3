"""Models of random programs, for analyses that must not fall over on any of them."""

from __future__ import annotations

from collections.abc import Iterator

import ogive
from generated.program import program
from generated.text import program_text
from ogive.grammar.diagnostics import ArchError


def random_models(count: int, family: str = "analysis") -> Iterator[ogive.Model]:
    """The same programs each time; the few that are refused are left out."""
    for number in range(count):
        text = program_text(program(f"{family}/{number}"))
        try:
            yield ogive.source(text).models["M"]
        except ArchError:
            continue
