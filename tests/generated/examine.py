"""One program through all comparisons: what became of it."""

from __future__ import annotations

import random
import re
import traceback
from dataclasses import dataclass, field

from generated.close import Differs
from generated.coverage import Coverage
from generated.program import program
from generated.shrink import shrunk
from generated.stages import Report, examined
from generated.subject import Subject, Unfit, forget
from generated.text import program_text
from generated.tree import Program
from ogive.grammar.diagnostics import ArchError


@dataclass
class Outcome:
    """What became of a program: `ok`, `unfit` (nothing can be compared), `refused` by the checker, or `differs`."""

    seed: str
    kind: str
    text: str = ""  # why
    mark: str = ""  # what tells one fault from another
    report: Report = field(default_factory=Report)
    coverage: Coverage = field(default_factory=Coverage)


def outcome(made: Program) -> Outcome:
    """A program through all comparisons."""
    report, coverage = Report(), Coverage()
    found = Outcome(made.seed, "ok", report=report, coverage=coverage)
    try:
        subject = Subject.of(made)
        coverage.note(made, subject.model.ir)
        rng = random.Random(f"inputs of {made.seed}")
        subject.settle(rng)
        examined(subject, rng, report)
    except Unfit as error:
        found.kind, found.text = "unfit", str(error)
    except ArchError as error:
        found.kind, found.text, found.mark = "refused", str(error), error.diagnostics[0].code
        if found.mark == "E0305":  # two axes of one pattern met: the generator does not follow labels
            found.kind, found.text = "unfit", "labels look transposed"
        if found.mark == "E0602" and made.packs:  # a choice at compile time by how many axes a pack has
            found.kind, found.text = "unfit", "a choice depends on the rank of a pack"
        if found.mark.startswith("E08"):  # a backend says so
            report.done["refused"] = found.mark
    except Differs as error:
        found.kind, found.text, found.mark = "differs", str(error), f"{error.stage}: {_plain(error.text)}"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{last.filename.rpartition('/')[2]}:{last.name}" if "<" not in last.filename else "emitted"
        found.kind, found.text = "differs", "".join(traceback.format_exception(error)[-6:])
        found.mark = f"{type(error).__name__} at {place}: {_plain(str(error))}"
    finally:
        forget()
    return found


def _plain(text: str) -> str:
    """A text without its numbers and names."""
    return re.sub(
        r"`[^`]*`|'[^']*'|-?\d[\d.e+-]*|\[[^\]]*\]|\([^)]*\)",
        "#",
        text.strip().splitlines()[-1] if text.strip() else "",
    )[:80]


def examine(seed: str) -> Outcome:
    """The program of a seed."""
    try:
        return outcome(program(seed))
    except Exception as error:
        return Outcome(
            seed, "differs", "".join(traceback.format_exception(error)[-4:]), f"generator: {type(error).__name__}"
        )


def first_difference(seeds: list[str]) -> Outcome | None:
    """The first program of a list that differs: what tests of mutated compilers run."""
    for seed in seeds:
        found = examine(seed)
        if found.kind in ("differs", "refused"):
            return found
    return None


def small(seed: str, budget: int = 300) -> str:
    """The text of a small program that differs as that of the seed does."""
    made = program(seed)
    mark = outcome(made).mark

    def differs(candidate: Program) -> bool:
        found = outcome(candidate)
        return found.kind == "differs" and found.mark == mark

    return program_text(shrunk(made, differs, budget))
