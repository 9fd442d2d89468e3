"""The parse tables that generate.py made from arch.lark, read once."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache

# One kid of a rule: its index and whether its own kids join in its place; None is an optional part left out.
Kid = tuple[int, bool] | None


@dataclass(frozen=True, slots=True)
class GrammarRule:
    """One alternative. `action` is "" where the kids join their parent's, and "=" where the only kid is the value.

    A rule is a `unit` where that kid is all there is: nothing but the state changes.
    """

    origin: str
    length: int
    action: str
    kids: tuple[Kid, ...]
    unit: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """An LALR(1) automaton: for each state, where a terminal (a state, or ~rule) and a nonterminal lead."""

    start: int
    end: int
    rules: tuple[GrammarRule, ...]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    _leads: dict[tuple[int, int, str], int] = field(default_factory=dict, repr=False, compare=False)

    def lead(self, below: int, top: int, kind: str) -> int:
        """Where `top` above `below` leads before a terminal by rules of one part alone: fifteen for an operand."""
        key = (below, top, kind)
        found = self._leads.get(key)
        if found is None:
            found = top
            while found != self.end and (code := self.actions[found].get(kind)) is not None and code < 0:
                rule = self.rules[~code]
                if not rule.unit:
                    break
                found = self.gotos[below][rule.origin]
            self._leads[key] = found
        return found


@cache
def load() -> Tables:
    """The tables of the language."""
    with open(os.path.join(os.path.dirname(__file__), "tables.json"), encoding="utf-8") as file:
        data = json.load(file)
    rules = (
        GrammarRule(
            origin, length, action, tuple(kid and (kid[0], kid[1]) for kid in kids), length == 1 and action == "="
        )
        for origin, length, action, kids in data["rules"]
    )
    return Tables(
        data["start"],
        data["end"],
        tuple(rules),
        tuple(data["rows"][row] for row, _ in data["states"]),
        tuple(data["gotos"][row] for _, row in data["states"]),
    )
