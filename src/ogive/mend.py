"""Programs mended by the edits that their diagnostics carry, checked again after each round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ogive.compiler.driver.workspace import CheckedProgram
from ogive.grammar.diagnostics import Edit
from ogive.grammar.edits import apply_edits

ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Mended:
    """The text, how many edits it took, and what a check finds in it."""

    text: str
    count: int
    program: CheckedProgram


def mend(text: str, check: Callable[[str], CheckedProgram], *, contracts: bool = False) -> Mended:
    """Apply edits until none is left. Edits that change a contract are left out unless asked for.

    Where the outcome has more errors than the text had, the text stays as it is.
    """
    first = program = check(text)
    mended, count, seen = text, 0, {text}
    for _ in range(ROUNDS):
        mended, applied = apply_edits(mended, edits_of(program, contracts))
        if not applied or mended in seen:
            break
        seen.add(mended)
        count += applied
        program = check(mended)
    if _errors(program) > _errors(first):
        return Mended(text, 0, first)
    return Mended(mended, count, program)


def edits_of(program: CheckedProgram, contracts: bool) -> list[Edit]:
    """The edits for a file, in source order."""
    return [
        edit
        for found in program.diagnostics
        if contracts or not any(edit.contract for edit in found.edits)
        for edit in found.edits
        if edit.span.path == program.path
    ]


def _errors(program: CheckedProgram) -> int:
    return sum(found.severity == "error" for found in program.diagnostics)
