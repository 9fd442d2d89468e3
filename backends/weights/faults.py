"""What is said of weights that do not fit: each by name, those of many iterations together."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ogive.backends.weights.maps import MapRule, WeightMap
from ogive.backends.weights.steps import Shape
from ogive.grammar.diagnostics import ArchError, Diagnostic
from ogive.grammar.source import Span

MANY = 3  # iterations of which the same is said once
_NUMBER = re.compile(r"(?<=[.`])\d+(?=[.`])")


def fault(mapping: WeightMap, message: str, rule: MapRule | None = None, help_: str = "") -> Diagnostic:
    """E0821 at a line of a map, or at its head."""
    return Diagnostic("E0821", message, rule.span if rule else Span(mapping.chunk, 0, 0), help=help_)


def grouped(faults: Sequence[Diagnostic], help_: str = "") -> None:
    """Raise `ArchError` where there are faults, in order; many that differ in numbers of iterations are one.

    `help_` is for all of them, and said with the last.
    """
    groups: dict[tuple[object, ...], list[Diagnostic]] = defaultdict(list)
    for found in faults:
        place = (found.span.path, found.span.start, found.span.end)
        groups[found.code, place, template(found.message), found.help].append(found)
    listed = []
    for (_, _, text, _), members in groups.items():
        if len(members) < MANY:
            listed += members
        else:
            listed.append(replace(members[0], message=f"{text} ({len(members)})"))
    if listed:
        *first, last = sorted(listed, key=lambda found: (found.order(), found.message))
        raise ArchError((*first, replace(last, help=last.help or help_)))


def template(text: str) -> str:
    """A text whose names have `*` in the place of the numbers of iterations."""
    return "`".join(
        _NUMBER.sub("*", f"`{part}`")[1:-1] if number % 2 else part for number, part in enumerate(text.split("`"))
    )


def shape_text(shape: Shape) -> str:
    """A shape in a message."""
    return f"[{', '.join(map(str, shape))}]"
