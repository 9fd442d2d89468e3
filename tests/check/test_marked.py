"""Small programs whose lines say what is wrong with them: `#! E0301 where d == e` stands where the error is reported,
`#! signature f ...`, `#! where f: ...` and `#! parameters M 24` what is found of a block or a model.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ogive.compiler.driver.workspace import CheckedProgram, check_text

FILES = sorted((Path(__file__).parents[1] / "golden" / "marked").glob("*.arch"))
CASES = [
    pytest.param(body, id=f"{file.stem}-{title}")
    for file in FILES
    for title, body in re.findall(r"^#= (.*)\n((?:(?!#= ).*\n)*)", file.read_text(encoding="utf-8"), re.MULTILINE)
]
MARK = re.compile(r"#! (.*)")


def wanted(text: str) -> tuple[list[tuple[str, int, str]], list[str]]:
    """The errors and warnings that lines announce, with their helps; and what is announced of blocks."""
    faults: list[tuple[str, int, str]] = []
    facts: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        for mark in MARK.findall(line):
            code, _, rest = mark.partition(" ")
            if re.fullmatch(r"[EW]\d{4}", code):
                faults.append((code, number, rest))
            else:
                facts.append(mark)
    return faults, facts


def said(program: CheckedProgram, fact: str) -> str:
    """What a program says where a fact is announced."""
    word, name, _ = fact.replace(":", " ", 1).split(" ", 2)
    found = program.models.get(name) or next(block for block in program.blocks if block.name == name)
    match word:
        case "signature":
            return f"signature {name} {found.signature}"
        case "where":
            return f"where {name}: {', '.join(found.conditions)}"
        case _:
            return f"parameters {name} {program.models[name].parameters}"


@pytest.mark.parametrize("text", CASES)
def test_what_is_marked_is_found(text: str) -> None:
    faults, facts = wanted(text)
    program = check_text(MARK.sub("", text), "marked.arch")
    errors = [found for found in program.diagnostics if found.severity != "hint"]
    lines = [(found.code, found.span.begin()[0]) for found in errors if found.severity == "error"]
    expected = [(code, line) for code, line, _ in faults if code.startswith("E")]
    assert lines == expected, [(found.code, found.span.begin(), found.message) for found in errors]
    for code, line, help_ in faults:
        assert any(
            found.code == code and found.span.begin()[0] == line and help_ in found.help for found in errors
        ), (code, line, help_, [found.help for found in errors])  # fmt: skip
    assert [said(program, fact) for fact in facts] == facts
