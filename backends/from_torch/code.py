"""Expressions as text that know where they need parentheses, with values, sizes and names that are filled in later."""

from __future__ import annotations

import re
from dataclasses import dataclass

ANY, CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, FACTOR, POWER, PRIMARY = range(11)

VALUE = re.compile("§([^§]+)§")  # a value, by its name in the trace
NUMBER = re.compile("⟪(-?\\d+)\\|([^⟫]*)⟫")  # a number of the source, and what it is
OPTIONAL = re.compile("⦗(-?\\d+):([^⦗⦘]*)⦘")  # a setting that is left out where its numbers are this one
FLAGS = frozenset(("bias", "causal", "ceil"))  # roles of numbers that are true or false


@dataclass(frozen=True, slots=True)
class TracedCode:
    """An expression: a head and the steps of a pipeline behind it."""

    head: str
    level: int = PRIMARY
    stages: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return " |> ".join([self.at(PRIMARY, False) if self.stages else self.head, *self.stages])

    def at(self, level: int, whole: bool = True) -> str:
        """The text where an operator binds as `level`."""
        if whole and self.stages:
            only = self.stages[0]
            if len(self.stages) == 1 and " as " not in only:
                return f"{only}{self.head}" if _enclosed(self.head) else f"{only}({self.head})"
            return f"({self.text})"
        return f"({self.head})" if self.level < level else self.head

    def then(self, stage: str) -> TracedCode:
        """The expression with a step behind it."""
        return TracedCode(self.head, self.level, (*self.stages, stage))


@dataclass(slots=True)
class BodyLine:
    """A statement: what it binds, and its right side. `lead` is set for what binds nothing."""

    targets: tuple[str, ...]
    code: TracedCode
    lead: str = ""


def _enclosed(text: str) -> bool:
    """Whether the text stands in one pair of parentheses."""
    depth = 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return i == len(text) - 1 and char == ")"
    return False


def value(name: str) -> TracedCode:
    """A value that has a name."""
    return TracedCode(f"§{name}§")


def number(size: int, role: str) -> str:
    """A number that may become a static."""
    return f"⟪{size}|{role}⟫"


def setting(name: str, value: int, default: int, role: str) -> str:
    """`, name=value`, which is left out where all blocks that become one have the default."""
    return f"⦗{default}:, {name}={number(value, role)}⦘"


def shown(value: int, role: str) -> str:
    """A number of the text."""
    return ("false", "true")[value] if role in FLAGS else str(value)


def plain(text: str) -> str:
    """A text as it would be if nothing became a static."""

    def optional(found: re.Match[str]) -> str:
        return "" if all(value == found[1] for value, _ in NUMBER.findall(found[2])) else found[2]

    return NUMBER.sub(lambda found: shown(int(found[1]), found[2]), OPTIONAL.sub(optional, text))


def width(text: str) -> int:
    """How long a text is without settings that may be left out, so that blocks with and without them are alike."""
    return len(plain(OPTIONAL.sub("", text)))


def binary(operator: str, left: TracedCode, right: TracedCode) -> TracedCode:
    """`left operator right`."""
    level = {"or": OR, "and": AND, "+": SUM, "-": SUM, "**": POWER}.get(
        operator, PRODUCT if operator in ("*", "/", "//", "%", "@") else COMPARISON
    )
    if level == POWER:
        return TracedCode(f"{left.at(PRIMARY)}**{right.at(FACTOR)}", POWER)
    low = level + 1 if level == COMPARISON else level
    return TracedCode(f"{left.at(low)} {operator} {right.at(level + 1)}", level)


def call(function: str, *operands: TracedCode) -> TracedCode:
    """`function(operands)`; of one operand a step of a pipeline."""
    if len(operands) == 1:
        return operands[0].then(function)
    return TracedCode(f"{function}({', '.join(each.text for each in operands)})")


def literal(number_: float | int | bool) -> TracedCode:
    """A number of the text."""
    if isinstance(number_, bool):
        return TracedCode("true" if number_ else "false")
    if number_ in (float("inf"), float("-inf")):
        return TracedCode("inf") if number_ > 0 else TracedCode("-inf", FACTOR)
    text = repr(number_)
    return TracedCode(text, FACTOR if text[0] == "-" else PRIMARY)
