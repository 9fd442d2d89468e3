"""Pieces of Python text with their precedence, so that emitted expressions have the fewest parentheses."""

from __future__ import annotations

from dataclasses import dataclass

# Python's precedences, low to high
TERNARY, OR, AND, NOT, COMPARE, BITOR, BITXOR, BITAND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(14)


@dataclass(frozen=True, slots=True)
class Code:
    """An expression and how tightly it binds."""

    text: str
    level: int = ATOM

    def at(self, level: int) -> str:
        """The text, in parentheses where it binds more loosely than `level`."""
        return self.text if self.level >= level else f"({self.text})"

    def __str__(self) -> str:
        return self.text


def call(function: str, *args: Code | str | None, **settings: Code | str | None) -> Code:
    """`function(args, name=setting)`; None leaves an argument out."""
    parts = [str(a) for a in args if a is not None]
    parts += [f"{name}={value}" for name, value in settings.items() if value is not None]
    return Code(f"{function}({', '.join(parts)})")


def method(base: Code, name: str, *args: Code | str | None, **settings: Code | str | None) -> Code:
    """`base.name(args)`."""
    return call(f"{base.at(ATOM)}.{name}", *args, **settings)


def binary(left: Code, op: str, right: Code) -> Code:
    """`left op right`, left-associative (`**` right)."""
    level = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "//": PRODUCT, "%": PRODUCT, "@": PRODUCT, "**": POWER,
             "&": BITAND, "|": BITOR, "==": COMPARE, "!=": COMPARE, "<": COMPARE, "<=": COMPARE, ">": COMPARE,
             ">=": COMPARE}[op]  # fmt: skip
    tight = level + 1
    if op == "**":
        return Code(f"{left.at(tight)} ** {right.at(UNARY)}", level)
    if level == COMPARE:
        return Code(f"{left.at(tight)} {op} {right.at(tight)}", level)
    return Code(f"{left.at(level)} {op} {right.at(tight)}", level)
