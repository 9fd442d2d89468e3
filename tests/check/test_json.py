"""`ogive check --json` holds all that the text holds, in the form that its schema says."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from check.test_golden import CASES
from ogive.cli import cli
from ogive.compiler.driver.workspace import Workspace, check_text
from ogive.grammar.diagnostics import Diagnostic
from ogive.grammar.render import render
from ogive.report import SCHEMA, VERSION_OF_SCHEMA, as_data

TEXT = files("ogive").joinpath(SCHEMA).read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(json.loads(TEXT))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.arch"))[::11]


def data(text: str, path: str = "a.arch") -> dict[str, list[dict[str, object]]]:
    program = check_text(text, path)
    found = json.loads(json.dumps(as_data(program.diagnostics, [program])))
    VALIDATOR.validate(found)
    return found  # type: ignore[no-any-return]


def test_the_schema_is_one_and_has_its_version() -> None:
    Draft202012Validator.check_schema(json.loads(TEXT))
    assert json.loads(TEXT)["properties"]["schema"]["const"] == VERSION_OF_SCHEMA
    assert CliRunner().invoke(cli, ["check", "--schema"]).output == TEXT


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_diagnostic_fits_and_nothing_of_its_text_is_lost(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    program = check_text(text, path.name)
    found = data(text, path.name)["diagnostics"]
    assert len(found) == len(program.diagnostics)
    for shown, diagnostic in zip(found, program.diagnostics, strict=True):
        kept = json.dumps(shown, ensure_ascii=False)
        for line in told(diagnostic):
            assert json.dumps(line, ensure_ascii=False)[1:-1] in kept, line


def told(diagnostic: Diagnostic) -> list[str]:
    """The words of a rendering, and its places."""
    lines = render([diagnostic]).splitlines()
    head = [lines[0].partition(": ")[2]]
    return (
        head
        + [m[2] for line in lines if (m := re.match(r" *(=) (?:help|note): (.*)", line))]
        + [m[1] for line in lines if (m := re.match(r" *\| +[-^]+ (.+)", line))]
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_reports_of_examples_fit(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = data(text, str(path))
    lines = text.splitlines()
    assert found["models"]
    for kind in ("blocks", "models"):
        for each in found[kind]:
            line, start, end = (each[key] for key in ("line", "column", "end_column"))
            assert isinstance(line, int)
            assert lines[line - 1][int(str(start)) - 1 : int(str(end)) - 1] == each["name"]
            assert lines[line - 1].startswith(kind.removesuffix("s"))


def test_counterexamples_and_edits_are_data() -> None:
    text = 'block f[h](x: [b, d]) -> [b, h, d // h]:\n    return rearrange["b (h e) -> b h e", h=h](x)\n'
    (found,) = data(text)["diagnostics"]
    assert found["counterexamples"] == [
        {
            "sizes": [{"name": "h", "value": 2}, {"name": "d", "value": 1}],
            "nearby": [{"name": "h", "values": [1]}, {"name": "d", "values": [2]}],
        }
    ]
    assert found["edits"] == [
        {"file": "a.arch", "line": 1, "column": 40, "end_line": 1, "end_column": 40, "text": "\nwhere d % h == 0",
         "contract": True}
    ]  # fmt: skip


def test_places_move_with_the_text() -> None:
    text, workspace = "block f(x: [b]) -> [b]:\n    return relu(x)\nmodel F = f\n", Workspace()
    workspace.check(text, "a.arch")
    program = workspace.check("# one\n\n" + text, "a.arch")
    found = as_data(program.diagnostics, [program])
    assert [each["line"] for each in (*found["blocks"], *found["models"])] == [3, 5]


def test_conditions_of_models_are_there() -> None:
    text = "block f(x: [b, n]) -> [b, n]\nwhere n <= 8:\n    return relu(x)\nmodel F = f\n"
    assert [each["conditions"] for each in data(text)["models"]] == [["n <= 8"]]
