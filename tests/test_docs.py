"""The documentation is run: commands with what they print, Python, programs, and the example of every code."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ogive.codes import sections
from ogive.compiler.driver.workspace import check_text

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *ROOT.glob("docs/**/*.md")]
)
LONG = ("training/scale.py", "training/lightning_vit.py")  # several processes, half a minute each
STATUS = re.compile(r"#\s*leaves with (\d+)$")


def blocks(kind: str) -> list[tuple[Path, int, str]]:
    """The fenced blocks of a kind, with page and line."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(rf"(?ms)^```{kind}\n(.*?)^```$", text):
            found.append((page, text[: block.start()].count("\n") + 1, block[1]))
    return found


def named(found: list[tuple[Path, int, str]]) -> list[object]:
    return [
        pytest.param(
            text,
            id=f"{page.relative_to(ROOT)}:{line}",
            marks=[pytest.mark.slow] if any(each in text for each in LONG) else [],
        )
        for page, line, text in found
    ]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder as a reader has it: the examples, and nothing else."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "NO_COLOR": "1", "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "0"}


def transcript(text: str) -> list[tuple[str, str]]:
    """Commands (`$ ...`) and what they print; a line that ends in a backslash goes on in the next."""
    found = []
    for piece in re.split(r"(?m)^\$ ", text)[1:]:
        lines = piece.split("\n")
        last = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
        found.append(("\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :])))
    return found


@pytest.mark.parametrize("text", named(blocks("console")))
def test_commands_do_what_the_page_says(text: str, desk: Path) -> None:
    same = doctest.OutputChecker().check_output
    commands = transcript(text)
    assert commands
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=desk, env=environment(), capture_output=True, text=True, check=False
        )
        status = STATUS.search(command)
        assert done.returncode == (int(status[1]) if status else 0), command + "\n" + done.stdout + done.stderr
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert not expected.strip() or same(expected, done.stdout + done.stderr, flags), (
            f"{command}\n{done.stdout}{done.stderr}"
        )


# each block in a folder and with names of its own; what it prints stands between marks
RUNS = """
import json, os, sys
for folder, text in json.load(sys.stdin):
    os.chdir(folder)
    sys.path[0] = folder
    exec(compile(text, folder, "exec"), {"__name__": "__main__"})
    print("\\0", flush=True)
"""
PYTHON = {
    page: [(line, text) for other, line, text in blocks("python") if other == page]
    for page in dict.fromkeys(page for page, _, _ in blocks("python"))
}


@pytest.mark.parametrize("page", PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_runs(page: Path, tmp_path: Path) -> None:
    """All blocks of a page, in one process."""
    given = []
    for line, text in PYTHON[page]:
        shutil.copytree(ROOT / "examples", tmp_path / str(line) / "examples")
        given.append((str(tmp_path / str(line)), text))
    done = subprocess.run(
        [sys.executable, "-c", RUNS], cwd=tmp_path, env=environment(), input=json.dumps(given), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    printed = done.stdout.split("\0")
    assert done.returncode == 0, f"line {PYTHON[page][len(printed) - 1][0]}: {done.stderr}"
    for (_, text), found in zip(PYTHON[page], printed, strict=False):
        for expected in re.findall(r"print\(.*\)\s*#> (.*)", text):
            assert expected in found


@pytest.mark.parametrize("text", named(blocks("arch")))
def test_programs_check(text: str) -> None:
    found = [diagnostic.message for diagnostic in check_text(text, "<page>").diagnostics if diagnostic.code[0] == "E"]
    assert found == []


@pytest.mark.parametrize("code", sections())
def test_the_example_of_a_code_brings_it_about(code: str) -> None:
    section = sections()[code]
    assert section.title
    assert section.text
    for example in section.examples:
        found = check_text(example, "<example>").diagnostics
        assert code in {each.code for each in found}
        assert {each.code for each in found if each.severity == "error"} <= {code}
    assert len(section.right) == len(section.examples)
    for example in section.right:
        assert not check_text(example, "<example>").diagnostics


def test_every_code_in_use_is_explained() -> None:
    used = set()
    for folder in ("grammar", "compiler", "backends", "src/ogive"):
        for path in (ROOT / folder).rglob("*.py"):
            used.update(re.findall(r"[\"'(`]([EWH]0\d{3})\b", path.read_text(encoding="utf-8")))
    assert {"E0101", "E0301"} <= used
    assert used <= sections().keys()


def test_the_set_up_of_the_readme_is_that_of_ci() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    commands = re.findall(r"(?m)^(?:python3 -m venv|\.venv/bin/(?:pip|python)) .*$", script)
    assert len(commands) == 3
    assert all(command in readme for command in commands)


def test_what_the_pages_import_is_public() -> None:
    """No page tells its reader to import from inside: there are `ogive.posets`, `ogive.onnx` and `ogive.diagrams`.

    What builds the site (`docs/site`) is ours, and no page.
    """
    pages = [*PAGES, *(path for path in ROOT.glob("docs/**/*.py") if "site" not in path.parts)]
    inside = re.compile(r"(?:from|import) ogive\.(?:compiler|backends|grammar)\b")
    assert not [(page.name, found) for page in pages for found in inside.findall(page.read_text(encoding="utf-8"))]


def test_python_of_the_pages_has_types(tmp_path: Path) -> None:
    """As `mypy --strict` has it, but for what the import hook makes, methods of emitted modules, and gaps of torch."""
    methods = ("after_step", "init_weights", "decay_groups", "gradient_checkpointing")  # nn.Module has none of them
    texts = [text for _, _, text in blocks("python") if not any(each in text for each in ("ogive.hook", *methods))]
    assert any('program["GPT2"]' in text for text in texts)
    paths = [tmp_path / f"page_{number}.py" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        'import ogive\n\nogive.load("a.arch")["A"](d=2).torch().weights = ogive.load("a.arch")["A"].name + 1\n'
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--untyped-calls-exclude=torch",
        "--scripts-are-modules",
        *map(str, (*paths, wrong)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    faults = [line for line in done.stdout.splitlines() if ": error: " in line and "no-untyped-call" not in line]
    assert faults
    assert all(f"{wrong.name}:3" in line for line in faults), done.stdout
