"""What the tests of the checker share: small programs, what a check says of them, and the sizes of their results."""

from __future__ import annotations

from textwrap import dedent

from ogive.compiler.driver.workspace import CheckedProgram, check_text


def check(source: str) -> CheckedProgram:
    """The check of an indented program text."""
    return check_text(dedent(source).lstrip("\n"))


def errors(source: str) -> list[str]:
    """The codes of its errors, in source order."""
    return [found.code for found in check(source).diagnostics if found.severity == "error"]


def codes(source: str) -> list[str]:
    """The codes of all that is said of it."""
    return [found.code for found in check(source).diagnostics]


def signatures(source: str) -> dict[str, str]:
    """The signature of each block and model of a program without errors."""
    program = check(source)
    assert program.ok, [(d.code, d.message) for d in program.diagnostics]
    return {block.name: block.signature for block in program.blocks} | {
        name: model.signature for name, model in program.models.items()
    }


def conditions(source: str) -> dict[str, tuple[str, ...]]:
    """The conditions of each block and model of a program without errors."""
    program = check(source)
    assert program.ok, [(d.code, d.message) for d in program.diagnostics]
    return {block.name: block.conditions for block in program.blocks} | {
        name: model.conditions for name, model in program.models.items()
    }
