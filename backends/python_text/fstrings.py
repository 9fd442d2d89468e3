"""Texts of the emitted file that hold values of its run: f-strings."""

from __future__ import annotations

MARK = "\0"


def inserted(code: object) -> str:
    """The place of an expression in a text."""
    return f"{MARK}{code}{MARK}"


def quoted(text: str) -> str:
    """The literal of a text: an f-string where it holds expressions."""
    parts = text.split(MARK)
    if len(parts) == 1:
        return f'"{escaped(text)}"'
    words = (escaped(part).replace("{", "{{").replace("}", "}}") for part in parts[::2])
    codes = (*(f"{{{code}}}" for code in parts[1::2]), "")
    return f'f"{"".join(word + code for word, code in zip(words, codes, strict=True))}"'


def escaped(text: str) -> str:
    """What stands between double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
