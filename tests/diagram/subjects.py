"""What the tests draw: the blocks and small models of all examples and of the library."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ogive.compiler.driver.workspace import Workspace
from ogive.compiler.ir.model import Definition, Model

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("examples/*.arch"), *ROOT.glob("stdlib/*.arch"), *ROOT.glob("docs/gallery/*.arch")])


@cache
def _subjects() -> dict[str, Definition | Model]:
    workspace = Workspace()
    found: dict[str, Definition | Model] = {}
    for path in FILES:
        program = workspace.check(path.read_text(), str(path.relative_to(ROOT)))
        for report in program.blocks:
            if report.definition is not None:
                found[f"{path.stem}:{report.name}"] = report.definition
        names = ["Tiny"] if "Tiny" in program.models else list(program.models)
        found |= {f"{path.stem}:{name}": program.models[name].ir for name in names}
    return found


def subjects() -> dict[str, Definition | Model]:
    """By file and name."""
    return dict(_subjects())


def subject(name: str) -> Definition | Model:
    """One of them."""
    return _subjects()[name]


def definition(name: str) -> Definition:
    """The definition of one of them."""
    found = subject(name)
    return found.definition if isinstance(found, Model) else found


def block(text: str) -> Definition:
    """The last block of a text."""
    program = Workspace().check("ogive 1\n" + text, "<text>")
    assert program.ok, [d.message for d in program.diagnostics]
    found = program.blocks[-1].definition
    assert found is not None
    return found
