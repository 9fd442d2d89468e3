"""Diagnostics as other tools read them, and programs from standard input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner, Result

from ogive.cli import cli

BAD = """use std.nn (Linear)
block F[d](x: [b, n]) -> [b, d]:
    y = x |> Linear[d, d]
    return y + z
block G(x: [b]) -> [b]:
    y = x
    return x +
"""
HINTED = "block f(x: [b, n]) -> [b, n]\nwhere n >= 1:\n    return x\n"


@pytest.fixture
def awkward(tmp_path: Path) -> Path:
    path = tmp_path / "a b,c%20:1.arch"
    path.write_text(BAD)
    return path


def ogive(*args: object, text: str = "") -> Result:
    return CliRunner().invoke(cli, ["check", *map(str, args)], input=text, catch_exceptions=False)


def places(path: Path) -> list[tuple[str, int, int]]:
    found = json.loads(ogive("--json", path).stdout)["diagnostics"]
    return [(each["code"], each["line"], each["column"]) for each in found]


def test_every_form_names_the_same_places(awkward: Path) -> None:
    wanted = places(awkward)
    assert len(wanted) > 2
    lines = ogive("--output-format", "concise", awkward).stdout.splitlines()
    parts = [re.fullmatch(re.escape(str(awkward)) + r":(\d+):(\d+): ([A-Z]\d+) .+", line) for line in lines]
    assert [(m[3], int(m[1]), int(m[2])) for m in parts if m] == wanted
    commands = ogive("--output-format", "github", awkward).stdout.splitlines()
    for command, (code, line, column) in zip(commands, wanted, strict=True):
        kind, settings, text = re.fullmatch(r"::(\w+) (.*?)::(.+)", command).groups()  # type: ignore[union-attr]
        told = dict(each.split("=", 1) for each in settings.split(","))
        assert kind == "error"
        assert text
        assert unquote(told["file"]) == str(awkward)
        assert (told["title"], int(told["line"]), int(told["col"])) == (f"ogive {code}", line, column)
    (run,) = json.loads(ogive("--output-format", "sarif", awkward).stdout)["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    found = []
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        (location,) = result["locations"]
        assert unquote(location["physicalLocation"]["artifactLocation"]["uri"]) == f"file://{awkward}"
        region = location["physicalLocation"]["region"]
        found.append((result["ruleId"], region["startLine"], region["startColumn"]))
    assert found == wanted


@pytest.mark.parametrize("shape", ["concise", "github", "sarif", "json", "full"])
def test_status_says_whether_there_are_errors(shape: str, awkward: Path, tmp_path: Path) -> None:
    fine = tmp_path / "fine.arch"
    fine.write_text(HINTED)
    assert ogive("--output-format", shape, awkward).exit_code == 1
    done = ogive("--output-format", shape, fine)
    assert done.exit_code == 0
    if shape in ("concise", "github"):
        assert done.stdout == ""


@pytest.mark.parametrize("shape", ["full", "json", "concise"])
def test_standard_input_is_as_the_file(shape: str, tmp_path: Path) -> None:
    (tmp_path / "lib.arch").write_text("block twice(x: [*b]) -> [*b]:\n    return x + x\n")
    path = tmp_path / "user.arch"
    path.write_text("use ./lib (twice)\nblock f(x: [b]) -> [b, b]:\n    return twice(x)\n")
    named = ogive("-", "--stdin-filename", path, "--output-format", shape, text=path.read_text())
    assert named.stdout == ogive(path, "--output-format", shape).stdout
    assert named.exit_code == 1
    assert "<stdin>:3:" in ogive("-", "--output-format", "concise", text=BAD.replace("use", "#")).stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--json", "--output-format", "sarif", "-"], "--json is --output-format json"),
        (["--stdin-filename", "x.arch", "FILE"], "names what is read from -"),
        (["--fix", "-"], "- is none"),
    ],
)
def test_what_goes_with_what(args: list[str], said: str, awkward: Path) -> None:
    done = ogive(*[awkward if arg == "FILE" else arg for arg in args])
    assert done.exit_code == 2
    assert said in done.output


def test_fixes_of_sarif_are_those_of_fix(tmp_path: Path) -> None:
    path = tmp_path / "é x.arch"
    path.write_text("use std.nn (Linear)\nblock f(x: [b, 4]) -> [b, 4]:\n    return x |> Linear[4, 4] |> rleu\n")
    lines = path.read_text().split("\n")
    (run,) = json.loads(ogive("--output-format", "sarif", path).stdout)["runs"]
    changes = [
        change for result in run["results"] for fix in result.get("fixes", ()) for change in fix["artifactChanges"]
    ]
    assert changes
    for change in changes:
        for each in change["replacements"]:
            region = each["deletedRegion"]
            assert region["startLine"] == region["endLine"]
            at, (start, end) = region["startLine"] - 1, (region["startColumn"] - 1, region["endColumn"] - 1)
            lines[at] = lines[at][:start] + each["insertedContent"]["text"] + lines[at][end:]
    assert ogive("--fix", path).exit_code == 0
    assert "\n".join(lines) == path.read_text()
